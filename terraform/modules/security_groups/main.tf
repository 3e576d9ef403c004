locals {
  groups = {
    alb      = "Load balancer: open to the internet on 80 and 443"
    backend  = "Backend instances: reached from the load balancer only"
    frontend = "Frontend instances: reached from the load balancer only"
    database = "Database: reached from the backend instances only"
  }

  service_ports = {
    backend  = var.backend_port
    frontend = var.frontend_port
  }

  ssh_rules = {
    for pair in setproduct(keys(local.service_ports), var.ssh_allowed_cidrs) :
    "${pair[0]} ${pair[1]}" => { service = pair[0], cidr = pair[1] }
  }

  anywhere      = "0.0.0.0/0"
  database_port = 5432
}

resource "aws_security_group" "this" {
  for_each = local.groups

  name        = "${var.name}-${each.key}"
  description = each.value
  vpc_id      = var.vpc_id

  tags = merge(var.tags, { Name = "${var.name}-${each.key}" })
}

resource "aws_vpc_security_group_ingress_rule" "alb" {
  for_each = { http = 80, https = 443 }

  security_group_id = aws_security_group.this["alb"].id
  description       = "${upper(each.key)} from the internet"
  cidr_ipv4         = local.anywhere
  ip_protocol       = "tcp"
  from_port         = each.value
  to_port           = each.value

  tags = merge(var.tags, { Name = "${var.name}-alb-${each.key}" })
}

resource "aws_vpc_security_group_egress_rule" "alb_to_service" {
  for_each = local.service_ports

  security_group_id            = aws_security_group.this["alb"].id
  referenced_security_group_id = aws_security_group.this[each.key].id
  ip_protocol                  = "tcp"
  from_port                    = each.value
  to_port                      = each.value

  tags = merge(var.tags, { Name = "${var.name}-alb-to-${each.key}" })
}

resource "aws_vpc_security_group_ingress_rule" "service_from_alb" {
  for_each = local.service_ports

  security_group_id            = aws_security_group.this[each.key].id
  referenced_security_group_id = aws_security_group.this["alb"].id
  ip_protocol                  = "tcp"
  from_port                    = each.value
  to_port                      = each.value

  tags = merge(var.tags, { Name = "${var.name}-${each.key}-from-alb" })
}

resource "aws_vpc_security_group_ingress_rule" "service_ssh" {
  for_each = local.ssh_rules

  security_group_id = aws_security_group.this[each.value.service].id
  description       = "SSH from an operator network"
  cidr_ipv4         = each.value.cidr
  ip_protocol       = "tcp"
  from_port         = 22
  to_port           = 22

  tags = merge(var.tags, { Name = "${var.name}-${each.value.service}-ssh" })
}

# Packages, image layers, Secrets Manager and Systems Manager all speak HTTPS.
resource "aws_vpc_security_group_egress_rule" "service_https" {
  for_each = local.service_ports

  security_group_id = aws_security_group.this[each.key].id
  description       = "HTTPS to AWS and package repositories"
  cidr_ipv4         = local.anywhere
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443

  tags = merge(var.tags, { Name = "${var.name}-${each.key}-https" })
}

resource "aws_vpc_security_group_egress_rule" "backend_to_database" {
  security_group_id            = aws_security_group.this["backend"].id
  referenced_security_group_id = aws_security_group.this["database"].id
  ip_protocol                  = "tcp"
  from_port                    = local.database_port
  to_port                      = local.database_port

  tags = merge(var.tags, { Name = "${var.name}-backend-to-database" })
}

resource "aws_vpc_security_group_ingress_rule" "database_from_backend" {
  security_group_id            = aws_security_group.this["database"].id
  referenced_security_group_id = aws_security_group.this["backend"].id
  ip_protocol                  = "tcp"
  from_port                    = local.database_port
  to_port                      = local.database_port

  tags = merge(var.tags, { Name = "${var.name}-database-from-backend" })
}
