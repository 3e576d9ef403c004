"""report.json: who, what, when, why, and what was measured. Built from the fold, so it is the same after a crash."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from migrator.model.runbook import Phase, Runbook, Step
from migrator.model.state import RunState, StepState, StepStatus, seconds_between

FORMAT = 1


def build_report(state: RunState, runbook: Runbook) -> dict[str, Any]:
    """The report as JSON data. Times are UTC ISO 8601, durations seconds. Keys are those of the contract."""
    traffic = state.measured.get("traffic", {})
    parts = _parts(state, runbook)
    ended = state.ended or _last(state)
    return {
        "format": FORMAT,
        "run_id": state.run_id,
        "runbook": state.runbook,
        "title": runbook.title,
        "mode": state.mode,
        "account": state.account,
        "region": state.region,
        "who": state.who,
        "outcome": state.outcome or "unfinished",
        "started": state.created,
        "ended": ended,
        "seconds": round(seconds_between(state.created, ended), 1),
        "phases": [_phase(phase, state) for phase in runbook.phases],
        "service": _service(traffic),
        "writes": _writes(traffic),
        "database": parts["database"],
        "terraform": parts["terraform"],
        "images": parts["images"],
        "dns": parts["dns"],
        "decisions": list(state.decisions),
        "point_of_no_return": dict(state.ponr),
        "differences": _items(state, "differences"),
        "outside_contacts": _items(state, "outside_contacts"),
        "leftovers": _items(state, "leftovers"),
        "timeline": list(traffic.get("timeline", [])),
        "cost": [
            {"component": c.component, "old_usd": c.old_usd, "new_usd": c.new_usd} for c in runbook.cost
        ],
        "versions": {**state.versions, **state.measured.get("tools", {})},
    }


def _items(state: RunState, name: str) -> list[Any]:
    return list(state.measured.get(name, {}).get("items", []))


def _last(state: RunState) -> str:
    times = [s.ended for s in state.steps.values() if s.ended]
    return max(times, default=state.created)


def _phase(phase: Phase, state: RunState) -> dict[str, Any]:
    steps = [state.step(step.id) for step in phase.steps]
    started = min((s.started for s in steps if s.started), default="")
    ended = max((s.ended for s in steps if s.ended), default="")
    return {
        "id": phase.id,
        "title": phase.title,
        "status": phase_status(steps),
        "seconds": round(seconds_between(started, ended), 3),
        "started": started,
        "ended": ended,
        "steps": [_step(step, state.step(step.id)) for step in phase.steps],
    }


def phase_status(steps: list[StepState]) -> str:
    """One word for a phase: done (all settled), running, waiting, blocked, failed, in_doubt or pending."""
    found = {s.status for s in steps}
    for status in (
        StepStatus.IN_DOUBT,
        StepStatus.BLOCKED,
        StepStatus.FAILED,
        StepStatus.UNDO_FAILED,
        StepStatus.RUNNING,
        StepStatus.UNDOING,
    ):
        if status in found:
            return status.value
    if all(s.status.settled for s in steps):
        return "done"
    if StepStatus.WAITING in found:
        return "waiting"
    return "running" if any(s.status.settled for s in steps) else "pending"


def _step(step: Step, state: StepState) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": step.id,
        "title": step.title,
        "action": step.action or step.kind.value,
        "status": state.status.value,
        "attempts": state.attempt,
        "seconds": round(state.seconds, 3),
        "started": state.started,
        "ended": state.ended,
        "adopted": state.adopted,
        "checks": [dict(check) for check in state.checks],
    }
    if state.reason:
        row["reason"] = state.reason
    if state.error:
        row["error"] = dict(state.error)
    return row


def _service(traffic: Mapping[str, Any]) -> dict[str, Any]:
    keys = (
        "requests",
        "failed",
        "unavailable_seconds",
        "unavailable_longest_seconds",
        "failures",
        "served_by",
    )
    return {key: traffic[key] for key in (*keys, "latency_milliseconds") if key in traffic}


def _writes(traffic: Mapping[str, Any]) -> dict[str, Any]:
    writes = traffic.get("writes", {})
    return {k: v for k, v in writes.items() if isinstance(v, int | str | list)}


def _parts(state: RunState, runbook: Runbook) -> dict[str, Any]:
    """What the steps themselves put into the report, merged in the order of the runbook."""
    merged: dict[str, Any] = {"database": {}, "terraform": [], "images": [], "dns": []}
    for part in _step_parts(state, runbook):
        for name, value in part.items():
            if isinstance(value, Mapping):
                target = merged.setdefault(name, {})
                checks = [*target.get("checks", []), *value.get("checks", [])]
                target.update(value)
                if checks:
                    target["checks"] = checks
            else:
                merged.setdefault(name, []).extend(value)
    return merged


def _step_parts(state: RunState, runbook: Runbook) -> Iterator[Mapping[str, Any]]:
    for step in runbook.steps():
        found = state.step(step.id)
        if found.status is StepStatus.DONE and found.report:
            yield found.report
