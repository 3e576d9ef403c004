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

module "load_balancer" {
  source = "../../../modules/load_balancer"

  name                = local.name
  vpc_id              = var.vpc_id
  subnet_ids          = var.public_subnet_ids
  security_group_id   = var.alb_security_group_id
  certificate_arn     = var.certificate_arn
  deletion_protection = var.deletion_protection

  services = {
    backend = {
      hostname          = var.api_hostname
      port              = var.backend_port
      health_check_path = var.backend_health_check_path
      priority          = 100
    }
    frontend = {
      hostname          = var.www_hostname
      port              = var.frontend_port
      health_check_path = var.frontend_health_check_path
      priority          = 200
    }
  }

  tags = local.tags
}
