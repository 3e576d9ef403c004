"""A few actions, one for each kind of parameter and output that the loader treats differently."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from migrator.contracts.action import ActionSpec
from migrator.contracts.params import Seconds, SecretRef
from migrator.model.runbook import EffectClass

_TIMEOUT = Seconds(60.0)


@dataclass(frozen=True)
class Database:
    """A record inside parameters."""

    host: str
    port: int
    password: SecretRef


@dataclass(frozen=True)
class LookParams:
    """Every simple type."""

    host: str
    times: int = 1
    deep: bool = False
    timeout: Seconds = _TIMEOUT
    scheme: Literal["https", "http"] = "https"
    note: str | None = None
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class CopyParams:
    """Records and free values."""

    source: Database
    anything: Any = None
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class StackParams:
    """A Terraform stack."""

    stack: str
    variables: Mapping[str, Any]


@dataclass(frozen=True)
class NoParams:
    """Nothing."""


CATALOGUE = {
    spec.name: spec
    for spec in (
        ActionSpec("look.at", "Looks", EffectClass.READ, LookParams, {"seen": "What was seen"}),
        ActionSpec("copy.all", "Copies", EffectClass.DATA_LOAD, CopyParams, {"file": "Where it is"}),
        ActionSpec(
            "stack.apply", "Applies", EffectClass.TERRAFORM, StackParams, {"*": "The stack's outputs"}
        ),
        ActionSpec("note.now", "Notes", EffectClass.NAMED, NoParams),
    )
}

NETWORK = {
    "variables.tf": """
variable "cidr" {
  description = "Block."
  type        = string
  validation {
    condition     = true
    error_message = "default = no"
  }
}

variable "zones" {
  type    = list(string)
  default = []
}

variable "tags" {
  type = map(string)
}
""",
    "outputs.tf": """
output "vpc_id" {
  value = "x"
}
output "subnet_ids" { value = [] }
""",
}
