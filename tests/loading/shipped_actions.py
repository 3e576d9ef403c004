"""The catalogue of the shipped actions, and the modules of them that are not there yet."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from migrator.contracts.action import ActionSpec
from phases import MODULES

MISSING = [name for name in MODULES if find_spec(f"phases.{name}") is None]

CATALOGUE: dict[str, ActionSpec] = {
    action.spec.name: action.spec
    for name in MODULES
    if name not in MISSING
    for action in import_module(f"phases.{name}").ACTIONS
}
