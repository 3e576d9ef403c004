mock_provider "aws" {}

variables {
  project      = "habitcraft"
  environment  = "production"
  region       = "us-west-2"
  repositories = ["habitcraft-backend", "habitcraft-frontend"]
}

run "outputs_are_keyed_by_name" {
  command = apply

  assert {
    condition     = toset(keys(output.repository_urls)) == toset(var.repositories) && toset(keys(output.repository_arns)) == toset(var.repositories)
    error_message = "Both outputs name every repository."
  }
}

run "images_cannot_be_overwritten" {
  command = apply

  module {
    source = "../../../modules/registry"
  }

  variables {
    repositories = ["habitcraft-backend"]
    keep_images  = 5
    tags         = { Project = "habitcraft" }
  }

  assert {
    condition     = aws_ecr_repository.this["habitcraft-backend"].image_tag_mutability == "IMMUTABLE"
    error_message = "A tag that has been pushed stays what it is."
  }

  assert {
    condition     = aws_ecr_repository.this["habitcraft-backend"].image_scanning_configuration[0].scan_on_push
    error_message = "Every image is scanned when it is pushed."
  }

  assert {
    condition     = coalesce(aws_ecr_repository.this["habitcraft-backend"].force_delete, false) == false
    error_message = "A repository that still holds images is not deleted."
  }

  assert {
    condition     = jsondecode(aws_ecr_lifecycle_policy.this["habitcraft-backend"].policy).rules[0].selection.countNumber == 5
    error_message = "The newest keep_images images stay."
  }

  assert {
    condition     = aws_ecr_repository.this["habitcraft-backend"].tags == tomap({ Project = "habitcraft", Name = "habitcraft-backend" })
    error_message = "Every resource carries the given tags and its Name."
  }
}

run "refuses_no_repository" {
  command = plan

  variables {
    repositories = []
  }

  expect_failures = [var.repositories]
}

run "refuses_to_keep_one_image_only" {
  command = plan

  variables {
    keep_images = 1
  }

  expect_failures = [var.keep_images]
}
