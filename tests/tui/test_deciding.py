"""Gates, choices and the resume screen."""

from __future__ import annotations

import pytest

from migrator.errors import MigratorError
from migrator.model.records import Kind
from tests.tui.driving import Seat, play_story
from tests.tui.story import Story, StoryControl


def asking(step: str = "approve_start", *, red: str = "") -> Story:
    return Story().until(step).asks(step, red=red).wait(12)


def test_a_gate_shows_evidence_with_its_age_and_both_answers() -> None:
    story = asking()

    async def act(seat: Seat) -> None:
        await seat.press("enter")
        text = seat.body()
        for part in (
            "Build the new platform",
            "Building starts",
            "Nothing has changed",
            "2 of 2 checks green, 12 s old",
        ):
            assert part in text
        assert "27.00 USD a month today, 51.50" in text
        story.wait(400)
        await seat.until(lambda: "read again before your yes counts" in seat.body())

    play_story(story, act)


def test_no_data_is_not_green() -> None:
    async def act(seat: Seat) -> None:
        await seat.press("enter")
        assert "1 of 2 checks green" in seat.body()
        assert "✗ RED" in seat.body()

    play_story(asking(red="check_tools"), act)


def test_yes_goes_with_what_was_shown_and_why() -> None:
    control = StoryControl([asking()])

    async def act(seat: Seat) -> None:
        await seat.press("enter", "w")
        await seat.type("all calm")
        await seat.press("enter", "y")
        await seat.until(lambda: bool(control.orders))
        await seat.until(lambda: seat.app.screen is seat.run)

    play_story(control.stories[0], act, control=control)
    order = control.orders[0]
    assert (order["command"], order["step"], order["reason"]) == ("approve", "approve_start", "all calm")
    assert order["shown"].endswith("[2 of 2 checks green]")


@pytest.mark.parametrize("key", ["escape", "n", "ctrl+c"])
def test_no_decides_nothing(key: str) -> None:
    control = StoryControl([asking()])

    async def act(seat: Seat) -> None:
        await seat.press("enter", key)
        assert seat.app.screen is seat.run

    play_story(control.stories[0], act, control=control)
    assert not control.orders


def test_enter_alone_approves_nothing() -> None:
    control = StoryControl([asking()])

    async def act(seat: Seat) -> None:
        await seat.press("enter", "enter", "enter", "space")
        await seat.pilot.pause(0.2)

    play_story(control.stories[0], act, control=control)
    assert not control.orders


def test_a_severe_gate_wants_its_words() -> None:
    control = StoryControl([asking("approve_cutover")])

    async def act(seat: Seat) -> None:
        await seat.press("g")
        assert "This is a point of no return." in seat.body()
        await seat.press("enter")
        assert "Nothing was decided" in seat.told()
        await seat.type("switch example.com")
        await seat.press("enter")
        await seat.until(lambda: bool(control.orders))

    play_story(control.stories[0], act, control=control)
    assert control.orders[0]["confirm"] == "switch example.com"


def test_a_refused_yes_says_why_and_stays() -> None:
    control = StoryControl([asking()], refusal="the evidence is not green: check_tools")

    async def act(seat: Seat) -> None:
        await seat.press("enter", "y")
        await seat.until(lambda: "the evidence is not green" in seat.told())

    play_story(control.stories[0], act, control=control)


def test_a_gate_answered_elsewhere_closes() -> None:
    story = asking()

    async def act(seat: Seat) -> None:
        await seat.press("enter")
        story.add(Kind.DONE, step="approve_start", attempt=1, outputs={}, report={}, adopted=False)
        await seat.until(lambda: seat.app.screen is seat.run)

    play_story(story, act)


def test_a_watcher_sees_a_gate_but_cannot_answer() -> None:
    control = StoryControl([asking()])

    async def act(seat: Seat) -> None:
        await seat.press("enter", "y", "w")
        assert "You only watch" in seat.told()

    play_story(control.stories[0], act, control=control, read_only=True)
    assert not control.orders


def test_enter_answers_while_another_step_is_at_work() -> None:
    story = Story().until("network").begin("certificate").fails("network")

    async def act(seat: Seat) -> None:
        assert seat.run.chosen == "certificate"
        await seat.press("enter")
        assert "the port is closed" in seat.body()
        await seat.press("escape")

    play_story(story, act)


def test_nothing_asked_is_said() -> None:
    async def act(seat: Seat) -> None:
        await seat.press("g")
        await seat.sees("Nothing is asked of you now.")

    play_story(Story().until("network").begin("network"), act)


def failing() -> StoryControl:
    return StoryControl(
        [Story().until("compare").fails("compare", detail="psql: error: [/bin/sh -c] refused")]
    )


def test_failure_shows_words_then_the_tools_own_then_choices() -> None:
    control = failing()

    async def act(seat: Seat) -> None:
        await seat.press("enter")
        text = seat.body()
        assert text.index("the port is closed") < text.index("[/bin/sh -c]") < text.index("Try again")

    play_story(control.stories[0], act, control=control)


@pytest.mark.parametrize(
    ("keys", "typed", "order"),
    [
        (("t",), "", {"command": "retry", "step": "compare"}),
        (("s",), "not needed", {"command": "skip", "step": "compare", "reason": "not needed"}),
        (("u",), "compare", {"command": "undo", "step": "compare"}),
        (("tab", "shift+tab", "enter"), "", {"command": "retry", "step": "compare"}),
    ],
)
def test_each_choice_leaves_its_order(keys: tuple[str, ...], typed: str, order: dict[str, str]) -> None:
    control = failing()

    async def act(seat: Seat) -> None:
        await seat.press("x", *keys)
        if typed:
            await seat.type(typed)
            await seat.press("enter")
        await seat.until(lambda: bool(control.orders))

    play_story(control.stories[0], act, control=control)
    assert order.items() <= control.orders[0].items()


def test_ending_the_run_wants_a_reason_and_its_words() -> None:
    control = failing()

    async def act(seat: Seat) -> None:
        await seat.press("x", "a", "enter")
        assert "Say why first" in seat.told()
        await seat.type("enough")
        await seat.press("tab")
        await seat.type("end habit")
        await seat.press("enter")
        assert "Nothing was done" in seat.told()
        await seat.type("craft")
        await seat.press("enter")
        await seat.until(lambda: bool(control.orders))

    play_story(control.stories[0], act, control=control)
    assert control.orders[0]["command"] == "abort"
    assert control.orders[0]["reason"] == "enough"


def test_an_unsafe_choice_says_why() -> None:
    control = StoryControl([Story().until("dump").fails("dump")])

    async def act(seat: Seat) -> None:
        await seat.press("x", "s")
        assert "what it gives is used by restore" in seat.told()

    play_story(control.stories[0], act, control=control)
    assert not control.orders


def test_detach_from_the_choices() -> None:
    control = failing()

    async def act(seat: Seat) -> None:
        await seat.press("x", "d")
        await seat.until(lambda: len(seat.app.screen_stack) == 1)

    play_story(control.stories[0], act, control=control)
    assert not control.orders


def test_in_doubt_says_what_is_known_and_what_the_verdict_means() -> None:
    story = Story().until("network").doubt("network")
    story.add(
        Kind.PROBED,
        step="network",
        attempt=1,
        verdict="partial",
        evidence="2 of 9 resources",
        facts={},
        why="x",
    )

    async def act(seat: Seat) -> None:
        await seat.press("enter")
        text = seat.body()
        for part in (
            "key r1-network",
            "terraform (process 812)",
            "PARTIAL",
            "2 of 9 resources",
            "adds what is missing",
        ):
            assert part in text

    play_story(story, act)


def dead() -> StoryControl:
    return StoryControl([Story().until("restore").begin("restore").wait(20).dies().wait(300)])


def test_resume_goes_on_with_enter() -> None:
    control = dead()

    async def act(seat: Seat) -> None:
        assert "what became of restore" in seat.body()
        await seat.press("enter")
        await seat.until(lambda: bool(control.resumed))
        await seat.until(lambda: seat.app.screen is seat.run)

    play_story(control.stories[0], act, control=control)


def test_resume_only_looks_with_o_and_goes_on_later() -> None:
    control = dead()

    async def act(seat: Seat) -> None:
        await seat.press("o")
        assert seat.app.screen is seat.run
        assert not control.resumed
        await seat.sees("nobody leads it")
        await seat.press("r", "enter")
        await seat.until(lambda: bool(control.resumed))

    play_story(control.stories[0], act, control=control)


@pytest.mark.parametrize(
    ("gone", "told"), [("", "all as they were left"), ("network", "network: it is not there any more")]
)
def test_resume_asks_the_world_first_and_goes_on_later(gone: str, told: str) -> None:
    control = dead()
    control.gone = gone

    async def act(seat: Seat) -> None:
        assert "w asks the world" in seat.body()
        await seat.press("w")
        await seat.until(lambda: told in seat.body())
        await seat.until(lambda: "ask the world first" in seat.told())
        assert not control.stories[0].alive
        await seat.press("enter")
        await seat.until(lambda: control.stories[0].alive)

    play_story(control.stories[0], act, control=control)


def test_a_look_that_is_killed_does_not_keep_anybody_from_going_on() -> None:
    control = dead()
    control.look_is_killed = True

    async def act(seat: Seat) -> None:
        await seat.press("w")
        await seat.until(lambda: bool(control.resumed))
        await seat.until(lambda: "ask the world first" in seat.told())
        await seat.press("enter")
        await seat.until(lambda: control.stories[0].alive)

    play_story(control.stories[0], act, control=control)


@pytest.mark.parametrize("key", ["escape", "q", "ctrl+c"])
def test_resume_back_starts_nothing(key: str) -> None:
    control = dead()

    async def act(seat: Seat) -> None:
        await seat.press(key)
        await seat.until(lambda: len(seat.app.screen_stack) == 1)

    play_story(control.stories[0], act, control=control)
    assert not control.resumed


def test_a_runner_that_does_not_start_is_said() -> None:
    control = dead()

    async def act(seat: Seat) -> None:
        control.trouble = MigratorError("the runner did not start", next="read its log")
        await seat.press("enter")
        await seat.until(lambda: "the runner did not start" in seat.told())
        control.trouble = None

    play_story(control.stories[0], act, control=control)


def test_a_watcher_is_not_asked_to_resume() -> None:
    async def act(seat: Seat) -> None:
        assert seat.app.screen is seat.run

    control = dead()
    play_story(control.stories[0], act, control=control, read_only=True)


def test_an_ended_run_is_only_shown() -> None:
    async def act(seat: Seat) -> None:
        assert seat.app.screen is seat.run
        assert "The run has ended: done" in seat.text()

    play_story(Story().until("remove").done("remove").ends(), act)
