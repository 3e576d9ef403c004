"""A simulated world in which a crash can be placed at every record and around every effect."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from migrator.contracts.action import ActionSpec, Check, Preview, Probe, Verdict, Verification
from migrator.contracts.context import StepContext
from migrator.contracts.journal import Order
from migrator.engine.book import Book
from migrator.engine.decisions import Policy
from migrator.engine.executor import Executor, InlinePool
from migrator.engine.protocol import StepProtocol
from migrator.model.records import Kind, Record
from migrator.model.runbook import EffectClass, Runbook, Step


class SimulatedCrash(BaseException):
    """The runner dies here."""


class CrashPlan:
    """Counts the points at which a runner can die, and dies at the wanted one."""

    def __init__(self, at: int | None = None) -> None:
        self.at = at
        self.count = 0

    def point(self) -> None:
        """One place where the runner can die."""
        self.count += 1
        if self.count == self.at:
            raise SimulatedCrash


class SimulatedClock:
    """Time that passes only when somebody waits."""

    def __init__(self, start: datetime | None = None) -> None:
        self.time = start or datetime(2026, 1, 3, 2, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=max(seconds, 1.0))


@dataclass
class MemoryJournal:
    """Records in a list; dies before or after an append when the plan says so. Bodies go through JSON."""

    clock: SimulatedClock
    crash: CrashPlan
    rows: list[Record] = field(default_factory=list)
    inbox: list[Order] = field(default_factory=list)

    def append(self, kind: Kind, body: Mapping[str, Any]) -> Record:
        self.crash.point()
        record = Record(
            len(self.rows) + 1, self.clock.now().isoformat(), kind, json.loads(json.dumps(body)), ""
        )
        self.rows.append(record)
        self.crash.point()
        return record

    def records(self, after: int = 0) -> Sequence[Record]:
        return self.rows[after:]

    def orders(self) -> Sequence[Order]:
        return list(self.inbox)

    def take(self, order: Order) -> None:
        self.crash.point()
        self.inbox.remove(order)
        self.crash.point()

    def set_progress(self, step: str, progress: Mapping[str, Any]) -> None:
        pass


@dataclass
class World:
    """What exists outside. `made` counts creations by name; `alive` are things that stand now."""

    crash: CrashPlan
    made: dict[str, int] = field(default_factory=dict)
    alive: dict[str, str] = field(default_factory=dict)
    parts: dict[str, set[str]] = field(default_factory=dict)
    reads: int = 0

    def snapshot(self) -> tuple[dict[str, str], dict[str, int], dict[str, set[str]]]:
        """What an observer would compare: what stands, how often it was made, its parts."""
        return dict(self.alive), dict(self.made), {name: set(parts) for name, parts in self.parts.items()}


@dataclass(frozen=True)
class Anything:
    """Parameters are not looked at."""


PARTS = ("first", "second")


class SimulatedAction:
    """One step's stand-in with the effect class of the real action. A deletion removes what was there."""

    def __init__(self, world: World, step: Step, spec: ActionSpec) -> None:
        self.world = world
        self.step = step
        self.spec = ActionSpec(spec.name, spec.summary, spec.effect, Anything, reprove=spec.reprove)

    def preview(self, ctx: StepContext[Any]) -> Preview:
        return Preview((self.step.title,))

    def probe(self, ctx: StepContext[Any]) -> Probe:
        self.world.crash.point()
        name = self.step.id
        if self.spec.effect is EffectClass.DELETE:
            gone = self.world.alive.get(name) == "deleted"
            return Probe(Verdict.OURS if gone else Verdict.ABSENT, "looked")
        owner = self.world.alive.get(name)
        if owner is not None:
            return Probe(Verdict.OURS if owner == ctx.key else Verdict.FOREIGN, f"held by {owner}")
        if self.world.parts.get(name):
            return Probe(Verdict.PARTIAL, f"{len(self.world.parts[name])} of {len(PARTS)} parts")
        return Probe(Verdict.ABSENT, "not there")

    def apply(self, ctx: StepContext[Any]) -> None:
        world, name = self.world, self.step.id
        if self.spec.effect is EffectClass.READ:
            return
        world.crash.point()
        if self.spec.effect is EffectClass.DELETE:
            world.made[name] = world.made.get(name, 0) + 1
            world.alive[name] = "deleted"
        elif self.spec.effect in (EffectClass.TERRAFORM, EffectClass.DATA_LOAD, EffectClass.SWAP):
            held = world.parts.setdefault(name, set())
            for part in PARTS:
                if part not in held:
                    held.add(part)
                    world.made[f"{name}.{part}"] = world.made.get(f"{name}.{part}", 0) + 1
                    world.crash.point()
            world.alive[name] = ctx.key
        else:
            world.made[name] = world.made.get(name, 0) + 1
            world.alive[name] = ctx.key
        world.crash.point()

    def verify(self, ctx: StepContext[Any]) -> Verification:
        self.world.crash.point()
        self.world.reads += 1
        if self.spec.effect is EffectClass.READ:
            return Verification((Check("read", True),))
        there = self.world.alive.get(self.step.id) in (ctx.key, "deleted")
        return Verification((Check("there", there),))

    def undo(self, ctx: StepContext[Any]) -> None:
        self.world.crash.point()
        if self.world.alive.get(self.step.id) == ctx.key:
            del self.world.alive[self.step.id]
        self.world.crash.point()
        self.world.parts.pop(self.step.id, None)


def simple(runbook: Runbook) -> Runbook:
    """The same graph without values: parameters, typed texts and lengths of waits play no part in a crash."""

    def strip(step: Step) -> Step:
        gate = replace(step.gate, confirm="") if step.gate else None
        wait = (
            replace(step.wait, seconds=1.0, at_least_seconds=0.0, rehearsal_seconds=None)
            if step.wait
            else None
        )
        return replace(step, params={}, gate=gate, wait=wait)

    phases = tuple(replace(p, steps=tuple(strip(s) for s in p.steps)) for p in runbook.phases)
    return replace(runbook, phases=phases)


@dataclass
class Simulation:
    """A run in the simulated world that can be started again after a crash."""

    runbook: Runbook
    specs: Mapping[str, ActionSpec]
    world: World
    journal: MemoryJournal
    clock: SimulatedClock

    @classmethod
    def begin(cls, runbook: Runbook, specs: Mapping[str, ActionSpec]) -> Simulation:
        crash = CrashPlan()
        clock = SimulatedClock()
        journal = MemoryJournal(clock, crash)
        journal.append(
            Kind.RUN_CREATED, {"run_id": "r1", "runbook": runbook.name, "mode": "rehearse", "values": {}}
        )
        crash.count = 0
        return cls(simple(runbook), specs, World(crash), journal, clock)

    def start(
        self, crash_at: int | None = None, *, policy: Policy | None = None, plan: CrashPlan | None = None
    ) -> str:
        """A new runner: gives its reason to end; `SimulatedCrash` when it died."""
        crash = plan or CrashPlan(crash_at)
        self.journal.crash = self.world.crash = crash
        book = Book(self.journal)
        book.append(Kind.RUNNER_STARTED, pid=1)
        actions: dict[str, Any] = {}
        for step in self.runbook.steps():
            if step.action:
                actions[step.id] = SimulatedAction(self.world, step, self.specs[step.action])
        protocol = _ByStep(book, actions, self._context, self.clock, lambda attempt: 1.0)
        executor = Executor(
            self.runbook,
            book,
            protocol,
            self.clock,
            policy or Policy(auto_approve=True, rehearsal=True, longest_wait_seconds=1e9),
            InlinePool(),
        )
        return executor.run()

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
            region="us-west-2",
            tools=None,  # type: ignore[arg-type]
            channel=None,  # type: ignore[arg-type]
        )


class _ByStep(StepProtocol):
    """Each step has a stand-in of its own, whatever action it names."""

    def action(self, step: Step) -> Any:
        return self._actions[step.id]
