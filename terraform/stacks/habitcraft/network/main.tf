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

module "network" {
  source = "../../../modules/network"

  name               = local.name
  cidr               = var.vpc_cidr
  availability_zones = var.availability_zones
  tags               = local.tags
}

module "security_groups" {
  source = "../../../modules/security_groups"

  name              = local.name
  vpc_id            = module.network.vpc_id
  backend_port      = var.backend_port
  frontend_port     = var.frontend_port
  ssh_allowed_cidrs = var.ssh_allowed_cidrs
  tags              = local.tags
}
