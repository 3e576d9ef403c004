variable "project" {
  description = "Name of the project; every resource's name begins with it."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z](-?[a-z0-9])+$", var.project))
    error_message = "The project has lower-case letters, digits and single inner dashes, and begins with a letter."
  }
}

variable "environment" {
  description = "Name of the environment, such as production; it follows the project in every name."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z](-?[a-z0-9])+$", var.environment))
    error_message = "The environment has lower-case letters, digits and single inner dashes, and begins with a letter."
  }

  validation {
    condition     = length(var.project) + length(var.environment) <= 22
    error_message = "Project and environment together may have 22 characters: target groups carry both and a service's name in 32."
  }
}

variable "region" {
  description = "AWS region that everything is made in."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "The region must look like us-west-2."
  }
}

variable "tags" {
  description = "Further tags for every resource."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = length(setintersection(keys(var.tags), ["Project", "Environment", "ManagedBy", "Name"])) == 0
    error_message = "Project, Environment, ManagedBy and Name are set by the stack itself."
  }
}

variable "private_subnet_ids" {
  description = "Ids of the private subnets, in at least two availability zones."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(distinct(var.private_subnet_ids)) >= 2 && alltrue([for id in var.private_subnet_ids : can(regex("^subnet-[0-9a-f]+$", id))])
    error_message = "Name at least two subnets, each as subnet- and its id."
  }
}

variable "database_security_group_id" {
  description = "Id of the database's security group."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^sg-[0-9a-f]+$", var.database_security_group_id))
    error_message = "The id must begin with sg-."
  }
}

variable "instance_class" {
  description = "Class of the instance, such as db.t4g.micro."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^db\\.[a-z0-9]+\\.[a-z0-9]+$", var.instance_class))
    error_message = "The class must look like db.t4g.micro."
  }
}

variable "engine_version" {
  description = "PostgreSQL version: the major alone follows minor upgrades, 15.10 pins one."
  type        = string
  default     = "15"
  nullable    = false

  validation {
    condition     = can(regex("^1[3-8](\\.[0-9]{1,2})?$", var.engine_version))
    error_message = "The version must be a PostgreSQL major from 13 to 18, with or without its minor."
  }
}

variable "allocated_storage_gib" {
  description = "Storage at the start, in GiB; it grows by itself up to twice this."
  type        = number
  nullable    = false

  validation {
    condition     = var.allocated_storage_gib >= 20 && var.allocated_storage_gib <= 32768 && floor(var.allocated_storage_gib) == var.allocated_storage_gib
    error_message = "Storage must be a whole number of GiB from 20 to 32768."
  }
}

variable "multi_az" {
  description = "Whether a standby runs in a second availability zone."
  type        = bool
  nullable    = false
}

variable "backup_retention_days" {
  description = "Days that automatic backups are kept, 1 to 35."
  type        = number
  nullable    = false

  validation {
    condition     = var.backup_retention_days >= 1 && var.backup_retention_days <= 35 && floor(var.backup_retention_days) == var.backup_retention_days
    error_message = "Backups must be kept for 1 to 35 days; 0 would switch them off."
  }
}

variable "database_name" {
  description = "Name of the first database."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z_][a-z0-9_]{0,62}$", var.database_name))
    error_message = "The name has up to 63 lower-case letters, digits and underscores, and does not begin with a digit."
  }
}

variable "master_username" {
  description = "Name of the master role; RDS makes its password and keeps it in Secrets Manager."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9_]{0,62}$", var.master_username))
    error_message = "The role has up to 63 lower-case letters, digits and underscores, and begins with a letter."
  }
}

variable "logical_replication" {
  description = "Whether the instance can publish its changes, the channel by which writes flow back after a cutover; changing it later needs a restart."
  type        = bool
  default     = false
  nullable    = false
}

variable "deletion_protection" {
  description = "Whether AWS refuses to delete the instance; switch it off by an apply of its own before a destroy."
  type        = bool
  nullable    = false
}
