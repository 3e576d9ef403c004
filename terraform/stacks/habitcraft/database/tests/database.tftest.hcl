mock_provider "aws" {
  mock_resource "aws_db_instance" {
    defaults = {
      arn                = "arn:aws:rds:us-west-2:111122223333:db:habitcraft-production"
      address            = "db.example.com"
      master_user_secret = [{ secret_arn = "arn:aws:secretsmanager:us-west-2:111122223333:secret:rds-0a", kms_key_id = "key", secret_status = "active" }]
    }
  }
}

variables {
  project                    = "habitcraft"
  environment                = "production"
  region                     = "us-west-2"
  private_subnet_ids         = ["subnet-0a", "subnet-0b"]
  database_security_group_id = "sg-0d"
  instance_class             = "db.t4g.micro"
  allocated_storage_gib      = 20
  multi_az                   = false
  backup_retention_days      = 7
  database_name              = "habitcraft"
  master_username            = "habitcraft_admin"
  deletion_protection        = true
}

run "outputs_where_the_password_is_not_what_it_is" {
  command = apply

  assert {
    condition     = output.master_secret_arn == "arn:aws:secretsmanager:us-west-2:111122223333:secret:rds-0a"
    error_message = "The output is the secret's ARN."
  }

  assert {
    condition     = output.instance_identifier == "habitcraft-production" && output.port == 5432 && output.address == "db.example.com"
    error_message = "Identifier, address and port lead to the instance."
  }
}

run "protects_what_it_holds" {
  command = apply

  module {
    source = "../../../modules/database"
  }

  variables {
    identifier        = "habitcraft-production"
    subnet_ids        = ["subnet-0a", "subnet-0b"]
    security_group_id = "sg-0d"
    engine_version    = "15"
    tags              = { Project = "habitcraft" }
  }

  assert {
    condition     = aws_db_instance.this.manage_master_user_password && aws_db_instance.this.password == null
    error_message = "RDS makes and keeps the master password."
  }

  assert {
    condition     = aws_db_instance.this.storage_encrypted && !aws_db_instance.this.publicly_accessible
    error_message = "Storage is encrypted and the instance has no public address."
  }

  assert {
    condition     = aws_db_instance.this.deletion_protection && !aws_db_instance.this.skip_final_snapshot && !aws_db_instance.this.delete_automated_backups
    error_message = "Deleting takes a decision, and leaves a snapshot and the backups."
  }

  assert {
    condition     = can(regex("^habitcraft-production-final-[0-9]{14}$", aws_db_instance.this.final_snapshot_identifier))
    error_message = "The last snapshot's name is unique to this instance."
  }

  assert {
    condition     = aws_db_parameter_group.this.family == "postgres15" && length(aws_db_parameter_group.this.parameter) == 0
    error_message = "PostgreSQL 15 refuses unencrypted connections by itself."
  }

  assert {
    condition     = aws_cloudwatch_log_group.this["postgresql"].retention_in_days == 30
    error_message = "The engine's log is kept for 30 days."
  }

  assert {
    condition     = aws_db_instance.this.tags == tomap({ Project = "habitcraft", Name = "habitcraft-production" })
    error_message = "Every resource carries the given tags and its Name."
  }
}

run "older_engines_refuse_unencrypted_connections_too" {
  command = plan

  module {
    source = "../../../modules/database"
  }

  variables {
    identifier          = "habitcraft-production"
    subnet_ids          = ["subnet-0a", "subnet-0b"]
    security_group_id   = "sg-0d"
    engine_version      = "14.12"
    logical_replication = true
  }

  assert {
    condition = (
      aws_db_parameter_group.this.family == "postgres14"
      && toset([for parameter in aws_db_parameter_group.this.parameter : "${parameter.name}=${parameter.value}"]) == toset(["rds.force_ssl=1", "rds.logical_replication=1"])
    )
    error_message = "Before 15 encryption is set, and replication when it is asked for."
  }
}

run "refuses_to_switch_backups_off" {
  command = plan

  variables {
    backup_retention_days = 0
  }

  expect_failures = [var.backup_retention_days]
}

run "refuses_an_engine_too_old" {
  command = plan

  variables {
    engine_version = "9.6"
  }

  expect_failures = [var.engine_version]
}

run "refuses_an_ec2_class" {
  command = plan

  variables {
    instance_class = "t4g.micro"
  }

  expect_failures = [var.instance_class]
}

run "refuses_a_role_that_needs_quotes" {
  command = plan

  variables {
    master_username = "Admin-1"
  }

  expect_failures = [var.master_username]
}
