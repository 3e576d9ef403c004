locals {
  registry_host = split("/", var.image)[0]

  environment = merge(
    { SERVICE = var.service, IMAGE = var.image, PORT = tostring(var.port), AWS_REGION = var.region },
    var.environment,
  )

  user_data = templatefile("${path.module}/user_data.sh.tftpl", {
    project       = var.project
    registry_host = local.registry_host
    environment   = local.environment
  })
}

data "aws_ami" "amazon_linux" {
  most_recent = true
  owners      = ["amazon"]

  filter {
    name   = "name"
    values = ["al2023-ami-2023.*-kernel-6.1-x86_64"]
  }

  filter {
    name   = "architecture"
    values = ["x86_64"]
  }

  filter {
    name   = "virtualization-type"
    values = ["hvm"]
  }

  filter {
    name   = "state"
    values = ["available"]
  }
}

# Remembers the machine image of the first apply: a release by Amazon must not restart instances in the midst of a
# migration. `terraform apply -replace` of this resource takes the newest one.
resource "terraform_data" "machine_image" {
  input = data.aws_ami.amazon_linux.id

  lifecycle {
    ignore_changes = [input]
  }
}

# Tags that may differ from run to run stand on the template and, by way of the group, on the instances, but not inside
# the template: a change there would make a new version and restart every instance.
resource "aws_launch_template" "this" {
  name                   = var.name
  description            = "Runs the ${var.service} container of ${var.project}"
  image_id               = terraform_data.machine_image.output
  instance_type          = var.instance_type
  update_default_version = true
  user_data              = base64encode(local.user_data)

  iam_instance_profile {
    arn = aws_iam_instance_profile.this.arn
  }

  network_interfaces {
    device_index                = 0
    associate_public_ip_address = true
    delete_on_termination       = true
    security_groups             = [var.security_group_id]
  }

  # One hop: the container cannot reach the instance's credentials.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  block_device_mappings {
    device_name = "/dev/xvda"

    ebs {
      volume_type           = "gp3"
      volume_size           = var.root_volume_gib
      encrypted             = true
      delete_on_termination = true
    }
  }

  tag_specifications {
    resource_type = "volume"
    tags          = { Name = var.name, Service = var.service }
  }

  tags = merge(var.tags, { Name = var.name, Service = var.service })

  # Tags of volumes are given once, at launch: changing them is no reason to restart every instance.
  lifecycle {
    ignore_changes = [tag_specifications]
  }
}

resource "aws_autoscaling_group" "this" {
  name                = var.name
  min_size            = var.min_size
  max_size            = var.max_size
  desired_capacity    = var.desired_capacity
  vpc_zone_identifier = var.subnet_ids
  target_group_arns   = [var.target_group_arn]

  health_check_type         = "ELB"
  health_check_grace_period = var.health_check_grace_seconds

  # Terraform does not wait for healthy instances: that is proven afterwards by looking at the load balancer's targets.
  wait_for_capacity_timeout = "0"

  launch_template {
    id      = aws_launch_template.this.id
    version = aws_launch_template.this.latest_version
  }

  # A new template version is rolled out start-before-stop, and back when the new instances stay unhealthy.
  instance_refresh {
    strategy = "Rolling"

    preferences {
      min_healthy_percentage = 100
      max_healthy_percentage = 200
      instance_warmup        = var.health_check_grace_seconds
      auto_rollback          = true
    }
  }

  dynamic "tag" {
    for_each = merge(var.tags, { Name = var.name, Service = var.service })

    content {
      key                 = tag.key
      value               = tag.value
      propagate_at_launch = true
    }
  }

  # An instance that boots before its role may pull would fail its first start.
  depends_on = [aws_iam_role_policy.this, aws_iam_role_policy_attachment.session_manager]
}
