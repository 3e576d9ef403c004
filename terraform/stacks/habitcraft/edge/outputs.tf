output "load_balancer_arn" {
  description = "ARN of the load balancer."
  value       = module.load_balancer.arn
}

output "load_balancer_arn_suffix" {
  description = "Name of the load balancer in CloudWatch: the end of its ARN."
  value       = module.load_balancer.arn_suffix
}

output "load_balancer_dns_name" {
  description = "DNS name of the load balancer."
  value       = module.load_balancer.dns_name
}

output "load_balancer_zone_id" {
  description = "Hosted zone of the load balancer's name, for alias records."
  value       = module.load_balancer.zone_id
}

output "https_listener_arn" {
  description = "ARN of the HTTPS listener, available once both host rules stand."
  value       = module.load_balancer.https_listener_arn
}

output "target_group_arns" {
  description = "ARN of each target group: backend and frontend."
  value       = module.load_balancer.target_group_arns
}

output "target_group_arn_suffixes" {
  description = "Name of each target group in CloudWatch: backend and frontend."
  value       = module.load_balancer.target_group_arn_suffixes
}
