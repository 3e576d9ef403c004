"""What a run's time went into: each kind of work as a union of intervals, and the time in which no step worked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

from migrator.model.runbook import Runbook, Step, StepKind
from migrator.model.state import RunState, StepState, StepStatus, seconds_between

Interval = tuple[datetime, datetime]

KINDS = ("terraform", "database", "images", "waits", "decisions", "other")
_BY_PREFIX = {
    "parallel_infra.": "terraform",
    "db_migration.": "database",
    "cleanup.drop_set_aside": "database",
    "ecr_push.": "images",
}
_STUCK = (StepStatus.FAILED, StepStatus.BLOCKED, StepStatus.UNDO_FAILED)
_HOLDING = {"pause", "continue", "interrupt", "retry", "skip", "undo"}
_UNMEASURED = (StepStatus.PENDING, StepStatus.SKIPPED)


def kind_of(step: Step) -> str:
    """What a step's time is spent on, one of `KINDS`; the action's module tells."""
    if step.kind is StepKind.WAIT:
        return "waits"
    if step.kind in (StepKind.GATE, StepKind.MANUAL):
        return "decisions"
    return next((kind for prefix, kind in _BY_PREFIX.items() if step.action.startswith(prefix)), "other")


def interval(state: StepState, until: str = "") -> Interval | None:
    """When a step was last at work; an open end is `until`. None when it never was, or was skipped."""
    end = state.ended or until
    if not state.started or not end or state.status in _UNMEASURED:
        return None
    begun = datetime.fromisoformat(state.started)
    if state.status is StepStatus.BLOCKED and state.reproved and state.seconds:
        # It was done, and found changed later: the time between was not spent on it.
        return begun, begun + timedelta(seconds=state.seconds)
    return begun, max(begun, datetime.fromisoformat(end))


def union_seconds(intervals: Iterable[Interval]) -> float:
    """Seconds covered by at least one of the intervals."""
    total, reached = 0.0, None
    for begun, ended in sorted(intervals):
        since = begun if reached is None else max(begun, reached)
        if ended > since:
            total += (ended - since).total_seconds()
        reached = ended if reached is None else max(reached, ended)
    return total


def shares(state: RunState, runbook: Runbook, until: str) -> dict[str, Any]:
    """Seconds of the whole run, of each kind of work, and of the engine itself (no step at work).

    `engine_seconds` leaves out the start and end of the twin when the run measured them; `engine_includes_lab`
    says that it did not. It is None for a run that was continued or stood still for a person: that time cannot be
    told from the engine's.
    """
    by_kind: dict[str, list[Interval]] = {kind: [] for kind in KINDS}
    for kind, found in _intervals(state, runbook, until):
        by_kind[kind].append(found)
    every = [found for intervals in by_kind.values() for found in intervals]
    total = seconds_between(state.created, until)
    worked = union_seconds(every)
    lab = state.measured.get("lab", {})
    lab_seconds = sum(float(lab.get(name) or 0.0) for name in ("start_seconds", "stop_seconds"))
    engine = (
        None if _continued(state, every) or _stood_still(state) else max(0.0, total - worked - lab_seconds)
    )
    return {
        "total_seconds": round(total, 1),
        "work_seconds": {kind: round(union_seconds(found), 1) for kind, found in by_kind.items()},
        "terraform_and_database_seconds": round(union_seconds(by_kind["terraform"] + by_kind["database"]), 1),
        "any_step_seconds": round(worked, 1),
        "before_first_step_seconds": _edge(state.created, min((b for b, _ in every), default=None)),
        "after_last_step_seconds": _edge(until, max((e for _, e in every), default=None)),
        "lab_seconds": round(lab_seconds, 1) if lab else None,
        "engine_seconds": None if engine is None else round(engine, 1),
        "engine_share": None if engine is None or not total else round(engine / total, 4),
        "engine_includes_lab": state.mode == "rehearse" and not lab,
    }


def _intervals(state: RunState, runbook: Runbook, until: str) -> Iterator[tuple[str, Interval]]:
    for step in runbook.steps():
        found = interval(state.step(step.id), until)
        if found:
            yield kind_of(step), found


def _edge(moment: str, step: datetime | None) -> float | None:
    if step is None or not moment:
        return None
    return round(abs((datetime.fromisoformat(moment) - step).total_seconds()), 1)


def _stood_still(state: RunState) -> bool:
    """Whether a step was stuck, or a person held the run: then there was time in which nothing could be at work."""
    ordered = {d.get("command") for d in state.decisions if d.get("by") == "person" and not d.get("refused")}
    return bool(state.with_status(*_STUCK) or ordered & _HOLDING)


def _continued(state: RunState, every: list[Interval]) -> bool:
    """Whether the last runner began after a step had begun: then there was time without a runner."""
    at = str(state.runner.get("at", ""))
    return bool(at and every) and datetime.fromisoformat(at) > min(begun for begun, _ in every)
