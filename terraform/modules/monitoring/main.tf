locals {
  load_balancer = { LoadBalancer = var.load_balancer_arn_suffix }
  database      = { DBInstanceIdentifier = var.database_instance_identifier }
  bytes_per_gib = 1024 * 1024 * 1024

  # `missing` says what silence means: an unwatched load balancer without requests is well, a machine without figures is not.
  load_balancer_alarms = {
    alb-5xx = {
      description = "The load balancer itself answers with 5xx: no healthy target, or it is overloaded"
      namespace   = "AWS/ApplicationELB", metric = "HTTPCode_ELB_5XX_Count", dimensions = local.load_balancer
      comparison  = "GreaterThanThreshold", threshold = var.error_count_threshold, statistic = "Sum"
      period      = 300, evaluations = 1, missing = "notBreaching"
    }
  }

  target_alarms = merge([
    for service, suffix in var.target_group_arn_suffixes : {
      "${service}-5xx" = {
        description = "The ${service} answers with 5xx"
        namespace   = "AWS/ApplicationELB", metric = "HTTPCode_Target_5XX_Count"
        dimensions  = merge(local.load_balancer, { TargetGroup = suffix })
        comparison  = "GreaterThanThreshold", threshold = var.error_count_threshold, statistic = "Sum"
        period      = 300, evaluations = 1, missing = "notBreaching"
      }
      "${service}-latency" = {
        description = "The slowest hundredth of the ${service}'s answers takes too long"
        namespace   = "AWS/ApplicationELB", metric = "TargetResponseTime"
        dimensions  = merge(local.load_balancer, { TargetGroup = suffix })
        comparison  = "GreaterThanThreshold", threshold = var.latency_p99_seconds_threshold, statistic = "p99"
        period      = 60, evaluations = 5, missing = "notBreaching"
      }
      "${service}-unhealthy-hosts" = {
        description = "The ${service} has unhealthy targets, or none at all"
        namespace   = "AWS/ApplicationELB", metric = "UnHealthyHostCount"
        dimensions  = merge(local.load_balancer, { TargetGroup = suffix })
        comparison  = "GreaterThanThreshold", threshold = 0, statistic = "Maximum"
        period      = 60, evaluations = 3, missing = "breaching"
      }
    }
  ]...)

  instance_alarms = {
    for service, group in var.autoscaling_group_names : "${service}-cpu" => {
      description = "The ${service}'s instances are short of CPU"
      namespace   = "AWS/EC2", metric = "CPUUtilization", dimensions = { AutoScalingGroupName = group }
      comparison  = "GreaterThanThreshold", threshold = var.cpu_percent_threshold, statistic = "Average"
      period      = 300, evaluations = 2, missing = "breaching"
    }
  }

  database_alarms = {
    database-cpu = {
      description = "The database is short of CPU"
      namespace   = "AWS/RDS", metric = "CPUUtilization", dimensions = local.database
      comparison  = "GreaterThanThreshold", threshold = var.cpu_percent_threshold, statistic = "Average"
      period      = 300, evaluations = 2, missing = "breaching"
    }
    database-free-storage = {
      description = "The database is running out of storage"
      namespace   = "AWS/RDS", metric = "FreeStorageSpace", dimensions = local.database
      comparison  = "LessThanThreshold", threshold = var.database_free_storage_gib_threshold * local.bytes_per_gib, statistic = "Minimum"
      period      = 300, evaluations = 1, missing = "breaching"
    }
    database-connections = {
      description = "The database is running out of connections"
      namespace   = "AWS/RDS", metric = "DatabaseConnections", dimensions = local.database
      comparison  = "GreaterThanThreshold", threshold = var.database_connections_threshold, statistic = "Maximum"
      period      = 300, evaluations = 2, missing = "breaching"
    }
  }

  alarms = merge(local.load_balancer_alarms, local.target_alarms, local.instance_alarms, local.database_alarms)
}

# Not encrypted with the AWS-managed key: CloudWatch may not publish through that one, and an alarm holds no secret.
resource "aws_sns_topic" "alerts" {
  name = "${var.name}-alerts"

  tags = merge(var.tags, { Name = "${var.name}-alerts" })
}

resource "aws_sns_topic_subscription" "email" {
  for_each = var.alert_email == null ? toset([]) : toset([var.alert_email])

  topic_arn = aws_sns_topic.alerts.arn
  protocol  = "email"
  endpoint  = each.key
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  comparison_operator = each.value.comparison
  threshold           = each.value.threshold
  period              = each.value.period
  evaluation_periods  = each.value.evaluations
  treat_missing_data  = each.value.missing
  statistic           = startswith(each.value.statistic, "p") ? null : each.value.statistic
  extended_statistic  = startswith(each.value.statistic, "p") ? each.value.statistic : null
  alarm_actions       = [aws_sns_topic.alerts.arn]
  ok_actions          = [aws_sns_topic.alerts.arn]

  tags = merge(var.tags, { Name = "${var.name}-${each.key}" })
}
