variable "secrets" {
  description = "Purpose of each secret, by name."
  type        = map(string)
  nullable    = false

  validation {
    condition     = alltrue([for name in keys(var.secrets) : can(regex("^[A-Za-z0-9/_+=.@-]{1,512}$", name)) && !can(regex("-.{6}$", name))])
    error_message = "A name has up to 512 letters, digits and /_+=.@-, and no dash before its last six characters: AWS adds such an ending itself."
  }
}

variable "recovery_window_days" {
  description = "Days during which a deleted secret can be restored: 7 to 30, or 0 to delete it at once."
  type        = number
  nullable    = false

  validation {
    condition     = var.recovery_window_days == 0 || (var.recovery_window_days >= 7 && var.recovery_window_days <= 30)
    error_message = "The window must be 0, or from 7 to 30 days."
  }
}

variable "tags" {
  description = "Tags for every resource, beside its Name."
  type        = map(string)
  default     = {}
  nullable    = false
}
