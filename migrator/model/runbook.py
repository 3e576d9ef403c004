"""Frozen data of a runbook: what its author wrote, checked and typed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

Json: TypeAlias = "None | bool | int | float | str | Sequence[Json] | Mapping[str, Json]"


class EffectClass(StrEnum):
    """How an effect behaves when it is sent twice; decides retries and what is done in doubt."""

    READ = "read"
    TOKEN = "token"  # noqa: S105 - a class of effects
    NAMED = "named"
    COMPARE_AND_SET = "compare-and-set"
    TERRAFORM = "terraform"
    DATA_LOAD = "data load"
    SWAP = "swap"
    DELETE = "delete"
    HUMAN = "human"

    @property
    def attempts(self) -> int:
        """Attempts in one try, before a person is asked."""
        return _ATTEMPTS[self]


_ATTEMPTS = {
    EffectClass.READ: 5,
    EffectClass.TOKEN: 3,
    EffectClass.NAMED: 1,
    EffectClass.COMPARE_AND_SET: 3,
    EffectClass.TERRAFORM: 1,
    EffectClass.DATA_LOAD: 1,
    EffectClass.SWAP: 3,
    EffectClass.DELETE: 1,
    EffectClass.HUMAN: 1,
}


class StepKind(StrEnum):
    """What a step asks for: code, a decision, time, or a person's hands."""

    ACTION = "action"
    GATE = "gate"
    WAIT = "wait"
    MANUAL = "manual"


class AutoApprove(StrEnum):
    """When `--yes` may answer a gate."""

    NEVER = "never"
    REHEARSAL = "rehearsal"
    ALWAYS = "always"


class PointOfNoReturn(StrEnum):
    """After this, back is no longer the recorded baseline."""

    NEW_WRITES = "new_writes"
    DELETION = "deletion"


@dataclass(frozen=True)
class Variable:
    """A value that an operator gives. In a rehearsal `rehearsal` replaces it; with `from_lab` the twin's does."""

    name: str
    type: str
    description: str
    default: Json = None
    rehearsal: Json = None
    required: bool = True
    pattern: str = ""
    choices: tuple[str, ...] = ()
    from_lab: bool = False


@dataclass(frozen=True)
class Gate:
    """A decision: what is asked, what follows, which read-only steps must be green and fresh."""

    question: str
    yes: str
    no: str
    evidence: tuple[str, ...] = ()
    confirm: str = ""
    auto: AutoApprove = AutoApprove.NEVER
    max_age_seconds: float = 60.0


@dataclass(frozen=True)
class Wait:
    """A durable wait: the longer of `seconds`, which may be an expression, and `at_least_seconds`.

    In a rehearsal `rehearsal_seconds`, if given, is waited instead of both.
    """

    seconds: str | float
    reason: str
    rehearsal_seconds: float | None = None
    at_least_seconds: float = 0.0


@dataclass(frozen=True)
class Step:
    """One step. `title` what, `why`, `proof` how it is proven, `back` how to go back, in the operator's words.

    `needs` holds every step that must be done before: the declared ones, those whose outputs are used, and
    those of earlier phases. `expected_seconds` is the author's estimate. `holds_until` names the step from
    whose start on the result of this one is no longer expected to hold in the world.
    """

    id: str
    phase: str
    kind: StepKind
    title: str
    why: str
    proof: str
    back: str
    needs: tuple[str, ...] = ()
    action: str = ""
    params: Mapping[str, Json] = field(default_factory=dict)
    gate: Gate | None = None
    wait: Wait | None = None
    ponr: PointOfNoReturn | None = None
    downtime: str = ""
    deadline_seconds: float = 1_800.0
    expected_seconds: float | None = None
    holds_until: str = ""
    line: int = 0


@dataclass(frozen=True)
class Phase:
    """Steps with one purpose. It starts when the phases in `after` are done."""

    id: str
    title: str
    summary: str
    steps: tuple[Step, ...]
    after: tuple[str, ...] = ()


@dataclass(frozen=True)
class CostLine:
    """Monthly cost of one component, in US dollars, before and after the move."""

    component: str
    old_usd: float
    new_usd: float


@dataclass(frozen=True)
class Runbook:
    """A whole migration as data. `digest` is the SHA-256 of the file's bytes."""

    name: str
    title: str
    summary: str
    variables: tuple[Variable, ...]
    phases: tuple[Phase, ...]
    lab: Mapping[str, Json]
    cost: tuple[CostLine, ...]
    digest: str
    file: str

    def steps(self) -> Iterator[Step]:
        """All steps, in the order of the file."""
        for phase in self.phases:
            yield from phase.steps

    def step(self, step_id: str) -> Step:
        """The step with this id; `KeyError` if there is none."""
        for step in self.steps():
            if step.id == step_id:
                return step
        raise KeyError(step_id)
