variable "name" {
  description = "Beginning of the name of the topic and of every alarm."
  type        = string
  nullable    = false
}

variable "load_balancer_arn_suffix" {
  description = "Name of the load balancer in CloudWatch: app/name/id."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^app/[A-Za-z0-9-]+/[0-9a-zA-Z]+$", var.load_balancer_arn_suffix))
    error_message = "The suffix must look like app/name/id: the end of the load balancer's ARN."
  }
}

variable "target_group_arn_suffixes" {
  description = "Name of each target group in CloudWatch, by service: targetgroup/name/id."
  type        = map(string)
  nullable    = false

  validation {
    condition     = alltrue([for suffix in values(var.target_group_arn_suffixes) : can(regex("^targetgroup/[A-Za-z0-9-]+/[0-9a-zA-Z]+$", suffix))])
    error_message = "Each suffix must look like targetgroup/name/id: the end of the target group's ARN."
  }
}

variable "autoscaling_group_names" {
  description = "Name of each Auto Scaling group, by service."
  type        = map(string)
  nullable    = false
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
  nullable    = false

  validation {
    condition     = var.cpu_percent_threshold > 0 && var.cpu_percent_threshold <= 100
    error_message = "The threshold must be above 0 and at most 100 percent."
  }
}

variable "error_count_threshold" {
  description = "Answers with 5xx within five minutes above which an alarm is raised."
  type        = number
  nullable    = false

  validation {
    condition     = var.error_count_threshold >= 0
    error_message = "The threshold must be 0 or more."
  }
}

variable "latency_p99_seconds_threshold" {
  description = "99th percentile of the answer time, in seconds, above which an alarm is raised."
  type        = number
  nullable    = false

  validation {
    condition     = var.latency_p99_seconds_threshold > 0
    error_message = "The threshold must be above 0 seconds."
  }
}

variable "database_free_storage_gib_threshold" {
  description = "Free storage of the database, in GiB, below which an alarm is raised."
  type        = number
  nullable    = false

  validation {
    condition     = var.database_free_storage_gib_threshold > 0
    error_message = "The threshold must be above 0 GiB."
  }
}

variable "database_connections_threshold" {
  description = "Connections to the database above which an alarm is raised."
  type        = number
  nullable    = false

  validation {
    condition     = var.database_connections_threshold > 0
    error_message = "The threshold must be above 0."
  }
}

variable "tags" {
  description = "Tags for every resource, beside its Name."
  type        = map(string)
  default     = {}
  nullable    = false
}
