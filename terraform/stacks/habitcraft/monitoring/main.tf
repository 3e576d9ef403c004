provider "aws" {
  region = var.region

  default_tags {
    tags = local.tags
  }
}

locals {
  name = "${var.project}-${var.environment}"
  tags = merge(var.tags, { Project = var.project, Environment = var.environment, ManagedBy = "terraform" })
}

module "monitoring" {
  source = "../../../modules/monitoring"

  name                                = local.name
  load_balancer_arn_suffix            = var.load_balancer_arn_suffix
  target_group_arn_suffixes           = var.target_group_arn_suffixes
  autoscaling_group_names             = var.autoscaling_group_names
  database_instance_identifier        = var.database_instance_identifier
  alert_email                         = var.alert_email
  cpu_percent_threshold               = var.cpu_percent_threshold
  error_count_threshold               = var.error_count_threshold
  latency_p99_seconds_threshold       = var.latency_p99_seconds_threshold
  database_free_storage_gib_threshold = var.database_free_storage_gib_threshold
  database_connections_threshold      = var.database_connections_threshold
  tags                                = local.tags
}
