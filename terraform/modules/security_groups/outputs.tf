output "alb_id" {
  description = "Id of the load balancer's group."
  value       = aws_security_group.this["alb"].id
}

output "backend_id" {
  description = "Id of the backend instances' group."
  value       = aws_security_group.this["backend"].id
}

output "frontend_id" {
  description = "Id of the frontend instances' group."
  value       = aws_security_group.this["frontend"].id
}

output "database_id" {
  description = "Id of the database's group."
  value       = aws_security_group.this["database"].id
}
