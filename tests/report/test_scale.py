"""The axis of the timeline."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from migrator.report.scale import TimeScale, clock, nice_step
from tests.report.stories import BEGUN


def at(seconds: float) -> datetime:
    return BEGUN + timedelta(seconds=seconds)


def test_short_runs_are_drawn_to_scale() -> None:
    scale = TimeScale(at(0), at(100), [(at(10), at(40)), (at(30), at(60)), (at(70), at(95))])
    assert [scale.place(at(s)) for s in (0, 25, 60, 100)] == [0, 25, 60, 100]
    assert not any(stretch.squeezed for stretch in scale.stretches)


def test_a_day_of_waiting_does_not_hide_the_work() -> None:
    scale = TimeScale(at(0), at(86_600), [(at(0), at(100)), (at(86_500), at(86_600))])
    (gap,) = [stretch for stretch in scale.stretches if stretch.squeezed]
    assert gap.seconds == 86_400
    assert gap.right - gap.left == pytest.approx(100 * 30 / 230)
    places = [scale.place(at(s)) for s in (0, 100, 43_000, 86_500, 86_600)]
    assert places == sorted(places)
    assert all(not gap.left < place < gap.right for place, _ in scale.ticks())


def test_moments_outside_are_at_the_edge() -> None:
    scale = TimeScale(at(0), at(10), [])
    assert (scale.place(at(-5)), scale.place(at(50))) == (0, 100)
    assert TimeScale(at(0), at(0), []).place(at(0)) == 0


def test_ticks_are_round_and_apart() -> None:
    scale = TimeScale(at(0), at(200), [(at(0), at(200))])
    assert [text for _, text in scale.ticks()] == ["0:00", "1:00", "2:00", "3:00"]
    assert (nice_step(8), nice_step(3_000), nice_step(20 * 86_400)) == (2, 600, 3 * 86_400)
    assert (clock(90), clock(3_700), clock(200_000)) == ("1:30", "1:01:40", "2 d 7:33:20")
