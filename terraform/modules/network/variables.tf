variable "name" {
  description = "Name of the VPC, and the beginning of the name of everything in it."
  type        = string
  nullable    = false
}

variable "cidr" {
  description = "IPv4 block of the VPC, /16 to /23: it is cut into sixteen subnets, and a load balancer needs a /27."
  type        = string
  nullable    = false

  validation {
    condition     = can(cidrsubnet(var.cidr, 4, 15)) && can(regex("/(1[6-9]|2[0-3])$", var.cidr))
    error_message = "The block must be an IPv4 CIDR between /16 and /23, such as 10.0.0.0/16."
  }

  validation {
    condition     = try(cidrhost(var.cidr, 0) == split("/", var.cidr)[0], false)
    error_message = "The block must begin at its own network address: 10.0.0.0/16, not 10.0.0.1/16."
  }
}

variable "availability_zones" {
  description = "Availability zones to use; a load balancer and a database subnet group need at least two."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.availability_zones) >= 2 && length(distinct(var.availability_zones)) == length(var.availability_zones)
    error_message = "Name at least two availability zones, each once."
  }

  validation {
    condition     = alltrue([for zone in var.availability_zones : can(regex("^[a-z]{2}(-[a-z]+)+-[0-9][a-f]$", zone))])
    error_message = "Each availability zone must look like us-west-2a."
  }
}

variable "tags" {
  description = "Tags for every resource, beside its Name."
  type        = map(string)
  default     = {}
  nullable    = false
}
