"""Where Terraform keeps its state: a bucket that keeps every version, and a table for locks."""

from __future__ import annotations

from phases.state_bootstrap.backend import StateBackend
from phases.state_bootstrap.parts import BackendParams

ACTIONS = (StateBackend(),)

__all__ = ["ACTIONS", "BackendParams", "StateBackend"]
