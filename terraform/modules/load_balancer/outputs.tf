output "arn" {
  description = "ARN of the load balancer."
  value       = aws_lb.this.arn
}

output "arn_suffix" {
  description = "Part of the load balancer's ARN that names it in CloudWatch."
  value       = aws_lb.this.arn_suffix
}

output "dns_name" {
  description = "DNS name of the load balancer."
  value       = aws_lb.this.dns_name
}

output "zone_id" {
  description = "Hosted zone of the load balancer's name, for alias records."
  value       = aws_lb.this.zone_id
}

output "https_listener_arn" {
  description = "ARN of the HTTPS listener, available once every host rule stands."
  value       = aws_lb_listener.https.arn
  depends_on  = [aws_lb_listener_rule.host]
}

output "target_group_arns" {
  description = "ARN of each target group, by service."
  value       = { for key, group in aws_lb_target_group.this : key => group.arn }
}

output "target_group_arn_suffixes" {
  description = "Part of each target group's ARN that names it in CloudWatch, by service."
  value       = { for key, group in aws_lb_target_group.this : key => group.arn_suffix }
}
