"""P1 to P3 for the whole habitcraft runbook, with the real actions' effect classes, in the simulated world.

A crash loses what a runner has in memory and nothing else. So a run is walked once, and at each point where it
could die a copy of world and journal is taken: resuming that copy is resuming after a crash there.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import pytest

from migrator.loading.runbook import load_runbook
from migrator.model.records import Kind
from migrator.model.state import RunState, StepStatus, fold
from migrator.resources import shipped
from migrator.runner.compose import catalogue
from tests.engine.world import CrashPlan, MemoryJournal, SimulatedClock, SimulatedCrash, Simulation, World

_RANDOM_PAIRS = 2_000


class Snapshots(CrashPlan):
    """Takes a copy of everything that outlives a runner, at every point where it can die."""

    def __init__(self, simulation: Simulation) -> None:
        super().__init__()
        self.taken: list[Simulation] = []
        self._simulation = simulation

    def point(self) -> None:
        super().point()
        self.taken.append(after_crash(self._simulation))


def after_crash(simulation: Simulation) -> Simulation:
    """What a new runner finds: the world, the journal's records, the inbox, the time."""
    crash = CrashPlan()
    world, old = simulation.world, simulation.journal
    clock = SimulatedClock(simulation.clock.time)
    copied = World(crash, dict(world.made), dict(world.alive), {n: set(p) for n, p in world.parts.items()})
    journal = MemoryJournal(clock, crash, list(old.rows), list(old.inbox))
    return replace(simulation, world=copied, journal=journal, clock=clock)


def walk(simulation: Simulation) -> list[Simulation]:
    """Runs to the end; gives a copy for every point at which the runner could have died."""
    plan = Snapshots(simulation)
    assert simulation.start(plan=plan) == "done"
    return plan.taken


def begin() -> Simulation:
    specs = catalogue()
    file = shipped("runbooks") / "habitcraft.yaml"
    return Simulation.begin(load_runbook(file, specs, shipped("terraform") / "stacks"), specs)


@cache
def reference() -> tuple[Simulation, RunState, list[Simulation]]:
    """The undisturbed run, its fold, and all its crash points."""
    simulation = begin()
    points = walk(simulation)
    return simulation, fold(simulation.journal.rows), points


def assert_same_end(simulation: Simulation) -> None:
    undisturbed, expected, _ = reference()
    assert simulation.world.snapshot() == undisturbed.world.snapshot()
    state = fold(simulation.journal.rows)
    assert {s.id: s.status for s in state.steps.values()} == {s.id: s.status for s in expected.steps.values()}
    assert (state.outcome, state.ponr.keys()) == ("done", expected.ponr.keys())
    done = [r.step for r in simulation.journal.rows if r.kind is Kind.DONE]
    assert len(done) == len(set(done)), "a DONE step was executed again"


def test_the_undisturbed_run_settles_every_step_once() -> None:
    simulation, state, points = reference()
    steps = [step.id for step in simulation.runbook.steps()]
    assert len(steps) > 50
    assert {state.step(name).status for name in steps} == {StepStatus.DONE}
    assert set(simulation.world.made.values()) == {1}
    assert state.ponr.keys() == {"new_writes", "deletion"}
    assert len(points) > 10 * len(steps)


def test_a_copy_is_what_a_real_crash_leaves() -> None:
    """The walk with copies and a runner that really dies agree, at points all over the run."""
    _, _, points = reference()
    for at in range(1, len(points) + 1, 71):
        died = begin()
        with pytest.raises(SimulatedCrash):
            died.start(at)
        copied = points[at - 1]
        assert died.world.snapshot() == copied.world.snapshot()
        assert died.journal.rows == copied.journal.rows
        assert died.clock.time == copied.clock.time


def test_intents_stand_before_effects_at_every_point() -> None:
    """P2."""
    for point in reference()[2]:
        intents = {r.step for r in point.journal.rows if r.kind is Kind.INTENT}
        assert set(point.world.alive) | set(point.world.parts) <= intents


def test_every_single_crash_point() -> None:
    for number, point in enumerate(reference()[2], 1):
        resumed = after_crash(point)
        assert resumed.start() == "done", number
        assert_same_end(resumed)


def second_crashes(point: Simulation) -> tuple[list[Simulation], list[Simulation]]:
    """Second crash points after a first one: those before the step in doubt has settled, and the later ones."""
    in_work = {s.id for s in fold(point.journal.rows).with_status(StepStatus.RUNNING, StepStatus.IN_DOUBT)}
    resumed = after_crash(point)
    early: list[Simulation] = []
    late: list[Simulation] = []
    for copied in walk(resumed):
        state = fold(copied.journal.rows)
        if (early and not late and all(state.step(name).status.settled for name in in_work)) or late:
            late.append(copied)
        else:
            early.append(copied)
    return early, late


def pairs() -> Iterator[Simulation]:
    """See `test_pairs_of_crash_points`."""
    chosen = random.Random(20260103)
    points = reference()[2]
    each = -(-_RANDOM_PAIRS // len(points))
    for point in points:
        early, late = second_crashes(point)
        yield from early
        yield from chosen.sample(late, min(each, len(late)))


@pytest.mark.crash
def test_pairs_of_crash_points() -> None:
    """All pairs whose second crash falls before the step in doubt of the first has settled, and over 2,000 others.

    The others are equivalent to single crashes: once the interrupted step is settled, world and statuses are
    those of an undisturbed run at the same place, and the journal differs only in records about settled steps,
    which a resumed runner folds into the same statuses. The random pairs, with a fixed seed, try just that.
    """
    tried = 0
    for simulation in pairs():
        resumed = copy.copy(simulation)
        assert resumed.start() == "done"
        assert_same_end(resumed)
        tried += 1
    assert tried > _RANDOM_PAIRS
