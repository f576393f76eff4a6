# The bucket for outputs, and the rights that runs need on it.

provider "aws" {
  default_tags {
    tags = merge({ project = "mapmerge" }, var.tags)
  }
}

resource "aws_s3_bucket" "outputs" {
  bucket = var.bucket

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_ownership_controls" "outputs" {
  bucket = aws_s3_bucket.outputs.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "outputs" {
  bucket                  = aws_s3_bucket.outputs.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_versioning" "outputs" {
  bucket = aws_s3_bucket.outputs.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "outputs" {
  bucket = aws_s3_bucket.outputs.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

# No object ends by its age: an old evaluation may be what a new run rests on. `mapmerge prune` knows which are needed;
# what it removes stays as a noncurrent version for a while.
resource "aws_s3_bucket_lifecycle_configuration" "outputs" {
  bucket     = aws_s3_bucket.outputs.id
  depends_on = [aws_s3_bucket_versioning.outputs]

  rule {
    id     = "removed-by-prune"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = var.noncurrent_days
    }

    expiration {
      expired_object_delete_marker = true
    }
  }

  rule {
    id     = "uploads-of-runs-that-died"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }
}

data "aws_iam_policy_document" "encrypted_connections" {
  statement {
    sid       = "EncryptedConnectionsOnly"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.outputs.arn, "${aws_s3_bucket.outputs.arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_s3_bucket_policy" "outputs" {
  bucket     = aws_s3_bucket.outputs.id
  policy     = data.aws_iam_policy_document.encrypted_connections.json
  depends_on = [aws_s3_bucket_public_access_block.outputs]
}

data "aws_iam_policy_document" "runs" {
  statement {
    sid       = "List"
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.outputs.arn]

    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = [var.prefix, "${var.prefix}/*"]
    }
  }

  statement {
    sid       = "ReadWriteDelete"
    actions   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
    resources = ["${aws_s3_bucket.outputs.arn}/${var.prefix}/*"]
  }
}

resource "aws_iam_policy" "runs" {
  name_prefix = "mapmerge-runs-"
  description = "List, read, write and delete below one folder of the bucket for outputs."
  policy      = data.aws_iam_policy_document.runs.json
}
