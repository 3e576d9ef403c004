"""A step as the executor sees it, without an executor: the same verbs, baseline and memory, fresh contexts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from migrator.contracts.action import Action, Preview, Probe, Verdict, Verification
from migrator.contracts.context import StepContext, Tools
from migrator.contracts.process import Child
from tests.tools.aws_servers import ACCOUNT, REGION


@dataclass
class Notebook:
    """A channel and a clock in one: what was said is kept, and sleeping costs no time."""

    memory: dict[str, Any] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    reports: list[str] = field(default_factory=list)
    time: datetime = field(default_factory=lambda: datetime.now(UTC))
    on_sleep: Any = None

    def remember(self, values: Mapping[str, Any]) -> None:
        """Keeps facts."""
        self.memory |= dict(values)

    def spawned(self, child: Child) -> None:
        """No children here."""

    def log(self, line: str) -> None:
        """Keeps a line."""
        self.lines.append(line)

    def command(self, argv: Sequence[str]) -> None:
        """Keeps a command."""
        self.lines.append(" ".join(argv))

    def progress(
        self,
        message: str,
        done: float | None = None,
        total: float | None = None,
        unit: str = "",
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """Keeps the message."""
        self.reports.append(message)

    def check_cancelled(self) -> None:
        """Never cancelled."""

    def sleep(self, seconds: float) -> None:
        """Lets the clock run on."""
        self.time += timedelta(seconds=seconds)
        if self.on_sleep is not None:
            self.on_sleep()

    def now(self) -> datetime:
        """The clock's time."""
        return self.time


@dataclass
class Step:
    """One step: its first probe becomes the baseline; every verb gets a context made anew."""

    action: Action[Any]
    params: Any
    work: Path
    tools: Mapping[str, Any]
    key: str = "run-1-step"
    account: str = ACCOUNT
    notebook: Notebook = field(default_factory=Notebook)
    baseline: Mapping[str, Any] | None = None

    def context(self) -> StepContext[Any]:
        """What a fresh process would be given."""
        names = ("aws", "terraform", "postgres", "images", "dns", "http", "processes", "secrets")
        tools = {name: self.tools.get(name) for name in names} | {"clock": self.notebook}
        return StepContext(
            run_id="run-1",
            step_id="the-step",
            params=self.params,
            key=self.key,
            attempt=1,
            work=self.work,
            shipped=self.work,
            tags={"migrator:run": "run-1", "migrator:step": "the-step"},
            baseline=self.baseline or {},
            memory=dict(self.notebook.memory),
            children=(),
            account=self.account,
            region=REGION,
            tools=Tools(**cast("Any", tools)),
            channel=self.notebook,
        )

    def preview(self) -> Preview:
        """What would change."""
        return self.action.preview(self.context())

    def probe(self) -> Probe:
        """What is true; the first answer's facts are kept as the baseline."""
        found = self.action.probe(self.context())
        if self.baseline is None:
            self.baseline = found.facts
        return found

    def apply(self) -> None:
        """Makes the effect."""
        self.action.apply(self.context())

    def verify(self) -> Verification:
        """A fresh read."""
        return self.action.verify(self.context())

    def undo(self) -> None:
        """Takes it back."""
        self.action.undo(self.context())


def bad(verification: Verification) -> list[str]:
    """Names and details of the checks that are red."""
    return [f"{check.name}: {check.detail}" for check in verification.checks if not check.ok]


def lifecycle(step: Step, *, reversible: bool = True) -> Verification:
    """Nothing, effect, proof, "a crash lost the outcome", back, nothing again, effect again."""
    assert step.preview().changes
    assert step.probe().verdict is Verdict.ABSENT
    step.apply()
    # The runner died before it could write down how `apply` ended: a new one looks.
    assert step.probe().verdict is Verdict.OURS
    assert step.preview().changes == ()
    first = step.verify()
    assert first.ok, bad(first)
    assert set(first.outputs) == set(step.action.spec.outputs)
    step.apply()
    assert step.verify().ok
    if not reversible:
        return first
    step.undo()
    assert step.probe().verdict is Verdict.ABSENT
    assert not step.verify().ok
    step.undo()
    assert step.probe().verdict is Verdict.ABSENT
    step.apply()
    assert step.probe().verdict is Verdict.OURS
    again = step.verify()
    assert again.ok, bad(again)
    return again
