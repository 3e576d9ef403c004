mock_provider "aws" {
  mock_data "aws_route53_zone" {
    defaults = { name = "example.com." }
  }

  mock_resource "aws_acm_certificate" {
    defaults = {
      arn = "arn:aws:acm:us-west-2:111122223333:certificate/0a"
      domain_validation_options = [
        { domain_name = "*.example.com", resource_record_name = "_a.example.com.", resource_record_type = "CNAME", resource_record_value = "_b.example.net." },
        { domain_name = "example.com", resource_record_name = "_a.example.com.", resource_record_type = "CNAME", resource_record_value = "_b.example.net." },
      ]
    }
  }
}

variables {
  project        = "habitcraft"
  environment    = "production"
  region         = "us-west-2"
  domain         = "example.com"
  hosted_zone_id = "Z0123456789ABC"
}

run "accepts_the_zone_of_a_parent" {
  command = plan

  module {
    source = "../../../modules/certificate"
  }

  variables {
    domain = "app.example.com"
  }

  assert {
    condition     = aws_acm_certificate.this.subject_alternative_names == toset(["*.app.example.com"])
    error_message = "A zone may hold the names below it."
  }
}

run "refuses_the_zone_of_another_domain" {
  command = plan

  module {
    source = "../../../modules/certificate"
  }

  variables {
    domain = "notexample.com"
  }

  expect_failures = [aws_acm_certificate.this]
}

run "refuses_a_trailing_dot" {
  command = plan

  variables {
    domain = "example.com."
  }

  expect_failures = [var.domain]
}

run "refuses_a_zone_path" {
  command = plan

  variables {
    hosted_zone_id = "/hostedzone/Z0123456789ABC"
  }

  expect_failures = [var.hosted_zone_id]
}

run "covers_domain_and_wildcard_by_one_record" {
  command = apply

  module {
    source = "../../../modules/certificate"
  }

  variables {
    tags = { Project = "habitcraft" }
  }

  assert {
    condition     = aws_acm_certificate.this.domain_name == "example.com" && aws_acm_certificate.this.subject_alternative_names == toset(["*.example.com"])
    error_message = "The certificate covers the domain and everything one level below."
  }

  assert {
    condition     = aws_route53_record.validation.name == "_a.example.com." && aws_route53_record.validation.records == toset(["_b.example.net."])
    error_message = "The record proves the domain."
  }

  assert {
    condition     = !aws_route53_record.validation.allow_overwrite
    error_message = "A record that is there already is not ours to change."
  }

  assert {
    condition     = aws_acm_certificate.this.tags == tomap({ Project = "habitcraft", Name = "example.com" })
    error_message = "Every resource carries the given tags and its Name."
  }
}
