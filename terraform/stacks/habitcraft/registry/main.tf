provider "aws" {
  region = var.region

  default_tags {
    tags = local.tags
  }
}

locals {
  tags = merge(var.tags, { Project = var.project, Environment = var.environment, ManagedBy = "terraform" })
}

module "registry" {
  source = "../../../modules/registry"

  repositories = toset(var.repositories)
  keep_images  = var.keep_images
  tags         = local.tags
}
