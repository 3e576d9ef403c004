"""report.json: who, what, when, why, and what was measured. Built from the fold, so it is the same after a crash."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from migrator.model.runbook import Phase, Runbook, Step
from migrator.model.state import RunState, StepState, StepStatus, seconds_between
from migrator.report.shares import interval, kind_of, shares

FORMAT = 1
_STUCK = (StepStatus.FAILED, StepStatus.BLOCKED, StepStatus.UNDO_FAILED)
_PHASE_ORDER = (
    StepStatus.IN_DOUBT,
    StepStatus.BLOCKED,
    StepStatus.FAILED,
    StepStatus.UNDO_FAILED,
    StepStatus.RUNNING,
    StepStatus.UNDOING,
)


def build_report(state: RunState, runbook: Runbook) -> dict[str, Any]:
    """The report as JSON data. Times are UTC ISO 8601, durations seconds. Keys are those of the contract.

    What was not measured is None, never 0. `ended` is empty and `as_of` the last known time while a run goes on.
    """
    traffic = state.measured.get("traffic", {})
    parts = _parts(state, runbook)
    as_of = state.ended or _last(state)
    return {
        "format": FORMAT,
        "run_id": state.run_id,
        "runbook": state.runbook,
        "title": runbook.title,
        "mode": state.mode,
        "account": state.account,
        "region": state.region,
        "who": state.who,
        "outcome": outcome(state),
        "state": _standing(state),
        "started": state.created,
        "ended": state.ended,
        "as_of": as_of,
        "seconds": round(seconds_between(state.created, as_of), 1),
        "shares": shares(state, runbook, as_of),
        "phases": [_phase(phase, state) for phase in runbook.phases],
        "skipped": list(_skipped(state, runbook)),
        "service": _service(traffic),
        "writes": _writes(traffic),
        "window": _window(state, runbook),
        "database": _database(parts["database"]),
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
        "measured": sorted(state.measured),
    }


def outcome(state: RunState) -> str:
    """done, failed, rolled_back or aborted as recorded; failed when steps are stuck; else unfinished."""
    if state.outcome:
        return state.outcome
    if state.aborted:
        return "aborted"
    return "failed" if state.with_status(*_STUCK) else "unfinished"


def _standing(state: RunState) -> str:
    """How the last runner left it: the reason of its stop, running without one, or finished."""
    if state.outcome:
        return "finished"
    if not state.runner:
        return "not started"
    return str(state.stopped.get("reason", "running"))


def _items(state: RunState, name: str) -> list[Any]:
    return list(state.measured.get(name, {}).get("items", []))


def _last(state: RunState) -> str:
    times = [t for s in state.steps.values() for t in (s.started, s.ended) if t]
    times += [str(decision["at"]) for decision in state.decisions if decision.get("at")]
    return max([*times, str(state.runner.get("at", "")), state.created])


def _phase(phase: Phase, state: RunState) -> dict[str, Any]:
    steps = [state.step(step.id) for step in phase.steps]
    worked = [found for found in map(interval, steps) if found]
    started = min((begun for begun, _ in worked), default=None)
    ended = max((end for _, end in worked), default=None)
    return {
        "id": phase.id,
        "title": phase.title,
        "status": phase_status(steps),
        "seconds": round((ended - started).total_seconds(), 3) if started and ended else None,
        "started": started.isoformat() if started else "",
        "ended": ended.isoformat() if ended else "",
        "steps": [_step(step, state.step(step.id)) for step in phase.steps],
    }


def phase_status(steps: list[StepState]) -> str:
    """One word for a phase: done (every step), skipped, partly_skipped, or the worst of what its steps are."""
    found = {s.status for s in steps}
    for status in _PHASE_ORDER:
        if status in found:
            return status.value
    if all(s.status.settled for s in steps):
        if StepStatus.SKIPPED not in found:
            return "done"
        return "partly_skipped" if StepStatus.DONE in found else "skipped"
    if StepStatus.WAITING in found:
        return "waiting"
    return "running" if any(s.status.settled for s in steps) else "pending"


def _step(step: Step, state: StepState) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": step.id,
        "title": step.title,
        "action": step.action or step.kind.value,
        "kind": kind_of(step),
        "status": state.status.value,
        "attempts": state.attempt,
        "seconds": _step_seconds(state),
        "started": state.started,
        "ended": state.ended,
        "adopted": state.adopted,
        "proof": step.proof,
        "checks": [dict(check) for check in state.checks or state.gate.get("checks", [])],
    }
    more = {"reason": state.reason, "evidence": state.evidence, "until": state.until}
    row.update({name: text for name, text in more.items() if text})
    if state.gate:
        row["question"] = str(state.gate.get("question", ""))
    if state.error:
        row["error"] = dict(state.error)
    return row


def _step_seconds(state: StepState) -> float | None:
    """Seconds at work over all attempts; None for a step that never worked, is still open, or was skipped."""
    found = interval(state)
    if found is None or not state.ended:
        return None
    return round(state.seconds or (found[1] - found[0]).total_seconds(), 3)


def _skipped(state: RunState, runbook: Runbook) -> Iterator[dict[str, Any]]:
    """Steps that were skipped, each with who ordered it and why."""
    orders = {
        str(d.get("step")): d for d in state.decisions if d.get("command") == "skip" and not d.get("refused")
    }
    for step in runbook.steps():
        found = state.step(step.id)
        if found.status is StepStatus.SKIPPED:
            who = str(orders.get(step.id, {}).get("who", ""))
            row = {"step": step.id, "title": step.title, "reason": found.reason, "who": who}
            yield {**row, "at": found.ended}


def _service(traffic: Mapping[str, Any]) -> dict[str, Any]:
    """What clients lived through; every figure None when no traffic was measured."""
    figures = ("requests", "failed", "unavailable_seconds", "unavailable_longest_seconds")
    more = ("failures", "served_by", "latency_milliseconds")
    return {key: traffic.get(key) for key in figures} | {key: traffic[key] for key in more if key in traffic}


def _writes(traffic: Mapping[str, Any]) -> dict[str, Any]:
    """The ledger against the database. Without a final comparison found, lost and duplicated are None."""
    writes = traffic.get("writes", {})
    figures = {key: writes.get(key) for key in ("acknowledged", "found", "lost", "duplicated")}
    return figures | {k: v for k, v in writes.items() if k not in figures and isinstance(v, int | str | list)}


def _window(state: RunState, runbook: Runbook) -> dict[str, Any]:
    """The downtime window by the steps that start and end it. What clients felt is `service`, not this."""
    edges = {step.downtime: state.step(step.id) for step in runbook.steps() if step.downtime}
    first, last = edges.get("starts"), edges.get("ends")
    started = first.started if first and first.status is not StepStatus.SKIPPED else ""
    ended = last.ended if last and last.status is StepStatus.DONE else ""
    seconds = round(seconds_between(started, ended), 3) if started and ended else None
    return {"started": started, "ended": ended, "seconds": seconds}


def _database(found: Mapping[str, Any]) -> dict[str, Any]:
    return {"tables": None, "rows": None, "freeze_seconds": None, "checks": [], **found}


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
