output "vpc_id" {
  description = "Id of the VPC."
  value       = module.network.vpc_id
}

output "public_subnet_ids" {
  description = "Ids of the public subnets, in the order of the zones given."
  value       = module.network.public_subnet_ids
}

output "private_subnet_ids" {
  description = "Ids of the private subnets, in the order of the zones given."
  value       = module.network.private_subnet_ids
}

output "alb_security_group_id" {
  description = "Id of the load balancer's security group."
  value       = module.security_groups.alb_id
}

output "backend_security_group_id" {
  description = "Id of the backend instances' security group."
  value       = module.security_groups.backend_id
}

output "frontend_security_group_id" {
  description = "Id of the frontend instances' security group."
  value       = module.security_groups.frontend_id
}

output "database_security_group_id" {
  description = "Id of the database's security group."
  value       = module.security_groups.database_id
}
