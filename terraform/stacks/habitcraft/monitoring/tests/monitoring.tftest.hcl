mock_provider "aws" {
  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:us-west-2:111122223333:habitcraft-production-alerts" }
  }
}

variables {
  project                      = "habitcraft"
  environment                  = "production"
  region                       = "us-west-2"
  load_balancer_arn_suffix     = "app/habitcraft-production/0a"
  target_group_arn_suffixes    = { backend = "targetgroup/habitcraft-production-backend/0b", frontend = "targetgroup/habitcraft-production-frontend/0f" }
  autoscaling_group_names      = { backend = "habitcraft-production-backend", frontend = "habitcraft-production-frontend" }
  database_instance_identifier = "habitcraft-production"
}

run "watches_load_balancer_services_and_database" {
  command = apply

  assert {
    condition = output.alarm_names == tolist([
      "habitcraft-production-alb-5xx",
      "habitcraft-production-backend-5xx",
      "habitcraft-production-backend-cpu",
      "habitcraft-production-backend-latency",
      "habitcraft-production-backend-unhealthy-hosts",
      "habitcraft-production-database-connections",
      "habitcraft-production-database-cpu",
      "habitcraft-production-database-free-storage",
      "habitcraft-production-frontend-5xx",
      "habitcraft-production-frontend-cpu",
      "habitcraft-production-frontend-latency",
      "habitcraft-production-frontend-unhealthy-hosts",
    ])
    error_message = "Twelve alarms: one of the load balancer, four a service, three of the database."
  }
}

run "alarms_reach_the_topic" {
  command = apply

  module {
    source = "../../../modules/monitoring"
  }

  variables {
    name                                = "habitcraft-production"
    alert_email                         = "ops@example.com"
    cpu_percent_threshold               = 80
    error_count_threshold               = 10
    latency_p99_seconds_threshold       = 2
    database_free_storage_gib_threshold = 4
    database_connections_threshold      = 60
    tags                                = { Project = "habitcraft" }
  }

  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.this : alarm.alarm_actions == toset([aws_sns_topic.alerts.arn])])
    error_message = "Every alarm is sent to the topic."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["backend-unhealthy-hosts"].treat_missing_data == "breaching" && aws_cloudwatch_metric_alarm.this["database-cpu"].treat_missing_data == "breaching"
    error_message = "A target group or database without figures is not well."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["database-free-storage"].threshold == 4294967296
    error_message = "Free storage is compared in bytes."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["backend-latency"].extended_statistic == "p99" && aws_cloudwatch_metric_alarm.this["backend-latency"].statistic == null
    error_message = "Latency is judged by its 99th percentile."
  }

  assert {
    condition     = aws_sns_topic_subscription.email["ops@example.com"].protocol == "email"
    error_message = "The address is subscribed."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["alb-5xx"].tags == tomap({ Project = "habitcraft", Name = "habitcraft-production-alb-5xx" })
    error_message = "Every resource carries the given tags and its Name."
  }
}

run "needs_no_address" {
  command = plan

  module {
    source = "../../../modules/monitoring"
  }

  variables {
    name                                = "habitcraft-production"
    cpu_percent_threshold               = 80
    error_count_threshold               = 10
    latency_p99_seconds_threshold       = 2
    database_free_storage_gib_threshold = 4
    database_connections_threshold      = 60
  }

  assert {
    condition     = length(aws_sns_topic_subscription.email) == 0
    error_message = "Without an address there is no subscription."
  }
}

run "refuses_a_whole_arn" {
  command = plan

  variables {
    load_balancer_arn_suffix = "arn:aws:elasticloadbalancing:us-west-2:111122223333:loadbalancer/app/habitcraft-production/0a"
  }

  expect_failures = [var.load_balancer_arn_suffix]
}

run "refuses_something_else_for_an_address" {
  command = plan

  variables {
    alert_email = "ops"
  }

  expect_failures = [var.alert_email]
}

run "refuses_more_than_all_of_the_cpu" {
  command = plan

  variables {
    cpu_percent_threshold = 120
  }

  expect_failures = [var.cpu_percent_threshold]
}
