output "instance_identifier" {
  description = "Identifier of the instance."
  value       = module.database.instance_identifier
}

output "instance_arn" {
  description = "ARN of the instance."
  value       = module.database.instance_arn
}

output "address" {
  description = "Host name of the instance, without its port."
  value       = module.database.address
}

output "port" {
  description = "TCP port of the instance."
  value       = module.database.port
}

output "database_name" {
  description = "Name of the first database."
  value       = module.database.database_name
}

output "master_username" {
  description = "Name of the master role."
  value       = module.database.master_username
}

output "master_secret_arn" {
  description = "ARN of the secret in which RDS keeps the master password."
  value       = module.database.master_secret_arn
}
