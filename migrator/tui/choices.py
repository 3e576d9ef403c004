"""What may be done about a step now, with its consequence; what may not, and why. Mirrors the engine's own rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from migrator.model.expressions import ExpressionError, references
from migrator.model.runbook import Runbook, Step, StepKind
from migrator.model.state import StepStatus
from migrator.tui.watch import Watch

Command = Literal["retry", "mend", "skip", "undo", "abort", "detach"]

_RETRIABLE = frozenset(
    {
        StepStatus.FAILED,
        StepStatus.BLOCKED,
        StepStatus.UNDONE,
        StepStatus.UNDO_FAILED,
        StepStatus.IN_DOUBT,
    }
)
_SKIPPABLE = frozenset({StepStatus.FAILED, StepStatus.BLOCKED, StepStatus.PENDING, StepStatus.UNDONE})
_UNDOABLE = frozenset(
    {
        StepStatus.FAILED,
        StepStatus.BLOCKED,
        StepStatus.DONE,
        StepStatus.IN_DOUBT,
        StepStatus.UNDO_FAILED,
    }
)
_UNTOUCHED = frozenset({StepStatus.PENDING, StepStatus.SKIPPED, StepStatus.UNDONE})


@dataclass(frozen=True)
class Choice:
    """One way to go on. `refused` says why it cannot be chosen now; empty when it can."""

    command: Command
    key: str
    title: str
    consequence: str
    refused: str = ""
    asks_reason: bool = False
    typed: str = ""


def choices(watch: Watch, step: Step, *, read_only: bool = False) -> list[Choice]:
    """All ways to go on with a step, in the order of safety."""
    why_retry = _why_not_retry(watch, step)
    found = [
        Choice("retry", "t", "Try again", _retry_means(watch, step), why_retry),
        Choice("mend", "m", "Mend, then try again", _MEND, why_retry),
        Choice("undo", "u", "Undo this step", _undo_means(watch, step), _why_not_undo(watch, step)),
        Choice("skip", "s", "Skip this step", _SKIP, _why_not_skip(watch, step), asks_reason=True),
        Choice(
            "abort",
            "a",
            "End the run for good",
            _abort_means(watch),
            asks_reason=True,
            typed=f"end {watch.state.runbook}",
        ),
    ]
    if watch.state.outcome:
        found = [_with_refusal(choice, f"the run has ended: {watch.state.outcome}") for choice in found]
    if read_only:
        found = [
            _with_refusal(choice, "you only watch; press s on the run screen to steer") for choice in found
        ]
    return [*found, Choice("detach", "d", "Leave, decide later", _DETACH)]


_MEND = "Opens a shell in the run's folder. Mend the cause there, type exit, and the step is tried again."
_SKIP = "It counts as skipped, not as done, and the report says so with your reason. What needs it goes on without it."
_DETACH = "Closes this screen only. The run stays as it is, and waits."


def _abort_means(watch: Watch) -> str:
    stays = (
        "The twin is removed." if watch.state.mode == "rehearse" else "What was made stays, and costs money."
    )
    return f"Nothing more is done and nothing is taken back. The run cannot be continued. {stays}"


def _with_refusal(choice: Choice, why: str) -> Choice:
    return Choice(
        choice.command, choice.key, choice.title, choice.consequence, why, choice.asks_reason, choice.typed
    )


def _at_work(watch: Watch, step: Step) -> bool:
    return watch.step_status(step) in (StepStatus.RUNNING, StepStatus.UNDOING)


def _why_not_retry(watch: Watch, step: Step) -> str:
    status = watch.step_status(step)
    if _at_work(watch, step):
        return "it is at work now"
    if status is StepStatus.DONE:
        return "it is done, and a done step is never done again"
    if status not in _RETRIABLE:
        return "it has not been tried yet" if status is StepStatus.PENDING else f"it is {status.value}"
    return ""


def _retry_means(watch: Watch, step: Step) -> str:
    if watch.step(step).effect_sent or watch.step_status(step) is StepStatus.IN_DOUBT:
        return "First the world is asked what is there. Only what is missing is sent; nothing is sent twice."
    return "Nothing was sent before it failed. It begins again from its start."


def _why_not_skip(watch: Watch, step: Step) -> str:
    if step.gate is not None or step.kind is StepKind.GATE:
        return "it is a decision, and a decision is a safeguard"
    if step.ponr is not None:
        return "it is the point of no return, and a safeguard"
    if _at_work(watch, step):
        return "it is at work now"
    status = watch.step_status(step)
    if status is StepStatus.IN_DOUBT:
        return "nobody knows yet what it did; try again first, which only asks the world"
    if status not in _SKIPPABLE:
        return f"it is {status.value.replace('_', ' ')}"
    if users := users_of(watch.runbook, step):
        return f"what it gives is used by {', '.join(users[:3])}{'…' if len(users) > 3 else ''}"
    return ""


def users_of(runbook: Runbook, step: Step) -> list[str]:
    """Steps whose values come from this step's outputs."""
    found = []
    for other in runbook.steps():
        values: list[object] = [dict(other.params), other.gate.confirm if other.gate else ""]
        values.append(other.wait.seconds if other.wait else "")
        try:
            named = {reference.step for reference in references(values)}
        except ExpressionError:
            named = set()
        if step.id in named:
            found.append(other.id)
    return found


def _why_not_undo(watch: Watch, step: Step) -> str:
    if step.kind is not StepKind.ACTION:
        return "it changed nothing that could be taken back"
    if _at_work(watch, step):
        return "it is at work now"
    status = watch.step_status(step)
    if status not in _UNDOABLE:
        return "it has made nothing yet" if status is StepStatus.PENDING else f"it is {status.value}"
    if built := built_upon(watch, step):
        return f"undo first what was built upon it: {', '.join(built)}"
    return ""


def built_upon(watch: Watch, step: Step) -> list[str]:
    """Steps that need this one and have done something."""
    return [
        other.id
        for other in watch.runbook.steps()
        if step.id in other.needs
        and other.kind is StepKind.ACTION
        and watch.step_status(other) not in _UNTOUCHED
    ]


def _undo_means(watch: Watch, step: Step) -> str:
    told = step.back or "Takes back what this run made in this step, and nothing else."
    if "new_writes" in watch.state.ponr:
        told += " The point of no return is passed: what users wrote since then is only on the new side."
    return told
