"""What the wizard can do: one module or small package for each phase, each listing its actions."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any

from migrator.contracts.action import Action

MODULES = (
    "preflight",
    "state_bootstrap",
    "ecr_push",
    "parallel_infra",
    "secrets_handover",
    "deploy",
    "db_migration",
    "dns_cutover",
    "verify",
    "monitoring",
    "cleanup",
)


def shipped_actions() -> Iterator[Action[Any]]:
    """Every action of every module here."""
    for name in MODULES:
        yield from import_module(f"phases.{name}").ACTIONS
