output "launch_template_ids" {
  description = "Id of each launch template: backend and frontend."
  value       = { for key, service in module.service : key => service.launch_template_id }
}

output "autoscaling_group_names" {
  description = "Name of each Auto Scaling group: backend and frontend."
  value       = { for key, service in module.service : key => service.autoscaling_group_name }
}

output "instance_role_arns" {
  description = "ARN of each service's instance role: backend and frontend."
  value       = { for key, service in module.service : key => service.role_arn }
}
