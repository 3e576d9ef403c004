"""What the records add up to. Every face and the engine look at the same fold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from migrator.model.records import Kind, Record


class StepStatus(StrEnum):
    """Where one step stands. IN_DOUBT: an effect may have been sent and nothing says how it ended."""

    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    IN_DOUBT = "in_doubt"
    DONE = "done"
    FAILED = "failed"
    BLOCKED = "blocked"
    SKIPPED = "skipped"
    UNDOING = "undoing"
    UNDONE = "undone"
    UNDO_FAILED = "undo_failed"

    @property
    def settled(self) -> bool:
        """Whether steps that need this one may start."""
        return self in (StepStatus.DONE, StepStatus.SKIPPED)


@dataclass
class StepState:
    """The fold for one step. Times are UTC ISO 8601; `seconds` adds up its attempts."""

    id: str
    status: StepStatus = StepStatus.PENDING
    attempt: int = 0
    tries: int = 0
    started: str = ""
    ended: str = ""
    undone: str = ""
    seconds: float = 0.0
    key: str = ""
    baseline: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, Any] = field(default_factory=dict)
    report: Mapping[str, Any] = field(default_factory=dict)
    memory: dict[str, Any] = field(default_factory=dict)
    children: list[Mapping[str, Any]] = field(default_factory=list)
    checks: list[Mapping[str, Any]] = field(default_factory=list)
    error: Mapping[str, Any] = field(default_factory=dict)
    evidence: str = ""
    reason: str = ""
    until: str = ""
    gate: Mapping[str, Any] = field(default_factory=dict)
    approved: bool = False
    adopted: bool = False
    reproved: Mapping[str, Any] = field(default_factory=dict)
    effect_sent: bool = False
    """An INTENT is open: no OUTCOME with a proven end followed it."""


@dataclass
class RunState:
    """The fold for a whole run."""

    run_id: str = ""
    runbook: str = ""
    runbook_digest: str = ""
    mode: str = ""
    account: str = ""
    region: str = ""
    who: str = ""
    created: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, Any] = field(default_factory=dict)
    steps: dict[str, StepState] = field(default_factory=dict)
    runner: Mapping[str, Any] = field(default_factory=dict)
    stopped: Mapping[str, Any] = field(default_factory=dict)
    paused: bool = False
    aborted: bool = False
    outcome: str = ""
    ended: str = ""
    ponr: dict[str, str] = field(default_factory=dict)
    decisions: list[Mapping[str, Any]] = field(default_factory=list)
    measured: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    last_seq: int = 0

    def step(self, step_id: str) -> StepState:
        """The state of one step; PENDING if no record names it."""
        return self.steps.setdefault(step_id, StepState(step_id))

    @property
    def in_doubt(self) -> list[str]:
        """Steps whose effect may have happened."""
        return [s.id for s in self.steps.values() if s.status is StepStatus.IN_DOUBT]

    def with_status(self, *statuses: StepStatus) -> list[StepState]:
        """Steps in one of these statuses."""
        return [s for s in self.steps.values() if s.status in statuses]


def seconds_between(start: str, end: str) -> float:
    """Seconds from one ISO 8601 time to another; 0 when one is missing."""
    if not start or not end:
        return 0.0
    return max(0.0, (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds())


def fold(records: Iterable[Record], state: RunState | None = None) -> RunState:
    """Adds records to a state. Folding in one go and in pieces gives the same."""
    state = state or RunState()
    for record in records:
        state.last_seq = record.seq
        if record.step:
            _fold_step(state, state.step(record.step), record)
        else:
            _fold_run(state, record)
    return state


def _fold_run(state: RunState, record: Record) -> None:
    body = record.body
    match record.kind:
        case Kind.RUN_CREATED:
            for name in (
                "run_id",
                "runbook",
                "runbook_digest",
                "mode",
                "account",
                "region",
                "who",
                "created",
            ):
                setattr(state, name, str(body.get(name, "")))
            state.values = body.get("values", {})
            state.versions = body.get("versions", {})
        case Kind.RUNNER_STARTED:
            state.runner, state.stopped = {**body, "at": record.at, "seq": record.seq}, {}
            # Whatever the earlier runner had under way, nobody knows how it ended.
            for step in state.with_status(StepStatus.RUNNING):
                step.status = StepStatus.IN_DOUBT if step.effect_sent else StepStatus.PENDING
        case Kind.RUNNER_STOPPED:
            state.stopped = body
        case Kind.DECISION:
            state.decisions.append({**body, "at": record.at})
        case Kind.PAUSED:
            state.paused = True
        case Kind.CONTINUED:
            state.paused = False
        case Kind.ABORTED:
            state.aborted = True
        case Kind.VALUES_FOUND:
            state.values = {**state.values, **body["values"]}
        case Kind.MEASURED:
            state.measured[str(body["name"])] = body["values"]
        case Kind.FINISHED:
            state.outcome, state.ended = str(body["outcome"]), record.at
        case _:
            raise ValueError(f"record {record.seq}: {record.kind} without a step")


def _close(step: StepState, at: str) -> None:
    _stop_clock(step, at)
    step.effect_sent = False


def _stop_clock(step: StepState, at: str) -> None:
    """Adds the time since the last INTENT once, however often the step is settled without a new one."""
    if not step.ended:
        step.seconds += seconds_between(step.started, at)
    step.ended = at


def _fold_step(state: RunState, step: StepState, record: Record) -> None:  # noqa: C901 - one case a kind
    body, at = record.body, record.at
    match record.kind:
        case Kind.INTENT:
            step.attempt, step.started, step.ended = int(body["attempt"]), at, ""
            step.status, step.effect_sent = StepStatus.RUNNING, True
            step.key = str(body.get("key", ""))
            step.children, step.error, step.checks = [], {}, []
            if not step.baseline:
                step.baseline = body.get("baseline", {})
        case Kind.SPAWNED:
            step.children.append(body["child"])
        case Kind.NOTED:
            step.memory.update(body["values"])
        case Kind.OUTCOME:
            step.error = body.get("error") or {}
            if not body["ok"] and step.error.get("kind") != "Refused":
                step.status = StepStatus.IN_DOUBT
        case Kind.PROBED:
            step.evidence = str(body.get("evidence", ""))
        case Kind.VERIFIED:
            step.checks = list(body["checks"])
        case Kind.DONE:
            step.status, step.adopted = StepStatus.DONE, bool(body.get("adopted"))
            step.outputs, step.report = body.get("outputs", {}), body.get("report", {})
            step.error, step.reason, step.reproved = {}, "", {}
            _close(step, at)
        case Kind.FAILED:
            step.status, step.error = StepStatus.FAILED, body.get("error") or {}
            _close(step, at)
        case Kind.BLOCKED:
            step.status, step.reason = StepStatus.BLOCKED, str(body.get("reason", ""))
            step.evidence, step.error = str(body.get("evidence", "")), body.get("error") or {}
            _stop_clock(step, at)
        case Kind.RETRIED:
            step.status = StepStatus.IN_DOUBT if step.effect_sent else StepStatus.PENDING
            step.tries += 1
        case Kind.SKIPPED:
            step.status, step.reason = StepStatus.SKIPPED, str(body.get("reason", ""))
            _close(step, at)
        case Kind.UNDO_INTENT:
            step.status = StepStatus.UNDOING
        case Kind.UNDONE:
            step.status, step.effect_sent, step.approved, step.baseline = StepStatus.UNDONE, False, False, {}
            step.undone = at
        case Kind.UNDO_FAILED:
            step.status, step.error = StepStatus.UNDO_FAILED, body.get("error") or {}
        case Kind.REPROVED:
            step.reproved = {**body, "at": at}
        case Kind.WAIT_STARTED:
            step.status, step.until, step.started = StepStatus.WAITING, str(body["until"]), at
        case Kind.GATE_OPENED:
            step.status, step.started = StepStatus.WAITING, step.started or at
            step.gate = {**body, "at": at, "seq": record.seq}
        case Kind.DECISION:
            state.decisions.append({**body, "at": at})
            if body.get("command") == "approve" and not body.get("refused"):
                step.approved = True
        case Kind.PONR_PASSED:
            state.ponr[str(body["which"])] = at
        case _:
            raise ValueError(f"record {record.seq}: {record.kind} does not belong to a step")
