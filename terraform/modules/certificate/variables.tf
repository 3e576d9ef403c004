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

variable "validation_timeout_minutes" {
  description = "Minutes to wait for the certificate to be issued."
  type        = number
  default     = 45
  nullable    = false

  validation {
    condition     = var.validation_timeout_minutes >= 1 && var.validation_timeout_minutes <= 180
    error_message = "Wait between 1 and 180 minutes."
  }
}

variable "tags" {
  description = "Tags for every resource, beside its Name."
  type        = map(string)
  default     = {}
  nullable    = false
}
