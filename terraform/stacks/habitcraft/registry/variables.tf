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

variable "repositories" {
  description = "Names of the image repositories."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.repositories) > 0 && length(distinct(var.repositories)) == length(var.repositories)
    error_message = "Name at least one repository, each once."
  }
}

variable "keep_images" {
  description = "How many images each repository keeps; older ones expire."
  type        = number
  default     = 10
  nullable    = false

  validation {
    condition     = var.keep_images >= 2 && var.keep_images <= 1000 && floor(var.keep_images) == var.keep_images
    error_message = "Keep a whole number of images from 2 to 1000."
  }
}
