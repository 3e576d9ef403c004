variable "name" {
  description = "Name of the group, its launch template, role and instance profile."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,62}[a-z0-9]$", var.name))
    error_message = "The name has 3 to 64 lower-case letters, digits and inner dashes."
  }
}

variable "project" {
  description = "Name of the project: the folder under /etc, the unit and the container carry it."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]*[a-z0-9]$", var.project))
    error_message = "The project has lower-case letters, digits and inner dashes only."
  }
}

variable "service" {
  description = "Key of the service within the project."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]*$", var.service))
    error_message = "The key has lower-case letters, digits and dashes only."
  }
}

variable "region" {
  description = "Region whose registry and secrets the instances use."
  type        = string
  nullable    = false
}

variable "image" {
  description = "Image by digest: registry/repository@sha256:..., never by tag."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+@sha256:[0-9a-f]{64}$", var.image))
    error_message = "The image must be pinned by its digest: registry/repository@sha256: and 64 hexadecimal digits."
  }
}

variable "repository_arn" {
  description = "ARN of the only repository that the instances may pull from."
  type        = string
  nullable    = false
}

variable "secret_arns" {
  description = "ARNs of the only secrets that the instances may read, by purpose."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "environment" {
  description = "Further KEY=value lines of the service's settings file; nothing secret, the user data is readable."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for key, value in var.environment : can(regex("^[A-Z][A-Z0-9_]*$", key)) && can(regex("^[A-Za-z0-9:/._@-]+$", value))])
    error_message = "Keys are capital letters, digits and underscores; values are ARNs, addresses and plain words without blanks or quotes."
  }
}

variable "port" {
  description = "TCP port of the container, published on the instance."
  type        = number
  nullable    = false

  validation {
    condition     = var.port >= 1024 && var.port <= 65535 && floor(var.port) == var.port
    error_message = "The port must be a whole number from 1024 to 65535."
  }
}

variable "instance_type" {
  description = "Type of the instances; x86_64 only, as the machine image is."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]+[0-9]+[a-z-]*\\.[a-z0-9]+$", var.instance_type)) && !can(regex("^[a-z]+[0-9]+[a-z]*g[a-z]*\\.", var.instance_type))
    error_message = "The type must be an x86_64 one such as t3.small; Graviton types (t4g, m7g) do not start this machine image."
  }
}

variable "root_volume_gib" {
  description = "Size of the encrypted root volume in GiB."
  type        = number
  default     = 20
  nullable    = false

  validation {
    condition     = var.root_volume_gib >= 8 && var.root_volume_gib <= 1024 && floor(var.root_volume_gib) == var.root_volume_gib
    error_message = "The root volume must be a whole number of GiB from 8 to 1024."
  }
}

variable "subnet_ids" {
  description = "Ids of the public subnets that the instances run in."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.subnet_ids) > 0
    error_message = "Name at least one subnet."
  }
}

variable "security_group_id" {
  description = "Id of the service's security group."
  type        = string
  nullable    = false
}

variable "target_group_arn" {
  description = "ARN of the target group that the instances join."
  type        = string
  nullable    = false
}

variable "min_size" {
  description = "Fewest instances."
  type        = number
  nullable    = false

  validation {
    condition     = var.min_size >= 0 && floor(var.min_size) == var.min_size
    error_message = "The fewest instances must be a whole number, 0 or more."
  }
}

variable "desired_capacity" {
  description = "Wanted instances, from min_size to max_size."
  type        = number
  nullable    = false

  validation {
    condition     = var.desired_capacity >= var.min_size && var.desired_capacity <= var.max_size && floor(var.desired_capacity) == var.desired_capacity
    error_message = "The wanted number must be whole, and from min_size to max_size."
  }
}

variable "max_size" {
  description = "Most instances."
  type        = number
  nullable    = false

  validation {
    condition     = var.max_size >= 1 && floor(var.max_size) == var.max_size
    error_message = "The most instances must be a whole number, 1 or more."
  }
}

variable "health_check_grace_seconds" {
  description = "Seconds that a new instance has to become healthy before it is replaced."
  type        = number
  default     = 300
  nullable    = false

  validation {
    condition     = var.health_check_grace_seconds >= 60 && var.health_check_grace_seconds <= 1800
    error_message = "The grace period must be from 60 to 1800 seconds."
  }
}

variable "tags" {
  description = "Tags for every resource, beside its Name."
  type        = map(string)
  default     = {}
  nullable    = false
}
