variable "name" {
  description = "Name of the load balancer, and the beginning of its target groups' names."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{0,30}[a-z0-9]$", var.name)) && !startswith(var.name, "internal-")
    error_message = "The name has 2 to 32 lower-case letters, digits and inner dashes, and does not begin with internal-."
  }
}

variable "vpc_id" {
  description = "Id of the VPC that holds the targets."
  type        = string
  nullable    = false
}

variable "subnet_ids" {
  description = "Ids of public subnets in at least two availability zones."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(distinct(var.subnet_ids)) >= 2
    error_message = "A load balancer needs subnets in at least two availability zones."
  }
}

variable "security_group_id" {
  description = "Id of the load balancer's security group."
  type        = string
  nullable    = false
}

variable "certificate_arn" {
  description = "ARN of the issued certificate for HTTPS."
  type        = string
  nullable    = false
}

variable "deletion_protection" {
  description = "Whether AWS refuses to delete the load balancer."
  type        = bool
  nullable    = false
}

variable "services" {
  description = "Services by key: host name that leads to it, TCP port, path of the health check, and the listener rule's priority (1 to 50000, each once)."
  type = map(object({
    hostname          = string
    port              = number
    health_check_path = string
    priority          = number
  }))
  nullable = false

  validation {
    condition     = alltrue([for service in var.services : startswith(service.health_check_path, "/")])
    error_message = "Each health check path must begin with a slash."
  }

  validation {
    condition     = alltrue([for service in var.services : service.port >= 1 && service.port <= 65535])
    error_message = "Each port must be from 1 to 65535."
  }

  validation {
    condition     = length(distinct([for service in var.services : service.hostname])) == length(var.services)
    error_message = "Each service needs a host name of its own."
  }

  validation {
    condition     = length(distinct([for service in var.services : service.priority])) == length(var.services)
    error_message = "Each service needs a rule priority of its own."
  }

  validation {
    condition     = alltrue([for key in keys(var.services) : length("${var.name}-${key}") <= 32])
    error_message = "The load balancer's name, a dash and a service's key together may have 32 characters: shorten project or environment."
  }
}

variable "tags" {
  description = "Tags for every resource, beside its Name."
  type        = map(string)
  default     = {}
  nullable    = false
}
