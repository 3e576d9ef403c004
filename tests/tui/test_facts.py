"""The top of the screen, what is asked, and what may be chosen: over told runs."""

from __future__ import annotations

from typing import Any

import pytest

from migrator.contracts.journal import Order
from migrator.engine.book import Book
from migrator.engine.decisions import Decisions, Policy
from migrator.model.downtime import Downtime, downtime
from migrator.model.records import Kind
from migrator.model.runbook import StepKind
from migrator.model.state import StepStatus
from migrator.tui.asks import ask
from migrator.tui.choices import built_upon, choices, users_of
from migrator.tui.facts import elapsed_seconds, expected_words, forecast, top_lines
from migrator.tui.paint import plain
from migrator.tui.resumetext import resume_lines
from migrator.tui.steptext import commands_of, step_lines
from migrator.tui.watch import Watch
from tests.tui.fake import SharedJournal, WallClock
from tests.tui.story import Story, StoryView


def watch_of(story: Story) -> Watch:
    view = StoryView(story)
    watch = Watch(story.folder, story.runbook, view.expected_seconds())
    watch.take(view.records(), view.progress(), view.alive())
    return watch


def test_forecast_is_the_longest_chain_of_what_is_left() -> None:
    story = Story().until("network").begin("network").begin("certificate")
    found = forecast(watch_of(story), story.clock)
    assert {"network", "database", "fence", "restore", "cutover"} <= found.path
    assert "certificate" not in found.path
    assert found.low < found.high
    assert found.decisions == 2
    later = forecast(watch_of(story), story.wait(30).clock)
    assert later.high == pytest.approx(found.high - 30)


def test_a_wait_counts_with_its_rest() -> None:
    story = Story().until("soak").waits("soak", 100.0).wait(40)
    found = forecast(watch_of(story), story.clock)
    assert found.high == pytest.approx(60 + 7.5)


def test_expected_end_names_its_range() -> None:
    story = Story().until("network")
    assert expected_words(forecast(watch_of(story), story.clock), story.clock).startswith("ends 02:1")
    ended = Story().until("remove").done("remove")
    assert expected_words(forecast(watch_of(ended), ended.clock), ended.clock) == ""


def window_of(story: Story) -> Downtime | None:
    watch = watch_of(story)
    return downtime(watch.state, watch.runbook, story.clock)


def test_downtime_runs_from_fence_to_cutover() -> None:
    assert window_of(Story().until("fence")) is None
    open_window = Story().until("fence").begin("fence").wait(42)
    found = window_of(open_window)
    assert found is not None
    assert (found.seconds, found.running) == (42, True)
    closed = Story().until("soak")
    found = window_of(closed)
    assert found is not None
    assert not found.running


def test_downtime_ends_when_the_fence_is_undone() -> None:
    story = Story().until("fence").done("fence").wait(10)
    story.add(Kind.UNDO_INTENT, step="fence")
    story.add(Kind.UNDONE, step="fence", checks=[])
    story.wait(100)
    found = window_of(story)
    assert found is not None
    assert not found.running
    assert found.seconds == pytest.approx(13)


def test_a_rehearsal_is_never_mistaken() -> None:
    for width in (80, 160):
        rehearsal = plain(top_lines(watch_of(Story()), Story().clock, width, read_only=False))
        live = plain(top_lines(watch_of(Story(mode="run")), Story().clock, width, read_only=False))
        assert "REHEARSAL" in rehearsal
        assert "LIVE" not in rehearsal
        assert "LIVE account 111122223333 us-west-2" in live
        assert "REHEARSAL" not in live


def test_the_side_of_the_point_of_no_return() -> None:
    story = Story().until("cutover")
    assert "before the point of no return" in plain(
        top_lines(watch_of(story), story.clock, 160, read_only=False)
    )
    story.add(Kind.PONR_PASSED, step="approve_cutover", which="new_writes")
    assert "PAST" in plain(top_lines(watch_of(story), story.clock, 160, read_only=False))


def test_elapsed_stops_at_the_end() -> None:
    story = Story().wait(10).ends()
    watch = watch_of(story)
    assert elapsed_seconds(watch, story.wait(100).clock) == 10


@pytest.mark.parametrize(
    ("story", "want", "step"),
    [
        (Story().until("approve_start").asks("approve_start"), "decision", "approve_start"),
        (Story().until("network").fails("network"), "trouble", "network"),
        (Story().until("network").blocks("network"), "trouble", "network"),
        (Story().until("network").doubt("network"), "trouble", "network"),
        (Story().until("network").begin("network").dies(), "lead", "network"),
        (Story().until("network").begin("network"), "nothing", "network"),
        (Story().until("soak").waits("soak", 60), "time", "soak"),
        (Story().ends(), "ended", ""),
    ],
)
def test_what_is_asked(story: Story, want: str, step: str) -> None:
    found = ask(watch_of(story), story.clock)
    assert (found.want, found.step) == (want, step)
    assert found.person == (want in ("decision", "trouble", "lead"))


def test_a_pause_asks_for_a_person() -> None:
    story = Story()
    story.add(Kind.PAUSED)
    assert ask(watch_of(story), story.clock).want == "continue"
    story.begin("check_tools")
    assert ask(watch_of(story), story.clock).want == "nothing"


def test_an_outcome_in_use_is_not_skipped() -> None:
    book = Story().runbook
    assert users_of(book, book.step("dump")) == ["restore"]
    assert users_of(book, book.step("compare")) == []
    watch = watch_of(Story().until("dump").fails("dump"))
    assert "restore" in by_command(watch, "dump")["skip"].refused


def by_command(watch: Watch, step: str) -> dict[str, Any]:
    return {c.command: c for c in choices(watch, watch.runbook.step(step))}


STATES = {
    StepStatus.PENDING: Story().until("compare"),
    StepStatus.RUNNING: Story().until("compare").begin("compare"),
    StepStatus.DONE: Story().until("compare").done("compare"),
    StepStatus.FAILED: Story().until("compare").fails("compare"),
    StepStatus.BLOCKED: Story().until("compare").blocks("compare"),
    StepStatus.IN_DOUBT: Story().until("compare").doubt("compare"),
}


def _never(*_: object) -> None:
    """Slow work is not done here."""


@pytest.mark.parametrize("status", STATES)
@pytest.mark.parametrize("command", ["retry", "skip", "undo"])
def test_a_choice_that_is_offered_is_taken_by_the_engine(status: StepStatus, command: str) -> None:
    """Over each state: what the screen offers, the engine's own rules accept; what they refuse, it does not offer."""
    story = STATES[status]
    choice = by_command(watch_of(story), "compare")[command]
    journal = SharedJournal()
    journal.rows = list(story.records)
    book = Book(journal)
    assert book.step("compare").status is status
    decisions = Decisions(story.runbook, book, None, WallClock(), Policy())  # type: ignore[arg-type]
    order = Order(1, "", command, "compare", "mara", "deck", "because", "", "")
    running = {"compare": None} if status is StepStatus.RUNNING else {}
    decisions.take(order, _never, running)
    refused = next(str(r.body.get("refused", "")) for r in journal.rows if r.body.get("order") == 1)
    if not choice.refused:
        assert not refused
    if refused:
        assert choice.refused


def test_nothing_is_offered_after_the_end_or_to_a_watcher() -> None:
    story = Story().until("compare").fails("compare")
    watch = watch_of(story)
    watching = choices(watch, watch.runbook.step("compare"), read_only=True)
    assert [c.command for c in watching if not c.refused] == ["detach"]
    ended = watch_of(story.ends("aborted"))
    assert [c.command for c in choices(ended, ended.runbook.step("compare")) if not c.refused] == ["detach"]


def test_undo_names_what_was_built_upon_it() -> None:
    watch = watch_of(Story().until("compare"))
    assert built_upon(watch, watch.runbook.step("dump")) == ["restore"]
    assert "restore" in by_command(watch, "dump")["undo"].refused


def test_gates_are_safeguards() -> None:
    watch = watch_of(Story().until("approve_cutover").asks("approve_cutover"))
    found = by_command(watch, "approve_cutover")
    assert found["skip"].refused
    assert found["undo"].refused


def test_step_text_says_everything() -> None:
    story = Story().until("database").busy()
    watch = watch_of(story)
    for step in watch.runbook.steps():
        text = plain(step_lines(watch, step, story.clock))
        for part in (step.title, step.why, step.proof, step.back, step.id):
            assert part in text
    text = plain(step_lines(watch, watch.runbook.step("database"), story.clock))
    assert "stack: habitcraft/database" in text
    assert "(known after network)" in text


def test_values_of_done_steps_are_filled_in() -> None:
    story = Story().until("backend").done("backend", outputs={"bucket": "state-bucket"})
    watch = watch_of(story)
    assert "bucket: state-bucket" in plain(step_lines(watch, watch.runbook.step("network"), story.clock))
    assert "bucket: state-bucket" in plain(step_lines(watch, watch.runbook.step("backend"), story.clock))


def test_real_commands_come_from_log_progress_or_programs() -> None:
    story = Story().until("network").begin("network").child("network", "terraform", "apply", "a b")
    watch = watch_of(story)
    step = watch.runbook.step("network")
    assert commands_of(watch, step) == ["terraform apply 'a b'"]
    assert commands_of(watch, step, ["aws sts"]) == ["aws sts"]


def test_a_runner_that_died_leaves_doubt_not_work() -> None:
    watch = watch_of(Story().until("network").begin("network").dies())
    assert watch.step_status("network") is StepStatus.IN_DOUBT
    text = plain(step_lines(watch, watch.runbook.step("network"), Story().clock))
    assert "No end was recorded" in text


@pytest.mark.parametrize(
    ("story", "words"),
    [
        (
            Story().until("restore").begin("restore").dies(),
            ["started    02:00 by mara on deck", "IN DOUBT", "USERS WAIT", "what became of restore"],
        ),
        (Story().until("soak").waits("soak", 3600).dies(), ["until 03:", "waits", "goes on waiting: soak"]),
        (
            Story().until("approve_start").asks("approve_start").dies(),
            ["asks you", "reads the evidence again"],
        ),
        (
            Story().until("network").fails("network").dies(),
            ["FAILED", "the port is closed", "waits for your choice on network"],
        ),
    ],
)
def test_resume_text(story: Story, words: list[str]) -> None:
    text = plain(resume_lines(watch_of(story), story.clock))
    for word in words:
        assert word in text, text


def test_resume_says_what_changed_in_the_world() -> None:
    story = Story().until("database")
    story.add(Kind.REPROVED, step="network", ok=False, verdict="absent", evidence="the VPC is gone")
    text = plain(resume_lines(watch_of(story), story.clock))
    assert "CHANGED  network: the VPC is gone" in text


def test_every_kind_of_step_is_in_the_book() -> None:
    kinds = {step.kind for step in Story().runbook.steps()}
    assert {StepKind.ACTION, StepKind.GATE, StepKind.WAIT} <= kinds
