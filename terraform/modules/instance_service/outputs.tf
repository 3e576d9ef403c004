output "launch_template_id" {
  description = "Id of the launch template."
  value       = aws_launch_template.this.id
}

output "autoscaling_group_name" {
  description = "Name of the Auto Scaling group."
  value       = aws_autoscaling_group.this.name
}

output "role_arn" {
  description = "ARN of the instances' role."
  value       = aws_iam_role.this.arn
}
