mock_provider "aws" {}

variables {
  project              = "habitcraft"
  environment          = "production"
  region               = "us-west-2"
  recovery_window_days = 7
}

run "outputs_both_secrets" {
  command = apply

  assert {
    condition     = output.database_secret_arn != output.application_secret_arn
    error_message = "Each secret has an ARN of its own."
  }
}

run "makes_containers_without_values" {
  command = plan

  module {
    source = "../../../modules/secret"
  }

  variables {
    secrets = { "habitcraft/production/backend/database" = "Purpose" }
    tags    = { Project = "habitcraft" }
  }

  assert {
    condition     = aws_secretsmanager_secret.this["habitcraft/production/backend/database"].recovery_window_in_days == 7
    error_message = "A deleted secret can be restored."
  }

  assert {
    condition     = aws_secretsmanager_secret.this["habitcraft/production/backend/database"].tags == tomap({ Project = "habitcraft", Name = "habitcraft/production/backend/database" })
    error_message = "Every resource carries the given tags and its Name."
  }
}

run "refuses_a_window_that_aws_does_not_know" {
  command = plan

  variables {
    recovery_window_days = 3
  }

  expect_failures = [var.recovery_window_days]
}

run "refuses_a_name_that_looks_like_an_arn_ending" {
  command = plan

  module {
    source = "../../../modules/secret"
  }

  variables {
    secrets = { "habitcraft-abc123" = "Purpose" }
  }

  expect_failures = [var.secrets]
}
