provider "aws" {
  region = var.region

  default_tags {
    tags = local.tags
  }
}

locals {
  tags = merge(var.tags, { Project = var.project, Environment = var.environment, ManagedBy = "terraform" })
}

locals {
  database_secret    = "${var.project}/${var.environment}/backend/database"
  application_secret = "${var.project}/${var.environment}/backend/application"
}

module "secret" {
  source = "../../../modules/secret"

  secrets = {
    (local.database_secret)    = "How the backend reaches its database: host, port, database, role and password"
    (local.application_secret) = "What the backend signs its sessions with"
  }

  recovery_window_days = var.recovery_window_days
  tags                 = local.tags
}
