"""Runbooks made for tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from migrator.contracts.action import ActionSpec
from migrator.model.runbook import (
    AutoApprove,
    EffectClass,
    Gate,
    Phase,
    PointOfNoReturn,
    Runbook,
    Step,
    StepKind,
    Wait,
)


def spec(name: str, effect: EffectClass) -> ActionSpec:
    return ActionSpec(name, "for a test", effect, dict, reprove=effect is not EffectClass.READ)


SPECS: Mapping[str, ActionSpec] = {
    effect.name.lower(): spec(effect.name.lower(), effect)
    for effect in EffectClass
    if effect is not EffectClass.HUMAN
}


def step(name: str, action: str = "named", *, needs: tuple[str, ...] = (), **more: Any) -> Step:
    return Step(
        id=name,
        phase="only",
        kind=more.pop("kind", StepKind.ACTION),
        title=f"Do {name}",
        why="because",
        proof="look",
        back="undo it",
        needs=needs,
        action=action,
        **more,
    )


def gate(name: str, *, needs: tuple[str, ...], evidence: tuple[str, ...] = (), **more: Any) -> Step:
    asked = Gate(
        "Go on?", "goes on", "stays", evidence=evidence, auto=more.pop("auto", AutoApprove.REHEARSAL)
    )
    return step(name, "", needs=needs, kind=StepKind.GATE, gate=asked, **more)


def book(*steps: Step) -> Runbook:
    phase = Phase("only", "Only", "all there is", tuple(steps))
    return Runbook("test", "Test", "a test", (), (phase,), {}, (), "0" * 64, "test.yaml")


def every_class() -> Runbook:
    """One step of every effect class, a gate with evidence, a wait, two branches side by side."""
    return book(
        step("look", "read"),
        step("bucket", "named", needs=("look",)),
        step("network", "terraform", needs=("bucket",)),
        step("secret", "token", needs=("bucket",)),
        step("load", "data_load", needs=("network",)),
        step("rename", "swap", needs=("load", "secret")),
        step("check", "read", needs=("rename",)),
        gate("agree", needs=("check",), evidence=("check",), ponr=PointOfNoReturn.NEW_WRITES),
        step("record", "compare_and_set", needs=("agree",)),
        step("soak", "", needs=("record",), kind=StepKind.WAIT, wait=Wait(5.0, "soak")),
        step("remove", "delete", needs=("soak",), ponr=PointOfNoReturn.DELETION),
    )
