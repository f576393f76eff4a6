output "output" {
  description = "What `mapmerge run --output` is to be given."
  value       = "s3://${aws_s3_bucket.outputs.id}/${var.prefix}"
}

output "policy_arn" {
  description = "The policy for the role of the machines or pods that drive runs."
  value       = aws_iam_policy.runs.arn
}
