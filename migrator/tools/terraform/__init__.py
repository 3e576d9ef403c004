"""Terraform as a child process: arguments, surroundings, event stream, state and locks."""

from migrator.tools.terraform.tool import TerraformTool

__all__ = ["TerraformTool"]
