variable "repositories" {
  description = "Names of the repositories."
  type        = set(string)
  nullable    = false

  validation {
    condition     = length(var.repositories) > 0
    error_message = "Name at least one repository."
  }

  validation {
    condition     = alltrue([for name in var.repositories : can(regex("^[a-z0-9]+([._/-][a-z0-9]+)*$", name)) && length(name) >= 2 && length(name) <= 256])
    error_message = "A repository name has 2 to 256 characters: lower-case letters and digits, joined by single dots, dashes, underscores or slashes."
  }
}

variable "keep_images" {
  description = "How many images each repository keeps; older ones expire, so leave room for every version one may go back to."
  type        = number
  nullable    = false

  validation {
    condition     = var.keep_images >= 2 && var.keep_images <= 1000 && floor(var.keep_images) == var.keep_images
    error_message = "Keep a whole number of images from 2 to 1000."
  }
}

variable "tags" {
  description = "Tags for every resource, beside its Name."
  type        = map(string)
  default     = {}
  nullable    = false
}
