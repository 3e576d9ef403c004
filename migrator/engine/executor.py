"""Leads a run: starts what is ready, side by side, until all is settled or only people and time are left."""

from __future__ import annotations

import concurrent.futures
import threading
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any, Protocol

from migrator.contracts.journal import Order
from migrator.contracts.surroundings import Clock
from migrator.engine.book import Book
from migrator.engine.decisions import Decisions, Policy
from migrator.engine.protocol import StepProtocol
from migrator.model.records import Kind
from migrator.model.runbook import Runbook, Step, StepKind
from migrator.model.state import StepStatus

_TICK_SECONDS = 0.1
_STUCK = (StepStatus.FAILED, StepStatus.BLOCKED, StepStatus.UNDO_FAILED)
_STARTABLE = (StepStatus.PENDING, StepStatus.IN_DOUBT)
_OPEN = (*_STARTABLE, StepStatus.WAITING)


class Pool(Protocol):
    """Where steps work."""

    def submit(self, work: Callable[[], Any], /) -> concurrent.futures.Future[Any]:
        """Starts work and gives its future."""
        ...


class InlinePool:
    """Works at once, in the caller: one thing after another, every exception passes through."""

    def submit(self, work: Callable[[], Any], /) -> concurrent.futures.Future[Any]:
        """Does the work now."""
        future: concurrent.futures.Future[Any] = concurrent.futures.Future()
        future.set_result(work())
        return future


class Executor:
    """One runner's main loop. `run` gives the reason why it ended."""

    def __init__(
        self,
        runbook: Runbook,
        book: Book,
        protocol: StepProtocol,
        clock: Clock,
        policy: Policy,
        pool: Pool,
        interrupted: threading.Event | None = None,
        tick: Callable[[], None] = lambda: None,
        conclude: Callable[[str], None] | None = None,
    ) -> None:
        self._runbook = runbook
        self._book = book
        self._protocol = protocol
        self._clock = clock
        self._policy = policy
        self._pool = pool
        self._interrupted = interrupted or threading.Event()
        self._tick = tick
        self._conclude = conclude or self._record_finish
        self._decisions = Decisions(runbook, book, protocol, clock, policy)
        self._running: dict[str, concurrent.futures.Future[Any]] = {}
        self._stopping = ""
        self._orders_at_work: set[int] = set()

    def stop(self, reason: str) -> None:
        """Asks the loop to end after the steps at work (a signal)."""
        self._stopping = reason

    def run(self) -> str:
        """Until done, aborted, failed, paused, waiting or stopped; the reason is also a record."""
        self._reprove()
        if self._policy.only_look:
            return self._look_at_doubts()
        self._go_on_undoing()
        while True:
            self._tick()
            self._reap()
            for order in self._book.journal.orders():
                self._take(order)
            started = self._start_ready()
            if self._running:
                concurrent.futures.wait(
                    self._running.values(),
                    timeout=_TICK_SECONDS,
                    return_when=concurrent.futures.FIRST_COMPLETED,
                )
                continue
            self._interrupted.clear()
            if started or self._book.journal.orders():
                continue
            reason = self._rest()
            if reason:
                return reason
            self._clock.sleep(_TICK_SECONDS)

    def _reap(self) -> None:
        for name, future in list(self._running.items()):
            if future.done():
                del self._running[name]
                future.result()

    def _take(self, order: Order) -> None:
        """An order is taken off the inbox only after its decision is a record: a crash never loses one."""
        if order.id in self._orders_at_work or self._comes_too_early(order):
            return

        name = self._decisions.meant(order)

        def submit(work: Callable[[], None]) -> None:
            self._orders_at_work.add(order.id)
            self._submit(name, lambda: self._carry_out(order, work))

        self._decisions.take(order, submit, self._running)
        if order.command == "interrupt":
            self._interrupted.set()
        if order.id not in self._orders_at_work:
            self._book.journal.take(order)

    def _comes_too_early(self, order: Order) -> bool:
        """A yes waits until the gate is read, or until the order before it is answered."""
        if order.command != "approve":
            return False
        gates = [order.step] if order.step else [step.id for step in self._runbook.steps() if step.gate]
        return any(gate in self._running for gate in gates)

    def _carry_out(self, order: Order, work: Callable[[], None]) -> None:
        work()
        self._book.journal.take(order)

    def _submit(self, name: str, work: Callable[[], Any]) -> None:
        self._running[name] = self._pool.submit(work)

    def _holding(self) -> bool:
        """Nothing new is started while someone is wanted, or the run is to end."""
        state = self._book.state
        return bool(self._stopping or state.paused or state.aborted or state.with_status(*_STUCK))

    def _start_ready(self) -> bool:
        """Starts what may start; true when any record may have followed."""
        started = False
        for step in self._runbook.steps():
            state = self._book.step(step.id)
            if state.status not in _OPEN or step.id in self._running or self._holding():
                continue
            if not all(self._book.step(need).status.settled for need in step.needs):
                continue
            if step.kind is StepKind.WAIT:
                started |= self._lead_wait(step, state.status)
            elif len(self._running) >= self._policy.max_parallel:
                continue
            elif step.kind is StepKind.ACTION and state.status in _STARTABLE:
                self._submit(step.id, _bound(self._protocol.run, step))
                started = True
            elif step.gate is not None and self._to_open(step, state.status):
                self._submit(step.id, _bound(self._decisions.open_gate, step))
                started = True
        return started

    def _lead_wait(self, step: Step, status: StepStatus) -> bool:
        if status is StepStatus.PENDING:
            self._decisions.start_wait(step)
            return True
        return status is StepStatus.WAITING and self._decisions.end_wait(step)

    def _to_open(self, step: Step, status: StepStatus) -> bool:
        """A gate is opened once by each runner, so that its evidence is of this runner's time."""
        if status is StepStatus.PENDING:
            return True
        opened = int(self._book.step(step.id).gate.get("seq", 0))
        return status is StepStatus.WAITING and opened < int(self._book.state.runner.get("seq", 0))

    def _rest(self) -> str:
        """Nothing is at work and nothing can start: why, or empty to look again."""
        state = self._book.state
        if state.aborted:
            return self._finish("aborted")
        if self._stopping:
            return self._stopping
        if all(self._book.step(step.id).status.settled for step in self._runbook.steps()):
            return self._finish("done")
        if self._policy.attended:
            return ""
        if state.with_status(*_STUCK):
            return "failed"
        if state.paused:
            return "paused"
        waiting = state.with_status(StepStatus.WAITING)
        if not waiting:
            return "failed"
        now = self._clock.now()
        untils = [datetime.fromisoformat(s.until) for s in waiting if s.until]
        if untils and min((u - now).total_seconds() for u in untils) <= self._policy.longest_wait_seconds:
            return ""
        return "waiting"

    def _finish(self, outcome: str) -> str:
        if not self._book.state.outcome:
            self._conclude(outcome)
        return outcome

    def _record_finish(self, outcome: str) -> None:
        self._book.append(Kind.FINISHED, outcome=outcome)

    def _reprove(self) -> None:
        """Before anything new is sent: what an earlier runner left DONE must still hold in the world."""
        work = [step for step in self._runbook.steps() if self._must_reprove(step)]
        ask = partial(self._protocol.reprove, only_look=self._policy.only_look)
        for future in [self._pool.submit(_bound(ask, step)) for step in work]:
            future.result()

    def _look_at_doubts(self) -> str:
        doubts = [s for s in self._runbook.steps() if self._book.step(s.id).status is StepStatus.IN_DOUBT]
        for future in [self._pool.submit(_bound(self._protocol.look, step)) for step in doubts]:
            future.result()
        return "looked"

    def _go_on_undoing(self) -> None:
        """An undo that an earlier runner had under way is taken to its end."""
        for step in self._runbook.steps():
            if self._book.step(step.id).status is StepStatus.UNDOING:
                self._submit(step.id, _bound(self._protocol.undo, step))

    def _must_reprove(self, step: Step) -> bool:
        state = self._book.step(step.id)
        if step.kind is not StepKind.ACTION or state.status is not StepStatus.DONE:
            return False
        if not self._protocol.action(step).spec.reprove:
            return False
        if step.holds_until and self._book.step(step.holds_until).status is not StepStatus.PENDING:
            return False
        if state.reproved and not state.reproved["ok"]:
            return True
        proven = str(state.reproved.get("at") or state.ended)
        age = (self._clock.now() - datetime.fromisoformat(proven)).total_seconds()
        return self._policy.only_look or age > self._policy.reprove_after_seconds


def _bound(function: Callable[[Step], Any], step: Step) -> Callable[[], Any]:
    return lambda: function(step)
