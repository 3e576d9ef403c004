output "database_secret_arn" {
  description = "ARN of the secret for the backend's database access; its value is put from outside."
  value       = module.secret.arns[local.database_secret]
}

output "application_secret_arn" {
  description = "ARN of the secret for the backend's own keys; its value is put from outside."
  value       = module.secret.arns[local.application_secret]
}
