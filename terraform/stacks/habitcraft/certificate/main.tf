provider "aws" {
  region = var.region

  default_tags {
    tags = local.tags
  }
}

locals {
  tags = merge(var.tags, { Project = var.project, Environment = var.environment, ManagedBy = "terraform" })
}

module "certificate" {
  source = "../../../modules/certificate"

  domain         = var.domain
  hosted_zone_id = var.hosted_zone_id
  tags           = local.tags
}
