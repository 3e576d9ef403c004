"""Gates, waits and what people order: everything a person or the clock decides."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from migrator.contracts.journal import Order
from migrator.contracts.params import parse_seconds
from migrator.contracts.surroundings import Clock
from migrator.engine.book import Book, describe
from migrator.engine.inputs import scope
from migrator.engine.protocol import StepProtocol
from migrator.errors import Refused
from migrator.model.expressions import ExpressionError, resolve
from migrator.model.records import Kind
from migrator.model.runbook import AutoApprove, Gate, Runbook, Step, StepKind
from migrator.model.state import StepStatus

Submit = Callable[[Callable[[], None]], None]
"""Starts slow work."""


@dataclass(frozen=True)
class Policy:
    """How a run is led where the runbook leaves a choice.

    `auto_approve` is `--yes`; `rehearsal` lets it answer gates that allow it on a twin and takes the shorter
    waits; `confirm` is `--confirm`: it answers the one gate that asks for this very text, and outside a rehearsal
    nothing else answers a gate that asks for one. `attended` keeps the runner alive for decisions; otherwise it
    stops when only those are left. `only_look` asks the world about what is done or in doubt, and sends nothing.
    """

    auto_approve: bool = False
    confirm: str = ""
    rehearsal: bool = False
    attended: bool = False
    only_look: bool = False
    max_parallel: int = 6
    longest_wait_seconds: float = 600.0
    reprove_after_seconds: float = 60.0
    who: str = ""
    host: str = ""

    def answers(self, gate: Gate, expected: str) -> bool:
        """Whether this gate, which expects this typed text (or none), may be approved without a person."""
        if expected and self.confirm == expected:
            return True
        if not self.auto_approve or (expected and not self.rehearsal):
            return False
        return gate.auto is AutoApprove.ALWAYS or (gate.auto is AutoApprove.REHEARSAL and self.rehearsal)


class Decisions:
    """Opens and passes gates, starts and ends waits, takes orders. Every outcome is a record."""

    def __init__(
        self, runbook: Runbook, book: Book, protocol: StepProtocol, clock: Clock, policy: Policy
    ) -> None:
        self._runbook = runbook
        self._book = book
        self._protocol = protocol
        self._clock = clock
        self._policy = policy

    def expected_confirmation(self, gate: Gate) -> str:
        """The text to type, with expressions resolved; empty when none is asked."""
        return str(resolve(gate.confirm, scope(self._book.state))) if gate.confirm else ""

    def open_gate(self, step: Step) -> None:
        """Reads the evidence afresh and shows it; passes the gate when the policy may and all is green."""
        gate = _gate(step)
        try:
            expected = self.expected_confirmation(gate)
        except ExpressionError as wrong:
            return self._failed(step, wrong)
        checks = self._evidence(gate)
        self._book.append(
            Kind.GATE_OPENED,
            step=step.id,
            question=gate.question,
            yes=gate.yes,
            no=gate.no,
            confirm=expected,
            checks=checks,
        )
        already = self._book.step(step.id).approved
        if not already and not self._policy.answers(gate, expected):
            return None
        if not all(check["ok"] for check in checks):
            red = "; ".join(f"{c['name']}: {c['detail']}" for c in checks if not c["ok"])
            error = describe(
                Refused(
                    "the evidence for this gate is not green", detail=red, next="mend the cause, then retry"
                )
            )
            self._book.append(
                Kind.BLOCKED, step=step.id, attempt=0, reason=error["what"], evidence=red, error=error
            )
            return None
        if not already:
            self._decide("approve", step.id, by="policy", who=self._policy.who, host=self._policy.host)
        self._pass_gate(step)
        return None

    def _failed(self, step: Step, error: Exception) -> None:
        self._book.append(Kind.FAILED, step=step.id, attempt=0, error=describe(error))

    def approve(self, step: Step, order: Order) -> None:
        """A person's yes: refused when the evidence is not green and fresh, or the typed text differs."""
        gate = _gate(step)
        opened = self._book.step(step.id).gate
        expected = str(opened.get("confirm", ""))
        if expected and order.confirm != expected:
            return self._refuse(order, f"type {expected!r} to approve this", step.id)
        age = (self._clock.now() - datetime.fromisoformat(str(opened["at"]))).total_seconds()
        checks = opened["checks"]
        if age > gate.max_age_seconds or not all(check["ok"] for check in checks):
            checks = self._evidence(gate)
            shown = {k: v for k, v in opened.items() if k not in ("step", "at", "seq", "checks")}
            self._book.append(Kind.GATE_OPENED, step=step.id, checks=checks, **shown)
        if not all(check["ok"] for check in checks):
            red = "; ".join(f"{c['name']}: {c['detail']}" for c in checks if not c["ok"])
            return self._refuse(order, f"the evidence is not green: {red}", step.id)
        self._accept(order, step.id)
        self._pass_gate(step)
        return None

    def _pass_gate(self, step: Step) -> None:
        if step.ponr and step.ponr.value not in self._book.state.ponr:
            self._book.append(Kind.PONR_PASSED, step=step.id, which=step.ponr.value)
        self._book.append(Kind.DONE, step=step.id, attempt=1, outputs={}, report={}, adopted=False)

    def _evidence(self, gate: Gate) -> list[dict[str, Any]]:
        """Every check of the named read-only steps, read now. A step that cannot be read is a red check."""
        checks: list[dict[str, Any]] = []
        for step_id in gate.evidence:
            step = self._runbook.step(step_id)
            try:
                if self._book.step(step_id).status is not StepStatus.DONE:
                    raise Refused(f"step {step_id} is {self._book.step(step_id).status.value}, not done")
                found = self._protocol.reverify(step).checks
                rows = [{"name": f"{step_id}: {c.name}", "ok": c.ok, "detail": c.detail} for c in found]
                rows = rows or [{"name": step_id, "ok": False, "detail": "no data"}]
            except Exception as error:  # noqa: BLE001 - what cannot be read is not green
                rows = [{"name": step_id, "ok": False, "detail": describe(error)["what"]}]
            at = self._clock.now().isoformat()
            checks += [{**row, "at": at} for row in rows]
        return checks

    def start_wait(self, step: Step) -> None:
        """Records until when to wait; found again after any restart."""
        wait = step.wait
        if wait is None:
            raise ValueError(f"step {step.id} is not a wait")
        if self._policy.rehearsal and wait.rehearsal_seconds is not None:
            seconds = wait.rehearsal_seconds
        else:
            try:
                asked = float(parse_seconds(resolve(wait.seconds, scope(self._book.state))))
            except (ExpressionError, ValueError) as error:
                return self._failed(step, error)
            seconds = max(asked, wait.at_least_seconds)
        until = self._clock.now() + timedelta(seconds=seconds)
        self._book.append(Kind.WAIT_STARTED, step=step.id, until=until.isoformat(), reason=wait.reason)
        return None

    def end_wait(self, step: Step) -> bool:
        """Whether the time has come; then the step is DONE."""
        until = datetime.fromisoformat(self._book.step(step.id).until)
        if self._clock.now() < until:
            return False
        self._book.append(Kind.DONE, step=step.id, attempt=1, outputs={}, report={}, adopted=False)
        return True

    def take(self, order: Order, submit: Submit, running: Mapping[str, Any]) -> None:
        """Carries out one order. Slow ones (approve, undo) go to `submit`."""
        step = None
        if order.step:
            try:
                step = self._runbook.step(order.step)
            except KeyError:
                return self._refuse(order, f"there is no step {order.step!r}")
        match order.command:
            case "pause" | "interrupt":
                self._accept(order)
                self._book.append(Kind.PAUSED)
            case "continue":
                self._accept(order)
                self._book.append(Kind.CONTINUED)
            case "abort":
                self._accept(order)
                self._book.append(Kind.ABORTED, who=order.who, reason=order.reason)
            case "approve" | "retry" | "skip" | "undo":
                self._take_for_step(order, step, submit, running)
            case _:
                self._refuse(order, f"unknown command {order.command!r}")
        return None

    def meant(self, order: Order) -> str:
        """The step that an order is about, also when it names none; empty when that is not clear."""
        if order.step or order.command not in ("approve", "retry", "skip", "undo"):
            return order.step
        candidates = self._candidates(order.command)
        return candidates[0].id if len(candidates) == 1 else ""

    def _take_for_step(
        self,
        order: Order,
        step: Step | None,
        submit: Submit,
        running: Mapping[str, Any],
    ) -> None:
        if step is None:
            candidates = self._candidates(order.command)
            if len(candidates) != 1:
                names = ", ".join(s.id for s in candidates) or "none"
                return self._refuse(order, f"say which step to {order.command} (there: {names})")
            step = candidates[0]
        status = self._book.step(step.id).status
        if step.id in running:
            return self._refuse(order, f"step {step.id} is at work")
        match order.command:
            case "approve" if status is StepStatus.WAITING and step.gate is not None:
                gate_step = step
                submit(lambda: self.approve(gate_step, order))
            case "retry" if status in _RETRIABLE:
                self._accept(order, step.id)
                self._book.append(Kind.RETRIED, step=step.id)
            case "skip" if status in _SKIPPABLE and not order.reason.strip():
                self._refuse(order, "a skip needs a reason")
            case "skip" if status in _SKIPPABLE and (step.ponr or step.kind is StepKind.GATE):
                self._refuse(order, f"step {step.id} is a safeguard and cannot be skipped")
            case "skip" if status in _SKIPPABLE:
                self._accept(order, step.id)
                self._book.append(Kind.SKIPPED, step=step.id, reason=order.reason, who=order.who)
            case "undo" if step.kind is not StepKind.ACTION:
                self._refuse(order, f"step {step.id} is a {step.kind.value}: there is nothing to take back")
            case "undo" if status in _UNDOABLE and not self._built_upon(step):
                self._accept(order, step.id)
                undone = step
                self._book.append(Kind.UNDO_INTENT, step=step.id)
                submit(lambda: self._undo(undone))
            case "undo" if status in _UNDOABLE:
                self._refuse(order, f"undo first what was built upon it: {', '.join(self._built_upon(step))}")
            case _:
                self._refuse(order, f"step {step.id} is {status.value}: {order.command} does not apply")
        return None

    def _undo(self, step: Step) -> None:
        self._protocol.undo(step)

    def _built_upon(self, step: Step) -> list[str]:
        untouched = (StepStatus.PENDING, StepStatus.SKIPPED, StepStatus.UNDONE)
        return [
            s.id
            for s in self._runbook.steps()
            if step.id in s.needs
            and s.kind is StepKind.ACTION
            and self._book.step(s.id).status not in untouched
        ]

    def _candidates(self, command: str) -> list[Step]:
        wanted = {"approve": (StepStatus.WAITING,), "retry": _RETRIABLE, "skip": _RETRIABLE, "undo": ()}[
            command
        ]
        steps = [s for s in self._runbook.steps() if self._book.step(s.id).status in wanted]
        return [s for s in steps if s.gate is not None] if command == "approve" else steps

    def _accept(self, order: Order, step: str = "") -> None:
        said = {"confirm": order.confirm, "shown": order.shown}
        self._decide(order.command, step or order.step, **_by_person(order), **said)

    def _refuse(self, order: Order, why: str, step: str = "") -> None:
        self._decide(order.command, step or order.step, **_by_person(order), refused=why)

    def _decide(self, command: str, step: str, **facts: Any) -> None:
        body: dict[str, Any] = {"command": command, **facts}
        known = bool(step) and any(s.id == step for s in self._runbook.steps())
        if known:
            body["step"] = step
        elif step:
            body["named"] = step
        self._book.append(Kind.DECISION, **body)


_RETRIABLE = (
    StepStatus.FAILED,
    StepStatus.BLOCKED,
    StepStatus.UNDONE,
    StepStatus.UNDO_FAILED,
    StepStatus.IN_DOUBT,
)
_SKIPPABLE = (StepStatus.FAILED, StepStatus.BLOCKED, StepStatus.PENDING, StepStatus.UNDONE)
_UNDOABLE = (
    StepStatus.FAILED,
    StepStatus.BLOCKED,
    StepStatus.DONE,
    StepStatus.IN_DOUBT,
    StepStatus.UNDO_FAILED,
)


def _by_person(order: Order) -> dict[str, Any]:
    return {"by": "person", "who": order.who, "host": order.host, "reason": order.reason, "order": order.id}


def _gate(step: Step) -> Gate:
    if step.gate is None:
        raise ValueError(f"step {step.id} is not a gate")
    return step.gate
