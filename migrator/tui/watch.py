"""What a screen knows of one run: the fold of its records, the newest progress, and who leads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from migrator.engine.status import run_status
from migrator.model.records import Record
from migrator.model.runbook import Runbook, Step
from migrator.model.state import RunState, StepState, StepStatus, fold


@dataclass
class Watch:
    """One run as it is known now. Changed only by `take`, on the screen's own thread."""

    folder: Path
    runbook: Runbook
    expected: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    state: RunState = field(default_factory=RunState)
    records: list[Record] = field(default_factory=list)
    progress: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    alive: bool = False
    by_step: dict[str, list[Record]] = field(default_factory=dict)

    def take(self, records: Sequence[Record], progress: Mapping[str, Mapping[str, Any]], alive: bool) -> None:
        """Folds in what came."""
        fold(records, self.state)
        self.records.extend(records)
        for record in records:
            if record.step:
                self.by_step.setdefault(record.step, []).append(record)
        self.progress, self.alive = progress, alive

    def status(self) -> dict[str, Any]:
        """The same dictionary that `status --json` prints."""
        return run_status(self.state, self.runbook, alive=self.alive)

    def step_status(self, step: Step | str) -> StepStatus:
        """A step's status. A step left at work by a dead runner is in doubt."""
        found = self.step(step)
        if found.status is StepStatus.RUNNING and not self.alive:
            return StepStatus.IN_DOUBT if found.effect_sent else StepStatus.PENDING
        return found.status

    def step(self, step: Step | str) -> StepState:
        """A step's state."""
        return self.state.step(step if isinstance(step, str) else step.id)

    def of_step(self, step: str) -> Sequence[Record]:
        """The records about one step."""
        return self.by_step.get(step, ())

    def with_status(self, *wanted: StepStatus) -> list[Step]:
        """Steps in one of these statuses, in the runbook's order."""
        return [s for s in self.runbook.steps() if self.step_status(s) in wanted]

    def gates(self) -> list[Step]:
        """Gates that wait for a person."""
        return [s for s in self.with_status(StepStatus.WAITING) if s.gate is not None]

    def waits(self) -> list[Step]:
        """Waits that wait for time, the next to end first."""
        found = [s for s in self.with_status(StepStatus.WAITING) if s.gate is None]
        return sorted(found, key=lambda s: self.step(s).until)

    def troubled(self) -> list[Step]:
        """Steps that want a person: in doubt without a runner, failed, blocked, or not undone."""
        stuck = self.with_status(StepStatus.FAILED, StepStatus.BLOCKED, StepStatus.UNDO_FAILED)
        doubt = self.with_status(StepStatus.IN_DOUBT)
        return stuck + doubt

    def current(self) -> str:
        """The step that the run is at."""
        return str(self.status()["step"])

    def downtime_began(self) -> bool:
        """Whether a step of the maintenance window has begun."""
        return any(s.downtime == "starts" and self.step(s).started for s in self.runbook.steps())
