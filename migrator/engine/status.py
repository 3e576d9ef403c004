"""Where a run stands, in one dictionary: status --json, lists and screens show the same."""

from __future__ import annotations

import shlex
from typing import Any

from migrator.model.runbook import PointOfNoReturn, Runbook
from migrator.model.state import RunState, StepState, StepStatus

_ORDER = (
    (StepStatus.IN_DOUBT, "in_doubt"),
    (StepStatus.BLOCKED, "blocked"),
    (StepStatus.UNDO_FAILED, "blocked"),
    (StepStatus.FAILED, "failed"),
    (StepStatus.UNDONE, "blocked"),
)
_AT_WORK = (StepStatus.RUNNING, StepStatus.UNDOING)
_STUCK = (StepStatus.BLOCKED, StepStatus.FAILED, StepStatus.UNDO_FAILED)


def run_status(state: RunState, runbook: Runbook, *, alive: bool) -> dict[str, Any]:
    """The contract's status. A step at work under a dead runner is in doubt, whatever the last record says."""
    current = _current(state, runbook, alive)
    return {
        "run_id": state.run_id,
        "runbook": state.runbook,
        "mode": state.mode,
        "account": state.account,
        "region": state.region,
        "state": _word(state, alive),
        "runner": {"pid": state.runner.get("pid"), "alive": alive},
        "phase": runbook.step(current).phase if current else "",
        "step": current,
        "in_doubt": in_doubt(state, alive),
        "waiting": _waiting(state),
        "point_of_no_return": _ponr(state, runbook),
        "problem": _problem(state),
        "next": next_command(state, alive),
    }


def in_doubt(state: RunState, alive: bool) -> list[str]:
    """Steps of which nobody knows how they ended."""
    found = [s.id for s in state.steps.values() if s.status is StepStatus.IN_DOUBT]
    if not alive:
        found += [s.id for s in state.with_status(StepStatus.RUNNING) if s.effect_sent]
        found += [s.id for s in state.with_status(StepStatus.UNDOING)]
    return found


def _word(state: RunState, alive: bool) -> str:
    if state.outcome:
        return state.outcome
    if alive:
        stuck = [word for status, word in _ORDER if state.with_status(status)]
        if state.with_status(*_AT_WORK):
            return "running"
        if stuck:
            return stuck[0]
        if state.paused:
            return "paused"
        return "waiting" if state.with_status(StepStatus.WAITING) else "running"
    if in_doubt(state, alive):
        return "in_doubt"
    for status, word in _ORDER:
        if state.with_status(status):
            return word
    if state.stopped.get("reason") == "error":
        return "failed"
    if state.with_status(StepStatus.WAITING):
        return "waiting"
    return "paused"


def _current(state: RunState, runbook: Runbook, alive: bool) -> str:
    wanted: tuple[tuple[StepStatus, ...], ...] = (
        (StepStatus.IN_DOUBT, StepStatus.BLOCKED, StepStatus.FAILED, StepStatus.UNDO_FAILED),
        (StepStatus.RUNNING, StepStatus.UNDOING),
        (StepStatus.WAITING,),
    )
    if alive:
        wanted = (wanted[1], wanted[0], wanted[2])
    steps = list(runbook.steps())
    for statuses in wanted:
        for step in steps:
            if state.step(step.id).status in statuses:
                return step.id
    for step in steps:
        if not state.step(step.id).status.settled:
            return step.id
    return ""


def _waiting(state: RunState) -> dict[str, str]:
    waiting = state.with_status(StepStatus.WAITING)
    if not waiting:
        return {"for": "", "until": ""}
    gates = [s for s in waiting if s.gate]
    if gates:
        return {"for": f"a decision on {gates[0].id}", "until": ""}
    first = min(waiting, key=lambda s: s.until)
    return {"for": f"time ({first.id})", "until": first.until}


def _ponr(state: RunState, runbook: Runbook) -> str:
    if not any(step.ponr for step in runbook.steps()):
        return "none"
    passed = PointOfNoReturn.NEW_WRITES.value in state.ponr or PointOfNoReturn.DELETION.value in state.ponr
    return "after" if passed else "before"


def _problem(state: RunState) -> str:
    stuck = state.with_status(*_STUCK)
    if stuck:
        return describe_trouble(stuck[0])
    error = state.stopped.get("error") or {}
    return _sentence(error)


def describe_trouble(step: StepState) -> str:
    """What is wrong with a step, in one line."""
    error = dict(step.error)
    if error.get("where") == f"step {step.id}":
        error["where"] = ""
    told = [step.reason, step.evidence, _sentence(error)]
    return f"{step.id}: " + "; ".join(dict.fromkeys(t for t in told if t))


def _sentence(error: Any) -> str:
    if not error:
        return ""
    where = f"{error['where']}: " if error.get("where") else ""
    detail = f" — {error['detail']}" if error.get("detail") else ""
    return f"{where}{error.get('what', '')}{detail}"


def approval(run: str, step: str, confirm: str) -> str:
    """The exact command that says yes to a gate."""
    typed = f" --confirm={shlex.quote(confirm)}" if confirm else ""
    return f"migrator approve {run} {step}{typed}"


def next_command(state: RunState, alive: bool) -> str:
    """The exact command that goes on."""
    run = state.run_id
    if state.outcome:
        return f"migrator report {run}"
    if state.with_status(StepStatus.UNDOING) and not alive:
        return f"migrator resume {run}"
    gates = [s for s in state.with_status(StepStatus.WAITING) if s.gate]
    if gates:
        approve = approval(run, gates[0].id, str(gates[0].gate.get("confirm", "")))
        return approve if alive else f"{approve} && migrator resume {run}"
    stuck = state.with_status(*_STUCK) or state.with_status(StepStatus.UNDONE)
    if stuck:
        retry = f"migrator retry {run} {stuck[0].id}"
        return retry if alive else f"{retry} && migrator resume {run}"
    if state.paused:
        go_on = f"migrator continue {run}"
        return go_on if alive else f"{go_on} && migrator resume {run}"
    return f"migrator attach {run}" if alive else f"migrator resume {run}"
