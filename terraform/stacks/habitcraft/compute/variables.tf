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

variable "public_subnet_ids" {
  description = "Ids of the public subnets, in at least two availability zones."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(distinct(var.public_subnet_ids)) >= 2 && alltrue([for id in var.public_subnet_ids : can(regex("^subnet-[0-9a-f]+$", id))])
    error_message = "Name at least two subnets, each as subnet- and its id."
  }
}

variable "backend_security_group_id" {
  description = "Id of the backend instances' security group."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^sg-[0-9a-f]+$", var.backend_security_group_id))
    error_message = "The id must begin with sg-."
  }
}

variable "frontend_security_group_id" {
  description = "Id of the frontend instances' security group."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^sg-[0-9a-f]+$", var.frontend_security_group_id))
    error_message = "The id must begin with sg-."
  }
}

variable "target_group_arns" {
  description = "ARN of each target group: backend and frontend."
  type        = map(string)
  nullable    = false

  validation {
    condition     = toset(keys(var.target_group_arns)) == toset(["backend", "frontend"])
    error_message = "Give exactly two target groups: backend and frontend."
  }
}

variable "repository_arns" {
  description = "ARN of each image repository, by name; each service may pull from its own only."
  type        = map(string)
  nullable    = false
}

variable "backend_image" {
  description = "Image of the backend by digest: registry/repository@sha256:..., never by tag."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+@sha256:[0-9a-f]{64}$", var.backend_image)) && contains(keys(var.repository_arns), try(regex("^[^/]+/([^@]+)@", var.backend_image)[0], ""))
    error_message = "The image must be pinned by its digest, registry/repository@sha256: and 64 hexadecimal digits, and its repository must be one of repository_arns."
  }
}

variable "frontend_image" {
  description = "Image of the frontend by digest: registry/repository@sha256:..., never by tag."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+@sha256:[0-9a-f]{64}$", var.frontend_image)) && contains(keys(var.repository_arns), try(regex("^[^/]+/([^@]+)@", var.frontend_image)[0], ""))
    error_message = "The image must be pinned by its digest, registry/repository@sha256: and 64 hexadecimal digits, and its repository must be one of repository_arns."
  }
}

variable "database_secret_arn" {
  description = "ARN of the secret for the backend's database access."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:secretsmanager:", var.database_secret_arn))
    error_message = "The ARN must be that of a Secrets Manager secret."
  }
}

variable "application_secret_arn" {
  description = "ARN of the secret for the backend's own keys."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:secretsmanager:", var.application_secret_arn))
    error_message = "The ARN must be that of a Secrets Manager secret."
  }
}

variable "backend_instance_type" {
  description = "Type of the backend instances, x86_64 only, such as t3.small."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]+[0-9]+[a-z-]*\\.[a-z0-9]+$", var.backend_instance_type)) && !can(regex("^[a-z]+[0-9]+[a-z]*g[a-z]*\\.", var.backend_instance_type))
    error_message = "The type must be an x86_64 one such as t3.small, not a Graviton one such as t4g.small."
  }
}

variable "frontend_instance_type" {
  description = "Type of the frontend instances, x86_64 only, such as t3.small."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]+[0-9]+[a-z-]*\\.[a-z0-9]+$", var.frontend_instance_type)) && !can(regex("^[a-z]+[0-9]+[a-z]*g[a-z]*\\.", var.frontend_instance_type))
    error_message = "The type must be an x86_64 one such as t3.small, not a Graviton one such as t4g.small."
  }
}

variable "www_hostname" {
  description = "Host name of the frontend."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z]{2,63}$", var.www_hostname))
    error_message = "The host name must be lower-case, without a trailing dot, such as api.example.com."
  }
}

variable "api_hostname" {
  description = "Host name of the backend."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z]{2,63}$", var.api_hostname))
    error_message = "The host name must be lower-case, without a trailing dot, such as api.example.com."
  }
}

variable "backend_port" {
  description = "TCP port of the backend's container."
  type        = number
  default     = 3000
  nullable    = false

  validation {
    condition     = var.backend_port >= 1024 && var.backend_port <= 65535 && floor(var.backend_port) == var.backend_port
    error_message = "The port must be a whole number from 1024 to 65535."
  }
}

variable "frontend_port" {
  description = "TCP port of the frontend's container."
  type        = number
  default     = 3100
  nullable    = false

  validation {
    condition     = var.frontend_port >= 1024 && var.frontend_port <= 65535 && floor(var.frontend_port) == var.frontend_port
    error_message = "The port must be a whole number from 1024 to 65535."
  }
}

variable "backend_min_size" {
  description = "Fewest backend instances."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.backend_min_size >= 0 && var.backend_min_size <= var.backend_max_size
    error_message = "The fewest instances must be from 0 to the most."
  }
}

variable "backend_desired_capacity" {
  description = "Wanted backend instances."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.backend_desired_capacity >= var.backend_min_size && var.backend_desired_capacity <= var.backend_max_size
    error_message = "The wanted number must be from the fewest to the most."
  }
}

variable "backend_max_size" {
  description = "Most backend instances; leave room for one more during a roll-out."
  type        = number
  default     = 2
  nullable    = false

  validation {
    condition     = var.backend_max_size >= 1
    error_message = "The most instances must be 1 or more."
  }
}

variable "frontend_min_size" {
  description = "Fewest frontend instances."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.frontend_min_size >= 0 && var.frontend_min_size <= var.frontend_max_size
    error_message = "The fewest instances must be from 0 to the most."
  }
}

variable "frontend_desired_capacity" {
  description = "Wanted frontend instances."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.frontend_desired_capacity >= var.frontend_min_size && var.frontend_desired_capacity <= var.frontend_max_size
    error_message = "The wanted number must be from the fewest to the most."
  }
}

variable "frontend_max_size" {
  description = "Most frontend instances; leave room for one more during a roll-out."
  type        = number
  default     = 2
  nullable    = false

  validation {
    condition     = var.frontend_max_size >= 1
    error_message = "The most instances must be 1 or more."
  }
}
