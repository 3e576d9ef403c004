"""State is a fold: in pieces or at once, after a crash or without one, it is the same."""

from __future__ import annotations

import copy
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from migrator.errors import Refused
from migrator.model.records import Record
from migrator.model.state import RunState, fold
from tests.engine.books import SPECS, book, every_class, step
from tests.engine.stage import Part, Stage
from tests.engine.world import SimulatedCrash, Simulation


def crashed_run(points: list[int]) -> list[Record]:
    """Records of a run whose runners died at these points, one after the other."""
    simulation = Simulation.begin(every_class(), SPECS)
    for at in points:
        try:
            simulation.start(at)
        except SimulatedCrash:
            continue
    simulation.start()
    return simulation.journal.rows


def troubled_run() -> list[Record]:
    """Failures, refusals, skips, undos and retries."""
    stage = Stage(
        book(step("one"), step("two", "token", needs=("one",)), step("three", "read", needs=("two",))),
        one=Part(applies=[Refused("no")]),
        two=Part(applies=[RuntimeError("x"), Refused("no")]),
        three=Part(greens=[False]),
    )
    for command, name in [
        ("retry", "one"),
        ("retry", "two"),
        ("undo", "two"),
        ("pause", ""),
        ("continue", ""),
    ]:
        stage.start()
        stage.order(command, name)
    stage.start()
    stage.order("retry", "two")
    stage.order("skip", "three", reason="x")
    stage.order("nonsense", "one")
    stage.start()
    return stage.journal.rows


def in_pieces(rows: list[Record], cuts: list[int]) -> RunState:
    state = RunState()
    edges = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    for start, end in pairwise(edges):
        fold(rows[start:end], state)
    return state


TROUBLED = troubled_run()


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(1, 70), max_size=4), st.lists(st.integers(0, 150), max_size=8))
def test_folding_in_pieces_equals_folding_at_once(points: list[int], cuts: list[int]) -> None:
    rows = crashed_run(points)
    assert in_pieces(rows, cuts) == fold(rows)


@settings(deadline=None)
@given(st.lists(st.integers(0, len(TROUBLED)), max_size=8))
def test_folding_a_troubled_run_in_pieces(cuts: list[int]) -> None:
    assert in_pieces(TROUBLED, cuts) == fold(TROUBLED)
    assert in_pieces(TROUBLED, list(range(len(TROUBLED)))) == fold(TROUBLED)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, len(TROUBLED)))
def test_folding_changes_no_record(cut: int) -> None:
    rows = copy.deepcopy(TROUBLED)
    fold(rows[cut:], fold(rows[:cut]))
    assert rows == TROUBLED
