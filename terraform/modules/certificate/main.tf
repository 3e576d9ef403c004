data "aws_route53_zone" "this" {
  zone_id = var.hosted_zone_id
}

resource "aws_acm_certificate" "this" {
  domain_name               = var.domain
  subject_alternative_names = ["*.${var.domain}"]
  validation_method         = "DNS"

  tags = merge(var.tags, { Name = var.domain })

  lifecycle {
    create_before_destroy = true

    precondition {
      condition     = endswith(".${var.domain}", ".${trimsuffix(data.aws_route53_zone.this.name, ".")}")
      error_message = "The hosted zone must be the domain itself or a parent of it."
    }
  }
}

# The domain and its wildcard are proven by one and the same record. A record that is there already belongs to another
# certificate's renewal, so it is never overwritten: import it instead.
locals {
  proof = one([
    for option in aws_acm_certificate.this.domain_validation_options :
    option if option.domain_name == var.domain
  ])
}

resource "aws_route53_record" "validation" {
  zone_id         = var.hosted_zone_id
  name            = local.proof.resource_record_name
  type            = local.proof.resource_record_type
  ttl             = 60
  records         = [local.proof.resource_record_value]
  allow_overwrite = false
}

resource "aws_acm_certificate_validation" "this" {
  certificate_arn = aws_acm_certificate.this.arn

  timeouts {
    create = "${var.validation_timeout_minutes}m"
  }

  depends_on = [aws_route53_record.validation]
}
