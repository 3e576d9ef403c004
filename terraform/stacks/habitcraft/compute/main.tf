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

locals {
  frontend_url = "https://${var.www_hostname}"
  api_url      = "https://${var.api_hostname}"

  services = {
    backend = {
      image             = var.backend_image
      port              = var.backend_port
      instance_type     = var.backend_instance_type
      security_group_id = var.backend_security_group_id
      min_size          = var.backend_min_size
      desired_capacity  = var.backend_desired_capacity
      max_size          = var.backend_max_size
      secret_arns       = { DATABASE_SECRET_ARN = var.database_secret_arn, APPLICATION_SECRET_ARN = var.application_secret_arn }
      environment       = { FRONTEND_URL = local.frontend_url }
    }
    frontend = {
      image             = var.frontend_image
      port              = var.frontend_port
      instance_type     = var.frontend_instance_type
      security_group_id = var.frontend_security_group_id
      min_size          = var.frontend_min_size
      desired_capacity  = var.frontend_desired_capacity
      max_size          = var.frontend_max_size
      secret_arns       = {}
      environment       = { FRONTEND_URL = local.frontend_url, API_URL = local.api_url }
    }
  }
}

module "service" {
  source   = "../../../modules/instance_service"
  for_each = local.services

  name              = "${local.name}-${each.key}"
  project           = var.project
  service           = each.key
  region            = var.region
  image             = each.value.image
  port              = each.value.port
  environment       = merge(each.value.environment, each.value.secret_arns)
  repository_arn    = var.repository_arns[regex("^[^/]+/([^@]+)@", each.value.image)[0]]
  secret_arns       = each.value.secret_arns
  instance_type     = each.value.instance_type
  subnet_ids        = var.public_subnet_ids
  security_group_id = each.value.security_group_id
  target_group_arn  = var.target_group_arns[each.key]
  min_size          = each.value.min_size
  desired_capacity  = each.value.desired_capacity
  max_size          = each.value.max_size
  tags              = local.tags
}
