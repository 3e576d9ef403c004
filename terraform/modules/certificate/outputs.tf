output "certificate_arn" {
  description = "ARN of the certificate, known only once it has been issued."
  value       = aws_acm_certificate_validation.this.certificate_arn
}
