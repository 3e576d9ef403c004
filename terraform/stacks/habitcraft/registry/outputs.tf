output "repository_urls" {
  description = "Address of each repository, by name, without tag or digest."
  value       = module.registry.repository_urls
}

output "repository_arns" {
  description = "ARN of each repository, by name."
  value       = module.registry.repository_arns
}
