"""Terraform: init, plan, apply, outputs, locks, state."""

from __future__ import annotations

from typing import Protocol


class Terraform(Protocol):
    """Terraform: init, plan, apply, outputs, locks, state."""
