"""The new infrastructure, built beside the old: Terraform stacks."""

from phases.parallel_infra.stack import ApplyStack

ACTIONS = (ApplyStack(),)
