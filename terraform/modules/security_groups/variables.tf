variable "name" {
  description = "Beginning of the name of every group."
  type        = string
  nullable    = false
}

variable "vpc_id" {
  description = "Id of the VPC that holds the groups."
  type        = string
  nullable    = false
}

variable "backend_port" {
  description = "TCP port of the backend's container."
  type        = number
  nullable    = false

  validation {
    condition     = var.backend_port >= 1024 && var.backend_port <= 65535 && floor(var.backend_port) == var.backend_port
    error_message = "The port must be a whole number from 1024 to 65535."
  }
}

variable "frontend_port" {
  description = "TCP port of the frontend's container."
  type        = number
  nullable    = false

  validation {
    condition     = var.frontend_port >= 1024 && var.frontend_port <= 65535 && floor(var.frontend_port) == var.frontend_port
    error_message = "The port must be a whole number from 1024 to 65535."
  }
}

variable "ssh_allowed_cidrs" {
  description = "IPv4 blocks that may reach the instances by SSH; empty makes no SSH rule at all."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for cidr in var.ssh_allowed_cidrs : can(cidrnetmask(cidr))])
    error_message = "Each entry must be an IPv4 CIDR such as 203.0.113.0/24."
  }

  validation {
    condition     = alltrue([for cidr in var.ssh_allowed_cidrs : try(tonumber(split("/", cidr)[1]) >= 16, false)])
    error_message = "SSH may be opened to a /16 at the widest; use Systems Manager for access from anywhere."
  }
}

variable "tags" {
  description = "Tags for every resource, beside its Name."
  type        = map(string)
  default     = {}
  nullable    = false
}
