"""What is known of every shipped action."""

from __future__ import annotations

from collections.abc import Mapping

from migrator.contracts.action import ActionSpec
from migrator.runner.compose import catalogue

CATALOGUE: Mapping[str, ActionSpec] = catalogue()
