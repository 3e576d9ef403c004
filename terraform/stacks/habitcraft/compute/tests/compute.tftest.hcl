mock_provider "aws" {
  mock_data "aws_ami" {
    defaults = { id = "ami-0a" }
  }

  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }

  mock_resource "aws_iam_instance_profile" {
    defaults = { arn = "arn:aws:iam::111122223333:instance-profile/habitcraft-production" }
  }

  mock_resource "aws_launch_template" {
    defaults = { id = "lt-0a", latest_version = 1 }
  }
}

variables {
  project                    = "habitcraft"
  environment                = "production"
  region                     = "us-west-2"
  public_subnet_ids          = ["subnet-0a", "subnet-0b"]
  backend_security_group_id  = "sg-0b"
  frontend_security_group_id = "sg-0f"

  target_group_arns = {
    backend  = "arn:aws:elasticloadbalancing:us-west-2:111122223333:targetgroup/habitcraft-production-backend/0b"
    frontend = "arn:aws:elasticloadbalancing:us-west-2:111122223333:targetgroup/habitcraft-production-frontend/0f"
  }

  repository_arns = {
    habitcraft-backend  = "arn:aws:ecr:us-west-2:111122223333:repository/habitcraft-backend"
    habitcraft-frontend = "arn:aws:ecr:us-west-2:111122223333:repository/habitcraft-frontend"
  }

  backend_image          = "111122223333.dkr.ecr.us-west-2.amazonaws.com/habitcraft-backend@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
  frontend_image         = "111122223333.dkr.ecr.us-west-2.amazonaws.com/habitcraft-frontend@sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
  database_secret_arn    = "arn:aws:secretsmanager:us-west-2:111122223333:secret:habitcraft/production/backend/database-AbCdEf"
  application_secret_arn = "arn:aws:secretsmanager:us-west-2:111122223333:secret:habitcraft/production/backend/application-AbCdEf"
  backend_instance_type  = "t3.small"
  frontend_instance_type = "t3.micro"
  www_hostname           = "www.example.com"
  api_hostname           = "api.example.com"
}

run "outputs_are_keyed_by_service" {
  command = apply

  assert {
    condition     = output.autoscaling_group_names == { backend = "habitcraft-production-backend", frontend = "habitcraft-production-frontend" }
    error_message = "Each service has a group of its own."
  }
}

run "backend_may_pull_its_image_and_read_its_secrets" {
  command = apply

  module {
    source = "../../../modules/instance_service"
  }

  variables {
    name              = "habitcraft-production-backend"
    service           = "backend"
    image             = "111122223333.dkr.ecr.us-west-2.amazonaws.com/habitcraft-backend@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    port              = 3000
    repository_arn    = "arn:aws:ecr:us-west-2:111122223333:repository/habitcraft-backend"
    instance_type     = "t3.small"
    subnet_ids        = ["subnet-0a", "subnet-0b"]
    security_group_id = "sg-0b"
    target_group_arn  = "arn:aws:elasticloadbalancing:us-west-2:111122223333:targetgroup/habitcraft-production-backend/0b"
    min_size          = 1
    desired_capacity  = 1
    max_size          = 2
    tags              = { Project = "habitcraft", "migrator:run" = "one" }

    secret_arns = {
      DATABASE_SECRET_ARN    = "arn:aws:secretsmanager:us-west-2:111122223333:secret:habitcraft/production/backend/database-AbCdEf"
      APPLICATION_SECRET_ARN = "arn:aws:secretsmanager:us-west-2:111122223333:secret:habitcraft/production/backend/application-AbCdEf"
    }

    environment = {
      DATABASE_SECRET_ARN    = "arn:aws:secretsmanager:us-west-2:111122223333:secret:habitcraft/production/backend/database-AbCdEf"
      APPLICATION_SECRET_ARN = "arn:aws:secretsmanager:us-west-2:111122223333:secret:habitcraft/production/backend/application-AbCdEf"
      FRONTEND_URL           = "https://www.example.com"
    }
  }

  assert {
    condition = [for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement.Resource if statement.Sid == "PullOwnImage"] == [
      ["arn:aws:ecr:us-west-2:111122223333:repository/habitcraft-backend"]
    ]
    error_message = "Images come from the service's own repository only."
  }

  assert {
    condition     = toset(one([for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement.Resource if statement.Sid == "ReadOwnSecrets"])) == toset(values(var.secret_arns))
    error_message = "Exactly the two secrets can be read."
  }

  assert {
    condition = alltrue([
      for statement in jsondecode(aws_iam_role_policy.this.policy).Statement :
      statement.Sid == "SignInToRegistry" ? statement.Action == ["ecr:GetAuthorizationToken"] : !contains(statement.Resource, "*")
    ])
    error_message = "Only signing in to the registry, which knows no resource, is allowed on everything."
  }

  assert {
    condition = alltrue([
      for statement in jsondecode(aws_iam_role_policy.this.policy).Statement :
      alltrue([for action in statement.Action : !strcontains(action, "*")])
    ])
    error_message = "No action is a pattern."
  }

  assert {
    condition     = aws_iam_role_policy_attachment.session_manager.policy_arn == "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
    error_message = "Session Manager is the way in."
  }

  assert {
    condition     = aws_launch_template.this.metadata_options[0].http_tokens == "required" && aws_launch_template.this.metadata_options[0].http_put_response_hop_limit == 1
    error_message = "Credentials need a session token, and are out of the container's reach."
  }

  assert {
    condition     = aws_launch_template.this.block_device_mappings[0].ebs[0].encrypted == "true" && aws_launch_template.this.block_device_mappings[0].ebs[0].volume_type == "gp3"
    error_message = "The root volume is encrypted gp3."
  }

  assert {
    condition     = aws_launch_template.this.tag_specifications[0].tags == tomap({ Name = "habitcraft-production-backend", Service = "backend" })
    error_message = "Tags that differ from run to run must not stand inside the template: they would restart every instance."
  }

  assert {
    condition     = contains([for tag in aws_autoscaling_group.this.tag : tag.value if tag.key == "migrator:run" && tag.propagate_at_launch], "one")
    error_message = "The group hands all tags to its instances."
  }

  assert {
    condition     = aws_autoscaling_group.this.health_check_type == "ELB" && aws_autoscaling_group.this.instance_refresh[0].preferences[0].min_healthy_percentage == 100
    error_message = "The load balancer's view counts, and a roll-out starts before it stops."
  }

  assert {
    condition     = length(aws_launch_template.this.user_data) <= 21848
    error_message = "User data may have 16 KiB before it is encoded."
  }

  assert {
    condition = alltrue([
      for line in [
        "SERVICE=backend",
        "IMAGE=${var.image}",
        "PORT=3000",
        "AWS_REGION=us-west-2",
        "DATABASE_SECRET_ARN=${var.secret_arns.DATABASE_SECRET_ARN}",
        "APPLICATION_SECRET_ARN=${var.secret_arns.APPLICATION_SECRET_ARN}",
        "FRONTEND_URL=https://www.example.com",
      ] : contains(split("\n", base64decode(aws_launch_template.this.user_data)), line)
    ])
    error_message = "The settings file names service, image, port, region, secrets and address, one KEY=value a line."
  }

  assert {
    condition     = strcontains(base64decode(aws_launch_template.this.user_data), "cat > /etc/habitcraft/service.env <<'SERVICE_ENV'\n")
    error_message = "The settings file is written from a quoted here-document."
  }
}

run "frontend_may_read_no_secret" {
  command = apply

  module {
    source = "../../../modules/instance_service"
  }

  variables {
    name              = "habitcraft-production-frontend"
    service           = "frontend"
    image             = "111122223333.dkr.ecr.us-west-2.amazonaws.com/habitcraft-frontend@sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
    port              = 3100
    repository_arn    = "arn:aws:ecr:us-west-2:111122223333:repository/habitcraft-frontend"
    instance_type     = "t3.micro"
    subnet_ids        = ["subnet-0a"]
    security_group_id = "sg-0f"
    target_group_arn  = "arn:aws:elasticloadbalancing:us-west-2:111122223333:targetgroup/habitcraft-production-frontend/0f"
    min_size          = 1
    desired_capacity  = 1
    max_size          = 2
    environment       = { API_URL = "https://api.example.com" }
  }

  assert {
    condition     = !strcontains(aws_iam_role_policy.this.policy, "secretsmanager")
    error_message = "The frontend has no secret to read."
  }

  assert {
    condition     = !strcontains(base64decode(aws_launch_template.this.user_data), "\nDATABASE_SECRET_ARN=")
    error_message = "The frontend's settings name no secret."
  }
}

run "refuses_settings_that_could_carry_a_command" {
  command = plan

  module {
    source = "../../../modules/instance_service"
  }

  variables {
    name              = "habitcraft-production-frontend"
    service           = "frontend"
    image             = "111122223333.dkr.ecr.us-west-2.amazonaws.com/habitcraft-frontend@sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
    port              = 3100
    repository_arn    = "arn:aws:ecr:us-west-2:111122223333:repository/habitcraft-frontend"
    instance_type     = "t3.micro"
    subnet_ids        = ["subnet-0a"]
    security_group_id = "sg-0f"
    target_group_arn  = "arn:aws:elasticloadbalancing:us-west-2:111122223333:targetgroup/habitcraft-production-frontend/0f"
    min_size          = 1
    desired_capacity  = 1
    max_size          = 2
    environment       = { API_URL = "x\nSERVICE_ENV\nreboot" }
  }

  expect_failures = [var.environment]
}

run "refuses_an_image_by_tag" {
  command = plan

  variables {
    backend_image = "111122223333.dkr.ecr.us-west-2.amazonaws.com/habitcraft-backend:latest"
  }

  expect_failures = [var.backend_image]
}

run "refuses_an_image_of_an_unknown_repository" {
  command = plan

  variables {
    frontend_image = "111122223333.dkr.ecr.us-west-2.amazonaws.com/other@sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
  }

  expect_failures = [var.frontend_image]
}

run "refuses_a_capacity_outside_its_bounds" {
  command = plan

  variables {
    backend_desired_capacity = 3
  }

  expect_failures = [var.backend_desired_capacity]
}

run "refuses_a_graviton_type" {
  command = plan

  variables {
    backend_instance_type = "t4g.small"
  }

  expect_failures = [var.backend_instance_type]
}

run "refuses_missing_target_groups" {
  command = plan

  variables {
    target_group_arns = { backend = "arn:aws:elasticloadbalancing:us-west-2:111122223333:targetgroup/habitcraft-production-backend/0b" }
  }

  expect_failures = [var.target_group_arns]
}

run "refuses_something_else_for_a_secret" {
  command = plan

  variables {
    database_secret_arn = "postgresql://user@db.example.com/habitcraft"
  }

  expect_failures = [var.database_secret_arn]
}
