"""P1 to P3 in the simulated world: whatever a crash interrupts, resuming ends in the same world."""

from __future__ import annotations

import copy

import pytest

from migrator.model.records import Kind
from migrator.model.state import StepStatus, fold
from tests.engine.books import SPECS, every_class
from tests.engine.world import SimulatedCrash, Simulation


def undisturbed() -> tuple[Simulation, int]:
    simulation = Simulation.begin(every_class(), SPECS)
    assert simulation.start() == "done"
    return simulation, simulation.world.crash.count


def crash(simulation: Simulation, at: int) -> bool:
    """Starts a runner that dies at a point; false when it ended before."""
    try:
        simulation.start(at)
    except SimulatedCrash:
        return True
    return False


def assert_same(simulation: Simulation, reference: Simulation) -> None:
    assert simulation.world.snapshot() == reference.world.snapshot()
    state = fold(simulation.journal.rows)
    expected = fold(reference.journal.rows)
    assert {s.id: s.status for s in state.steps.values()} == {s.id: s.status for s in expected.steps.values()}
    assert state.outcome == "done"
    done = [r.step for r in simulation.journal.rows if r.kind is Kind.DONE]
    assert len(done) == len(set(done)), "a DONE step was executed again"


def test_the_undisturbed_run_makes_everything_once() -> None:
    reference, _ = undisturbed()
    assert set(reference.world.made.values()) == {1}
    assert all(s.status is StepStatus.DONE for s in fold(reference.journal.rows).steps.values())


def test_every_single_crash_point() -> None:
    reference, points = undisturbed()
    assert points > 60
    for at in range(1, points + 1):
        simulation = Simulation.begin(every_class(), SPECS)
        assert crash(simulation, at)
        assert simulation.start() == "done", at
        assert_same(simulation, reference)


@pytest.mark.crash
def test_every_pair_of_crash_points() -> None:
    reference, points = undisturbed()
    for first in range(1, points + 1):
        once = Simulation.begin(every_class(), SPECS)
        assert crash(once, first)
        second = 0
        while True:
            second += 1
            twice = copy.deepcopy(once)
            if not crash(twice, second):
                break
            assert twice.start() == "done", (first, second)
            assert_same(twice, reference)


def test_intent_is_durable_before_any_effect() -> None:
    """P2: at every crash point, what stands in the world has an INTENT in the journal."""
    _, points = undisturbed()
    for at in range(1, points + 1):
        simulation = Simulation.begin(every_class(), SPECS)
        crash(simulation, at)
        intents = {r.step for r in simulation.journal.rows if r.kind is Kind.INTENT}
        assert set(simulation.world.alive) <= intents
        assert set(simulation.world.parts) <= intents


@pytest.mark.parametrize("at", [5, 20, 40])
def test_a_crash_forgets_nothing_of_what_was_done(at: int) -> None:
    simulation = Simulation.begin(every_class(), SPECS)
    crash(simulation, at)
    before = list(simulation.journal.rows)
    simulation.start()
    assert simulation.journal.rows[: len(before)] == before
