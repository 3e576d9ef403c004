"""How long users have had to wait, by the steps that open and close the maintenance window."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from migrator.model.runbook import Runbook
from migrator.model.state import RunState, StepStatus


@dataclass(frozen=True)
class Downtime:
    """Seconds since the window was opened, up to its end. `running` while users still wait."""

    seconds: float
    running: bool


def downtime(state: RunState, runbook: Runbook, now: datetime) -> Downtime | None:
    """The window of a run; None before it was opened. It ends with its last step, an undo, or the run."""
    opened, closed = "", ""
    for step in runbook.steps():
        found = state.step(step.id)
        if step.downtime == "starts" and found.started:
            opened = found.started
            if found.status is StepStatus.UNDONE:
                closed = found.undone
        if step.downtime == "ends" and found.status is StepStatus.DONE:
            closed = found.ended
    if not opened:
        return None
    end = closed or state.ended
    until = datetime.fromisoformat(end) if end else now
    return Downtime((until - datetime.fromisoformat(opened)).total_seconds(), running=not end)
