locals {
  engine_major = split(".", var.engine_version)[0]
  log_types    = toset(["postgresql", "upgrade"])

  # From 15 on the engine refuses unencrypted connections by itself.
  parameters = merge(
    tonumber(local.engine_major) < 15 ? { "rds.force_ssl" = "1" } : {},
    var.logical_replication ? { "rds.logical_replication" = "1" } : {},
  )
}

resource "aws_db_subnet_group" "this" {
  name        = var.identifier
  description = "Private subnets of ${var.identifier}"
  subnet_ids  = var.subnet_ids

  tags = merge(var.tags, { Name = var.identifier })
}

# A group of our own even when it is empty: the default group can never be changed, and leaving it needs a restart.
resource "aws_db_parameter_group" "this" {
  name        = "${var.identifier}-postgres${local.engine_major}"
  description = "Parameters of ${var.identifier}"
  family      = "postgres${local.engine_major}"

  dynamic "parameter" {
    for_each = local.parameters

    content {
      name         = parameter.key
      value        = parameter.value
      apply_method = "pending-reboot"
    }
  }

  tags = merge(var.tags, { Name = "${var.identifier}-postgres${local.engine_major}" })

  lifecycle {
    create_before_destroy = true
  }
}

# RDS would make these groups by itself and keep the lines for ever.
resource "aws_cloudwatch_log_group" "this" {
  for_each = local.log_types

  name              = "/aws/rds/instance/${var.identifier}/${each.key}"
  retention_in_days = var.log_retention_days

  tags = merge(var.tags, { Name = "${var.identifier}-${each.key}" })
}

# Remembers when the instance was planned, so that its last snapshot never meets the name of an earlier one.
resource "terraform_data" "planned" {
  input = formatdate("YYYYMMDDhhmmss", plantimestamp())

  lifecycle {
    ignore_changes = [input]
  }
}

resource "aws_db_instance" "this" {
  identifier     = var.identifier
  engine         = "postgres"
  engine_version = var.engine_version
  instance_class = var.instance_class
  multi_az       = var.multi_az

  storage_type          = "gp3"
  storage_encrypted     = true
  allocated_storage     = var.allocated_storage_gib
  max_allocated_storage = var.allocated_storage_gib * 2

  db_name                     = var.database_name
  username                    = var.master_username
  manage_master_user_password = true

  db_subnet_group_name   = aws_db_subnet_group.this.name
  parameter_group_name   = aws_db_parameter_group.this.name
  vpc_security_group_ids = [var.security_group_id]
  publicly_accessible    = false
  port                   = 5432

  backup_retention_period   = var.backup_retention_days
  backup_window             = "09:00-10:00"
  maintenance_window        = "sun:10:30-sun:11:30"
  copy_tags_to_snapshot     = true
  delete_automated_backups  = false
  skip_final_snapshot       = false
  final_snapshot_identifier = "${var.identifier}-final-${terraform_data.planned.output}"
  deletion_protection       = var.deletion_protection

  auto_minor_version_upgrade      = true
  enabled_cloudwatch_logs_exports = sort(local.log_types)

  # A plan is read and approved before it is applied; what was approved holds at once, not in the next window.
  apply_immediately = true

  tags = merge(var.tags, { Name = var.identifier })

  depends_on = [aws_cloudwatch_log_group.this]
}
