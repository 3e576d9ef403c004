"""Whole runs on the screen, led by the real engine over a told world."""

from __future__ import annotations

import pytest

from migrator.contracts.control import StartOptions
from migrator.model.records import Kind
from migrator.model.state import StepStatus, fold
from tests.tui.driving import Seat, play_run
from tests.tui.fake import FakeControl


@pytest.mark.engine
def test_a_whole_rehearsal_with_gates_answered_by_hand(control: FakeControl) -> None:
    folder = control.begin("habitcraft", "rehearse", StartOptions())

    async def act(seat: Seat) -> None:
        await seat.sees("ASKS YOU", 20)
        await seat.press("enter", "y")
        await seat.until(
            lambda: seat.run.known is not None and seat.run.known.step("approve_start").approved, 20
        )
        await seat.until(lambda: bool(seat.run.known and seat.run.known.gates()), 20)
        await seat.press("enter", "y")
        await seat.until(
            lambda: bool(seat.run.known and seat.run.known.step("compare").status is StepStatus.DONE), 20
        )
        await seat.until(lambda: bool(seat.run.known and seat.run.known.gates()), 20)
        await seat.press("enter")
        await seat.type("switch example.org")
        await seat.press("enter")
        await seat.until(lambda: "Nothing was decided" in seat.told())
        await seat.press(*["backspace"] * 3)
        await seat.type("com")
        await seat.press("enter")
        await seat.sees("The run has ended: done", 30)
        assert "PAST" in seat.text()

    play_run(control, folder, act)
    assert fold(control.run(folder).journal.rows).outcome == "done"


@pytest.mark.engine
def test_a_failing_step_is_tried_again_after_its_cause_is_gone(control: FakeControl) -> None:
    control.broken = {"network"}
    folder = control.begin("habitcraft", "rehearse", StartOptions(yes=True))

    async def act(seat: Seat) -> None:
        await seat.sees("has failed", 20)
        await seat.press("enter")
        assert "the server refused the connection" in seat.body()
        assert "Connection refused" in seat.body()
        control.broken.clear()
        await seat.press("t")
        await seat.until(
            lambda: bool(seat.run.known and seat.run.known.step("network").status is StepStatus.DONE), 20
        )

    play_run(control, folder, act)


@pytest.mark.engine
def test_a_killed_runner_is_followed_by_another_through_the_resume_screen(control: FakeControl) -> None:
    control.pauses["network"] = 2.0
    folder = control.begin("habitcraft", "rehearse", StartOptions(yes=True))
    journal = control.run(folder).journal

    async def act(seat: Seat) -> None:
        await seat.sees("What the next key does", 20)
        assert "IN DOUBT" in seat.body()
        await seat.press("enter")
        await seat.until(
            lambda: bool(seat.run.known and seat.run.known.step("database").status is StepStatus.DONE), 20
        )

    from tests.tui.fake import eventually

    eventually(lambda: fold(journal.records()).step("network").status is StepStatus.RUNNING)
    control.kill(folder)
    play_run(control, folder, act)
    assert sum(r.kind is Kind.RUNNER_STARTED for r in journal.rows) == 2
