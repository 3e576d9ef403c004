output "instance_identifier" {
  description = "Identifier of the instance."
  value       = aws_db_instance.this.identifier
}

output "instance_arn" {
  description = "ARN of the instance."
  value       = aws_db_instance.this.arn
}

output "address" {
  description = "Host name of the instance, without its port."
  value       = aws_db_instance.this.address
}

output "port" {
  description = "TCP port of the instance."
  value       = aws_db_instance.this.port
}

output "database_name" {
  description = "Name of the first database."
  value       = aws_db_instance.this.db_name
}

output "master_username" {
  description = "Name of the master role."
  value       = var.master_username
}

output "master_secret_arn" {
  description = "ARN of the secret in which RDS keeps the master password; the password itself is not in the state."
  value       = aws_db_instance.this.master_user_secret[0].secret_arn
}
