# The container only: its value is put from outside, so that no state file ever holds it.
resource "aws_secretsmanager_secret" "this" {
  for_each = var.secrets

  name                    = each.key
  description             = each.value
  recovery_window_in_days = var.recovery_window_days

  tags = merge(var.tags, { Name = each.key })
}
