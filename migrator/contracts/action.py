"""What an action is: parameters, outputs, effect class, and five verbs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol, TypeVar

from migrator.contracts.context import StepContext
from migrator.model.runbook import EffectClass

P = TypeVar("P", contravariant=True)


class Verdict(StrEnum):
    """What a probe found."""

    ABSENT = "absent"
    """The effect is not there: it may be sent."""
    OURS = "ours"
    """It is there, whole, and this run made it: adopt, verify, done."""
    PARTIAL = "partial"
    """Ours, but not whole: `apply` repairs it from here."""
    FOREIGN = "foreign"
    """Something is there that this run did not make."""
    UNKNOWN = "unknown"
    """The world did not answer, or not clearly."""


class Confidence(StrEnum):
    """How sure a preview is."""

    PROVEN = "proven"
    CHECKED = "checked"
    ASSUMED = "assumed"


@dataclass(frozen=True)
class Preview:
    """What `apply` would change, one short sentence a change; nothing when the world is already so."""

    changes: tuple[str, ...]
    confidence: Confidence = Confidence.CHECKED


@dataclass(frozen=True)
class Probe:
    """What is true now: a verdict, one sentence of evidence, and facts that `apply` and `undo` may need.

    The facts of the first probe are the step's baseline, kept in its INTENT record: no secrets in them.
    """

    verdict: Verdict
    evidence: str
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Check:
    """One thing looked at, and whether it was as it must be. "No data" is not ok."""

    name: str
    ok: bool
    detail: str = ""


@dataclass(frozen=True)
class Verification:
    """A fresh read of the world. `outputs` flow to other steps and are journaled: JSON values, no secrets.

    `report` holds parts of report.json, merged by name: `database` (a mapping), `terraform`, `images`, `dns`
    (lists).
    """

    checks: tuple[Check, ...]
    outputs: Mapping[str, Any] = field(default_factory=dict)
    report: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether there was at least one check and all were green."""
        return bool(self.checks) and all(check.ok for check in self.checks)


@dataclass(frozen=True)
class ActionSpec:
    """What is known of an action without running it.

    `params` is a frozen dataclass (see `contracts.params`). `outputs` maps a name to its description; a name
    of `*` means that outputs depend on the parameters (a Terraform stack's). `reversible` is false where
    `undo` can only refuse. `reprove` says whether `probe` must still say OURS when a run is resumed after
    this step was done; false for reads and for effects that leave nothing to look at.
    """

    name: str
    summary: str
    effect: EffectClass
    params: type[Any]
    outputs: Mapping[str, str] = field(default_factory=dict)
    reversible: bool = True
    reprove: bool = True


class Action(Protocol[P]):
    """Code for one kind of step. Stateless: everything it knows comes from the context and the world.

    Raises `errors.Refused` only when it is proven that no effect was sent; any other exception puts the step
    in doubt. Every verb looks at the world itself and may be called again at any time.
    """

    @property
    def spec(self) -> ActionSpec:
        """What is known of the action without running it."""
        ...

    def preview(self, ctx: StepContext[P]) -> Preview:
        """What would change. Read-only."""
        ...

    def probe(self, ctx: StepContext[P]) -> Probe:
        """What is true. Read-only, but it follows a child process that outlived its runner to its end."""
        ...

    def apply(self, ctx: StepContext[P]) -> None:
        """Makes the effect. On a PARTIAL world it completes or rebuilds what is missing."""
        ...

    def verify(self, ctx: StepContext[P]) -> Verification:
        """A fresh read of the world, never `apply`'s own return value."""
        ...

    def undo(self, ctx: StepContext[P]) -> None:
        """Takes back exactly what this run made, and nothing that the baseline says was there before.

        Itself resumable: called again after a crash it goes on. `Refused` when it would harm, with the reason.
        """
        ...
