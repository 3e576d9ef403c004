mock_provider "aws" {
  mock_resource "aws_lb" {
    defaults = { arn = "arn:aws:elasticloadbalancing:us-west-2:111122223333:loadbalancer/app/habitcraft-production/0a" }
  }

  mock_resource "aws_lb_listener" {
    defaults = { arn = "arn:aws:elasticloadbalancing:us-west-2:111122223333:listener/app/habitcraft-production/0a/0b" }
  }

  mock_resource "aws_lb_target_group" {
    defaults = { arn = "arn:aws:elasticloadbalancing:us-west-2:111122223333:targetgroup/habitcraft-production/0c" }
  }
}

variables {
  project               = "habitcraft"
  environment           = "production"
  region                = "us-west-2"
  vpc_id                = "vpc-0a"
  public_subnet_ids     = ["subnet-0a", "subnet-0b"]
  alb_security_group_id = "sg-0a"
  certificate_arn       = "arn:aws:acm:us-west-2:111122223333:certificate/0a"
  api_hostname          = "api.example.com"
  www_hostname          = "www.example.com"
  deletion_protection   = true
}

run "outputs_are_keyed_by_service" {
  command = apply

  assert {
    condition     = toset(keys(output.target_group_arns)) == toset(["backend", "frontend"]) && toset(keys(output.target_group_arn_suffixes)) == toset(["backend", "frontend"])
    error_message = "Both outputs name backend and frontend."
  }
}

run "answers_by_host_over_tls_only" {
  command = apply

  module {
    source = "../../../modules/load_balancer"
  }

  variables {
    name              = "habitcraft-production"
    subnet_ids        = ["subnet-0a", "subnet-0b"]
    security_group_id = "sg-0a"
    tags              = { Project = "habitcraft" }
    services = {
      backend  = { hostname = "api.example.com", port = 3000, health_check_path = "/health", priority = 100 }
      frontend = { hostname = "www.example.com", port = 3100, health_check_path = "/", priority = 200 }
    }
  }

  assert {
    condition     = aws_lb.this.drop_invalid_header_fields && aws_lb.this.enable_deletion_protection && !aws_lb.this.internal
    error_message = "The load balancer is public, protected, and drops malformed headers."
  }

  assert {
    condition     = startswith(aws_lb_listener.https.ssl_policy, "ELBSecurityPolicy-TLS13-")
    error_message = "HTTPS offers TLS 1.3."
  }

  assert {
    condition     = aws_lb_listener.https.default_action[0].type == "fixed-response" && aws_lb_listener.https.default_action[0].fixed_response[0].status_code == "404"
    error_message = "A host that no rule names gets 404."
  }

  assert {
    condition     = aws_lb_listener.http.default_action[0].type == "redirect" && aws_lb_listener.http.default_action[0].redirect[0].port == "443"
    error_message = "Plain HTTP is redirected to HTTPS."
  }

  assert {
    condition = toset(flatten([
      for rule in aws_lb_listener_rule.host : [for condition in rule.condition : [for header in condition.host_header : header.values]]
    ])) == toset(["api.example.com", "www.example.com"])
    error_message = "Each service has a rule for its host name."
  }

  assert {
    condition     = aws_lb_target_group.this["backend"].health_check[0].path == "/health" && aws_lb_target_group.this["backend"].port == 3000
    error_message = "The backend is probed on its own path and port."
  }

  assert {
    condition     = aws_lb_target_group.this["frontend"].tags == tomap({ Project = "habitcraft", Name = "habitcraft-production-frontend" })
    error_message = "Every resource carries the given tags and its Name."
  }
}

run "refuses_two_services_on_one_host" {
  command = plan

  module {
    source = "../../../modules/load_balancer"
  }

  variables {
    name              = "habitcraft-production"
    subnet_ids        = ["subnet-0a", "subnet-0b"]
    security_group_id = "sg-0a"
    services = {
      backend  = { hostname = "www.example.com", port = 3000, health_check_path = "/health", priority = 100 }
      frontend = { hostname = "www.example.com", port = 3100, health_check_path = "/", priority = 200 }
    }
  }

  expect_failures = [var.services]
}

run "refuses_a_single_subnet" {
  command = plan

  variables {
    public_subnet_ids = ["subnet-0a"]
  }

  expect_failures = [var.public_subnet_ids]
}

run "refuses_an_iam_certificate" {
  command = plan

  variables {
    certificate_arn = "arn:aws:iam::111122223333:server-certificate/old"
  }

  expect_failures = [var.certificate_arn]
}

run "refuses_a_url_for_a_host_name" {
  command = plan

  variables {
    api_hostname = "https://api.example.com"
  }

  expect_failures = [var.api_hostname]
}

run "refuses_a_relative_health_check" {
  command = plan

  variables {
    backend_health_check_path = "health"
  }

  expect_failures = [var.backend_health_check_path]
}
