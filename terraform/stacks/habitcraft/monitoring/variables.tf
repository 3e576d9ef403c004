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

variable "load_balancer_arn_suffix" {
  description = "Name of the load balancer in CloudWatch: app/name/id."
  type        = string
  nullable    = false

  validation {
    condition     = startswith(var.load_balancer_arn_suffix, "app/")
    error_message = "The suffix must look like app/name/id."
  }
}

variable "target_group_arn_suffixes" {
  description = "Name of each target group in CloudWatch, by service: targetgroup/name/id."
  type        = map(string)
  nullable    = false

  validation {
    condition     = length(var.target_group_arn_suffixes) > 0 && alltrue([for suffix in values(var.target_group_arn_suffixes) : startswith(suffix, "targetgroup/")])
    error_message = "Each suffix must look like targetgroup/name/id."
  }
}

variable "autoscaling_group_names" {
  description = "Name of each Auto Scaling group, by service."
  type        = map(string)
  nullable    = false

  validation {
    condition     = length(var.autoscaling_group_names) > 0
    error_message = "Name at least one Auto Scaling group."
  }
}

variable "database_instance_identifier" {
  description = "Identifier of the database instance."
  type        = string
  nullable    = false
}

variable "alert_email" {
  description = "Address that alarms are sent to once it has confirmed the subscription; null makes no subscription."
  type        = string
  default     = null

  validation {
    condition     = var.alert_email == null || can(regex("^[^@[:space:]]+@[^@[:space:]]+\\.[^@[:space:]]+$", var.alert_email))
    error_message = "The address must look like someone@example.com."
  }
}

variable "cpu_percent_threshold" {
  description = "CPU in percent above which instances and database raise an alarm."
  type        = number
  default     = 80
  nullable    = false

  validation {
    condition     = var.cpu_percent_threshold > 0 && var.cpu_percent_threshold <= 100
    error_message = "The threshold must be above 0 and at most 100 percent."
  }
}

variable "error_count_threshold" {
  description = "Answers with 5xx within five minutes above which an alarm is raised."
  type        = number
  default     = 10
  nullable    = false

  validation {
    condition     = var.error_count_threshold >= 0
    error_message = "The threshold must be 0 or more."
  }
}

variable "latency_p99_seconds_threshold" {
  description = "99th percentile of the answer time, in seconds, above which an alarm is raised."
  type        = number
  default     = 2
  nullable    = false

  validation {
    condition     = var.latency_p99_seconds_threshold > 0
    error_message = "The threshold must be above 0 seconds."
  }
}

variable "database_free_storage_gib_threshold" {
  description = "Free storage of the database, in GiB, below which an alarm is raised."
  type        = number
  default     = 4
  nullable    = false

  validation {
    condition     = var.database_free_storage_gib_threshold > 0
    error_message = "The threshold must be above 0 GiB."
  }
}

variable "database_connections_threshold" {
  description = "Connections to the database above which an alarm is raised."
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition     = var.database_connections_threshold > 0
    error_message = "The threshold must be above 0."
  }
}
