variable "identifier" {
  description = "Identifier of the instance, and the beginning of the names of what belongs to it."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z](-?[a-z0-9])*$", var.identifier)) && length(var.identifier) <= 40
    error_message = "The identifier has up to 40 lower-case letters, digits and single inner dashes, and begins with a letter."
  }
}

variable "subnet_ids" {
  description = "Ids of private subnets in at least two availability zones."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(distinct(var.subnet_ids)) >= 2
    error_message = "A database needs subnets in at least two availability zones."
  }
}

variable "security_group_id" {
  description = "Id of the database's security group."
  type        = string
  nullable    = false
}

variable "engine_version" {
  description = "PostgreSQL version: the major alone follows minor upgrades, 15.10 pins one."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^1[3-8](\\.[0-9]{1,2})?$", var.engine_version))
    error_message = "The version must be a PostgreSQL major from 13 to 18, with or without its minor."
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

variable "log_retention_days" {
  description = "Days that the engine's logs are kept."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731], var.log_retention_days)
    error_message = "CloudWatch keeps logs for 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545 or 731 days."
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
    condition     = can(regex("^[a-z][a-z0-9_]{0,62}$", var.master_username)) && !startswith(var.master_username, "pg_") && !contains(["admin", "rdsadmin", "postgresql", "public", "root"], var.master_username)
    error_message = "The role has up to 63 lower-case letters, digits and underscores, begins with a letter, and is no reserved name."
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

variable "tags" {
  description = "Tags for every resource, beside its Name."
  type        = map(string)
  default     = {}
  nullable    = false
}
