variable "bucket" {
  description = "Name of the bucket for outputs."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.bucket))
    error_message = "A bucket's name has 3 to 63 characters: small letters, digits, dots and hyphens."
  }
}

variable "prefix" {
  description = "Folder that runs may use, without slashes at its ends: --output s3://BUCKET/PREFIX."
  type        = string
  default     = "mapmerge"

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$", var.prefix))
    error_message = "Give letters, digits, '_' and '-', with single slashes in between."
  }
}

variable "noncurrent_days" {
  description = "For how many days what was removed or overwritten can still be had back."
  type        = number
  default     = 30

  validation {
    condition     = var.noncurrent_days >= 1
    error_message = "At least 1 day."
  }
}

variable "tags" {
  description = "Tags of all that is made."
  type        = map(string)
  default     = {}
}
