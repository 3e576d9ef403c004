"""A stage for one scenario of the engine: every step's part is written down, everything it does is noted."""

from __future__ import annotations

import concurrent.futures
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from migrator.contracts.action import ActionSpec, Check, Preview, Probe, Verdict, Verification
from migrator.contracts.context import StepContext
from migrator.contracts.journal import Order
from migrator.engine.book import Book
from migrator.engine.decisions import Policy
from migrator.engine.executor import Executor, InlinePool, Pool
from migrator.engine.protocol import StepProtocol
from migrator.model.records import Kind
from migrator.model.runbook import EffectClass, Runbook, Step
from migrator.model.state import RunState, StepState, StepStatus, fold
from tests.engine.books import SPECS
from tests.engine.world import Anything, CrashPlan, MemoryJournal, SimulatedClock

Act = Callable[[StepContext[Any]], None]


@dataclass
class Part:
    """How one step behaves. Lists are used up from the front; after them it behaves well.

    `probes` answer before the truth does. `applies` raise, or are called, in place of a working `apply`.
    `greens` say how further verifications come out; None is a verification without a check.
    """

    probes: list[Verdict | BaseException] = field(default_factory=list)
    applies: list[BaseException | Act] = field(default_factory=list)
    greens: list[bool | None | BaseException] = field(default_factory=list)
    undos: list[BaseException | Act] = field(default_factory=list)
    outputs: Mapping[str, Any] = field(default_factory=dict)
    exists: bool = False
    owner: str = ""


class Player:
    """The action of one step."""

    def __init__(self, stage: Stage, step: Step, spec: ActionSpec) -> None:
        self._stage = stage
        self._step = step
        self._part = stage.parts[step.id]
        self.spec = ActionSpec(spec.name, spec.summary, spec.effect, Anything, reprove=spec.reprove)

    def _note(self, verb: str) -> None:
        self._stage.calls.append(f"{verb} {self._step.id}")

    def preview(self, ctx: StepContext[Any]) -> Preview:
        return Preview(())

    def probe(self, ctx: StepContext[Any]) -> Probe:
        self._note("probe")
        if self._part.probes:
            said = self._part.probes.pop(0)
            if isinstance(said, BaseException):
                raise said
            return Probe(said, f"{said.value} was said")
        return Probe(Verdict.OURS if self._part.exists else Verdict.ABSENT, "looked")

    def apply(self, ctx: StepContext[Any]) -> None:
        self._note("apply")
        if self._part.applies:
            scripted = self._part.applies.pop(0)
            if isinstance(scripted, BaseException):
                raise scripted
            scripted(ctx)
        if self.spec.effect is not EffectClass.READ:
            self._part.exists = True

    def verify(self, ctx: StepContext[Any]) -> Verification:
        self._note("verify")
        green: bool | None = True
        if self._part.greens:
            said = self._part.greens.pop(0)
            if isinstance(said, BaseException):
                raise said
            green = said
        if green is None:
            return Verification(())
        return Verification((Check("looked at", green, "" if green else "it is red"),), self._part.outputs)

    def undo(self, ctx: StepContext[Any]) -> None:
        self._note("undo")
        if self._part.undos:
            scripted = self._part.undos.pop(0)
            if isinstance(scripted, BaseException):
                raise scripted
            scripted(ctx)
        self._part.exists = False


class _ByStep(StepProtocol):
    def action(self, step: Step) -> Any:
        return self._actions[step.id]


class Stage:
    """One run: runners may come and go, the journal and the world stay."""

    def __init__(self, runbook: Runbook, values: Mapping[str, Any] | None = None, /, **parts: Part) -> None:
        self.runbook = runbook
        self.parts: dict[str, Part] = {step.id: parts.get(step.id, Part()) for step in runbook.steps()}
        self.calls: list[str] = []
        self.clock = SimulatedClock()
        self.journal = MemoryJournal(self.clock, CrashPlan())
        self.interrupted = threading.Event()
        self.executor: Executor | None = None
        self._orders = 0
        body = {
            "run_id": "r1",
            "runbook": "test",
            "mode": "run",
            "values": dict(values or {}),
            "account": "111122223333",
            "region": "eu",
            "created": self.clock.now().isoformat(),
        }
        self.journal.append(Kind.RUN_CREATED, body)

    def order(self, command: str, step: str = "", *, reason: str = "", confirm: str = "") -> None:
        """A person leaves a command."""
        self._orders += 1
        at = self.clock.now().isoformat()
        self.journal.inbox.append(
            Order(self._orders, at, command, step, "ann", "desk", reason, confirm, "what was shown")
        )

    def start(
        self,
        policy: Policy | None = None,
        *,
        pool: Pool | None = None,
        tick: Callable[[], None] = lambda: None,
        crash_at: int | None = None,
    ) -> str:
        """A new runner: gives its reason to end."""
        self.journal.crash = CrashPlan(crash_at)
        book = Book(self.journal)
        book.append(Kind.RUNNER_STARTED, pid=1, who="ann")
        players = {
            step.id: Player(self, step, SPECS[step.action]) for step in self.runbook.steps() if step.action
        }
        protocol = _ByStep(book, players, self._context, self.clock, lambda attempt: 1.0)
        self.executor = Executor(
            self.runbook,
            book,
            protocol,
            self.clock,
            policy or Policy(),
            pool or InlinePool(),
            interrupted=self.interrupted,
            tick=tick,
        )
        reason = self.executor.run()
        book.append(Kind.RUNNER_STOPPED, reason=reason)
        return reason

    def start_with_threads(
        self, policy: Policy | None = None, *, tick: Callable[[], None] = lambda: None
    ) -> str:
        """The same with steps really side by side."""
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            return self.start(policy, pool=pool, tick=tick)

    def _context(self, step: Step, params: Any, attempt: int, deadline_seconds: float) -> StepContext[Any]:
        return StepContext(
            run_id="r1",
            step_id=step.id,
            params=params,
            key=f"r1-{step.id}",
            attempt=attempt,
            work=Path(),
            shipped=Path(),
            tags={},
            baseline={},
            memory={},
            children=(),
            account="111122223333",
            region="eu",
            tools=None,  # type: ignore[arg-type]
            channel=None,  # type: ignore[arg-type]
        )

    @property
    def state(self) -> RunState:
        """The fold of all that was recorded."""
        return fold(self.journal.rows)

    def step(self, name: str) -> StepState:
        """One step of it."""
        return self.state.step(name)

    def status(self, name: str) -> StepStatus:
        """Where one step stands."""
        return self.step(name).status

    def kinds(self, name: str) -> list[Kind]:
        """The kinds of a step's records, in order."""
        return [r.kind for r in self.journal.rows if r.step == name]

    def count(self, call: str) -> int:
        """How often something was done: `apply network`."""
        return self.calls.count(call)

    def refusals(self) -> list[str]:
        """Why orders were refused."""
        return [str(r.body["refused"]) for r in self.journal.rows if r.body.get("refused")]
