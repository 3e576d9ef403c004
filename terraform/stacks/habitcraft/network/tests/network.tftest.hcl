mock_provider "aws" {}

variables {
  project            = "habitcraft"
  environment        = "production"
  region             = "us-west-2"
  vpc_cidr           = "10.0.0.0/16"
  availability_zones = ["us-west-2a", "us-west-2b"]
}

run "plans_with_the_least_that_must_be_chosen" {
  command = plan

  assert {
    condition     = length(output.public_subnet_ids) == 2 && length(output.private_subnet_ids) == 2
    error_message = "Each zone needs one public and one private subnet."
  }
}

run "zones_keep_their_subnets_in_any_order" {
  command = plan

  module {
    source = "../../../modules/network"
  }

  variables {
    name               = "habitcraft-production"
    cidr               = "10.0.0.0/16"
    availability_zones = ["us-west-2c", "us-west-2a"]
    tags               = { Project = "habitcraft" }
  }

  assert {
    condition     = aws_subnet.public["us-west-2a"].cidr_block == "10.0.0.0/20" && aws_subnet.public["us-west-2c"].cidr_block == "10.0.32.0/20"
    error_message = "A public subnet's block follows its zone's letter, not its place in the list."
  }

  assert {
    condition     = aws_subnet.private["us-west-2a"].cidr_block == "10.0.128.0/20"
    error_message = "Private subnets lie in the upper half of the block."
  }

  assert {
    condition     = aws_route.internet.destination_cidr_block == "0.0.0.0/0" && length(aws_route_table_association.private) == 2
    error_message = "Only the public table has a way out; private subnets are bound to their own."
  }

  assert {
    condition     = aws_subnet.private["us-west-2a"].tags == tomap({ Project = "habitcraft", Name = "habitcraft-production-private-us-west-2a", Tier = "private" })
    error_message = "Every resource carries the given tags and its Name."
  }

  assert {
    condition     = !aws_subnet.public["us-west-2a"].map_public_ip_on_launch
    error_message = "Only the service's own template gives an instance a public address."
  }
}

run "groups_let_in_only_the_load_balancer" {
  command = apply

  module {
    source = "../../../modules/security_groups"
  }

  variables {
    name          = "habitcraft-production"
    vpc_id        = "vpc-0a"
    backend_port  = 3000
    frontend_port = 3100
  }

  assert {
    condition     = length(aws_vpc_security_group_ingress_rule.service_ssh) == 0
    error_message = "Without an operator network there is no SSH rule."
  }

  assert {
    condition = alltrue([
      for rule in aws_vpc_security_group_ingress_rule.service_from_alb :
      rule.cidr_ipv4 == null && rule.referenced_security_group_id == aws_security_group.this["alb"].id
    ])
    error_message = "Instances are reached from the load balancer's group only."
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.service_from_alb["backend"].from_port == 3000 && aws_vpc_security_group_ingress_rule.service_from_alb["frontend"].to_port == 3100
    error_message = "Each service opens its own port."
  }

  assert {
    condition     = toset([for rule in aws_vpc_security_group_ingress_rule.alb : rule.from_port]) == toset([80, 443])
    error_message = "The load balancer is open on 80 and 443 only."
  }

  assert {
    condition     = alltrue([for rule in aws_vpc_security_group_egress_rule.alb_to_service : rule.cidr_ipv4 == null])
    error_message = "The load balancer reaches nothing but the services."
  }

  assert {
    condition = (
      aws_vpc_security_group_ingress_rule.database_from_backend.referenced_security_group_id == aws_security_group.this["backend"].id
      && aws_vpc_security_group_ingress_rule.database_from_backend.from_port == 5432
      && aws_vpc_security_group_ingress_rule.database_from_backend.cidr_ipv4 == null
    )
    error_message = "The database is reached from the backend's group only."
  }
}

run "ssh_from_operator_networks" {
  command = plan

  module {
    source = "../../../modules/security_groups"
  }

  variables {
    name              = "habitcraft-production"
    vpc_id            = "vpc-0a"
    backend_port      = 3000
    frontend_port     = 3100
    ssh_allowed_cidrs = ["203.0.113.0/24"]
  }

  assert {
    condition     = toset(keys(aws_vpc_security_group_ingress_rule.service_ssh)) == toset(["backend 203.0.113.0/24", "frontend 203.0.113.0/24"])
    error_message = "One SSH rule a service and network, keyed by both."
  }
}

run "refuses_ssh_from_the_whole_internet" {
  command = plan

  variables {
    ssh_allowed_cidrs = ["0.0.0.0/0"]
  }

  expect_failures = [var.ssh_allowed_cidrs]
}

run "refuses_a_block_too_small" {
  command = plan

  variables {
    vpc_cidr = "10.0.0.0/24"
  }

  expect_failures = [var.vpc_cidr]
}

run "refuses_a_zone_of_another_region" {
  command = plan

  variables {
    availability_zones = ["us-west-2a", "us-east-1a"]
  }

  expect_failures = [var.availability_zones]
}

run "refuses_a_single_zone" {
  command = plan

  variables {
    availability_zones = ["us-west-2a"]
  }

  expect_failures = [var.availability_zones]
}

run "refuses_a_privileged_port" {
  command = plan

  variables {
    backend_port = 80
  }

  expect_failures = [var.backend_port]
}

run "refuses_names_that_no_target_group_can_carry" {
  command = plan

  variables {
    environment = "production-europe"
  }

  expect_failures = [var.environment]
}

run "refuses_tags_that_the_stack_sets" {
  command = plan

  variables {
    tags = { ManagedBy = "hand" }
  }

  expect_failures = [var.tags]
}
