output "certificate_arn" {
  description = "ARN of the certificate, known only once it has been issued."
  value       = module.certificate.certificate_arn
}
