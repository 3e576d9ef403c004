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

module "database" {
  source = "../../../modules/database"

  identifier            = local.name
  subnet_ids            = var.private_subnet_ids
  security_group_id     = var.database_security_group_id
  engine_version        = var.engine_version
  instance_class        = var.instance_class
  allocated_storage_gib = var.allocated_storage_gib
  multi_az              = var.multi_az
  backup_retention_days = var.backup_retention_days
  database_name         = var.database_name
  master_username       = var.master_username
  logical_replication   = var.logical_replication
  deletion_protection   = var.deletion_protection
  tags                  = local.tags
}
