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

variable "domain" {
  description = "Domain of the certificate; the wildcard one level below it is covered too."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z]{2,63}$", var.domain))
    error_message = "The domain must be a lower-case DNS name without a trailing dot, such as example.com."
  }
}

variable "hosted_zone_id" {
  description = "Id of the public Route 53 zone that answers for the domain."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Z0-9]{5,32}$", var.hosted_zone_id))
    error_message = "A hosted zone id has 5 to 32 capital letters and digits, without /hostedzone/."
  }
}
