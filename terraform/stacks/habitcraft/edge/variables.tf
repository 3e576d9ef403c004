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

variable "vpc_id" {
  description = "Id of the VPC that holds the targets."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^vpc-[0-9a-f]+$", var.vpc_id))
    error_message = "The id must begin with vpc-."
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

variable "alb_security_group_id" {
  description = "Id of the load balancer's security group."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^sg-[0-9a-f]+$", var.alb_security_group_id))
    error_message = "The id must begin with sg-."
  }
}

variable "certificate_arn" {
  description = "ARN of the issued certificate for both host names."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:acm:", var.certificate_arn))
    error_message = "The ARN must be that of an ACM certificate."
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

variable "www_hostname" {
  description = "Host name of the frontend."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z]{2,63}$", var.www_hostname))
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

variable "backend_health_check_path" {
  description = "Path that answers 200 while the backend is healthy."
  type        = string
  default     = "/health"
  nullable    = false

  validation {
    condition     = startswith(var.backend_health_check_path, "/")
    error_message = "The path must begin with a slash."
  }
}

variable "frontend_health_check_path" {
  description = "Path that answers 200 while the frontend is healthy."
  type        = string
  default     = "/"
  nullable    = false

  validation {
    condition     = startswith(var.frontend_health_check_path, "/")
    error_message = "The path must begin with a slash."
  }
}

variable "deletion_protection" {
  description = "Whether AWS refuses to delete the load balancer; switch it off by an apply of its own before a destroy."
  type        = bool
  nullable    = false
}
