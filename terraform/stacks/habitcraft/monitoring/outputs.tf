output "alerts_topic_arn" {
  description = "ARN of the topic that alarms are published to."
  value       = module.monitoring.alerts_topic_arn
}

output "alarm_names" {
  description = "Names of all alarms, sorted."
  value       = module.monitoring.alarm_names
}
