"""Every key of the run screen, over told runs and runs that the engine leads."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from migrator.errors import JournalDamaged
from migrator.model.records import Kind
from migrator.tui.logview import LogView
from migrator.tui.run import RunScreen
from tests.tui.driving import LARGE, SMALL, Seat, play, play_story
from tests.tui.story import Story, StoryControl


def busy() -> Story:
    return Story().until("network").busy().begin("network").begin("certificate").wait(31)


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_it_shows_where_the_run_is(size: tuple[int, int]) -> None:
    async def act(seat: Seat) -> None:
        assert seat.run.chosen == "network"
        await seat.sees("Build the network")
        for text in ("REHEARSAL", "at work", "‖▶", "before"):
            assert text in seat.text()

    play_story(busy(), act, size=size)


def test_moving_and_coming_back() -> None:
    async def act(seat: Seat) -> None:
        await seat.press("down")
        assert seat.run.chosen == "certificate"
        await seat.press("j", "k", "k")
        assert seat.run.chosen == "network"
        await seat.press("home", "down")
        assert seat.run.chosen == "check_tools"
        await seat.press("end")
        assert seat.run.chosen == "remove"
        await seat.press("pageup", "up")
        assert seat.run.chosen == "database"
        assert not seat.run.following
        await seat.press(".")
        assert seat.run.chosen == "network"
        assert seat.run.following

    play_story(busy(), act)


def test_the_current_step_stays_in_sight_when_it_changes() -> None:
    story = busy()

    async def act(seat: Seat) -> None:
        story.done("network", "certificate")
        story.until("remove").begin("remove")
        await seat.until(lambda: seat.run.chosen == "remove")
        await seat.sees("Delete the old services")

    story.records = story.records[:]
    play_story(story, act)


def test_phases_close_and_open() -> None:
    async def act(seat: Seat) -> None:
        rows = seat.tree.row_count()
        await seat.press("left")
        assert seat.tree.row_count() == rows - 4
        await seat.press("enter")
        assert seat.tree.row_count() == rows
        await seat.press("left", "right")
        assert seat.tree.row_count() == rows

    play_story(busy(), act)


@pytest.mark.parametrize("size", [SMALL, pytest.param(LARGE, marks=pytest.mark.engine)])
def test_tabs_by_number_and_what_they_show(size: tuple[int, int]) -> None:
    async def act(seat: Seat) -> None:
        for key, text in (
            ("3", "aws_vpc.main"),
            ("4", "habits"),
            ("5", "users could not write for"),
            ("6", "will do"),
            ("2", "nothing in the log yet"),
            ("1", "Why"),
        ):
            await seat.press(key)
            await seat.sees(text)

    play_story(busy(), act, size=size)


def test_tabs_by_mouse() -> None:
    async def act(seat: Seat) -> None:
        await seat.pilot.click("#tabs", offset=(16, 0))
        await seat.until(lambda: seat.run.shown == "database")

    play_story(busy(), act)


def test_finding_a_step_and_clearing() -> None:
    async def act(seat: Seat) -> None:
        rows = seat.tree.row_count()
        await seat.press("/")
        await seat.type("restore")
        assert seat.tree.row_count() == 2
        await seat.press("enter")
        assert seat.run.chosen == "restore"
        await seat.press("escape")
        assert seat.tree.row_count() == rows
        await seat.press("/")
        await seat.type("zzz")
        assert seat.tree.row_count() == 0
        await seat.press("escape")
        assert seat.tree.row_count() == rows

    play_story(busy(), act)


def test_finding_in_a_table() -> None:
    async def act(seat: Seat) -> None:
        await seat.press("6", "/")
        await seat.type("re-proven")
        await seat.press("enter")
        assert "will do" not in seat.text()
        await seat.sees("only lines with")
        await seat.press("escape")
        await seat.sees("will do")

    play_story(busy(), act)


def test_copying_a_command() -> None:
    async def act(seat: Seat) -> None:
        await seat.press("y")
        assert seat.app.clipboard == "terraform apply"
        await seat.press("Y")
        assert "How to go back" in seat.app.clipboard
        await seat.press("3", "Y")
        assert "aws_vpc.main" in seat.app.clipboard

    play_story(busy().child("network", "terraform", "apply"), act)


def test_zoom_gives_the_right_side_all_the_width() -> None:
    async def act(seat: Seat) -> None:
        await seat.press("2", "z")
        assert seat.run.has_class("zoomed")
        assert seat.run.query_one(LogView).size.width > 70
        await seat.press("z")
        assert seat.run.query_one(LogView).size.width < 70

    play_story(busy(), act)


@pytest.mark.engine
def test_resize_at_any_time() -> None:
    async def act(seat: Seat) -> None:
        for size in ((160, 50), (80, 24), (40, 10), (200, 60), (20, 5), (80, 24)):
            await seat.pilot.resize_terminal(*size)
            await seat.pilot.pause()
        await seat.sees("Build the network")
        assert seat.run.query_one("#tree").size.width > 30

    play_story(busy(), act)


def test_help_names_every_key() -> None:
    async def act(seat: Seat) -> None:
        await seat.press("?")
        text = seat.body()
        for key in (
            "Ctrl-P",
            "Ctrl-C",
            "Enter",
            "/",
            "n N &",
            " . ",
            " g ",
            " x ",
            " p ",
            " e ",
            " R ",
            " z ",
        ):
            assert key in text
        await seat.press("escape")
        assert seat.app.screen is seat.run

    play_story(busy(), act)


def test_the_palette_goes_to_a_step() -> None:
    async def act(seat: Seat) -> None:
        await seat.press("ctrl+p")
        await seat.type("Compare both")
        await seat.sees("Step: Compare both databases")
        await seat.press("enter")
        await seat.until(lambda: seat.run.chosen == "compare")

    play_story(busy(), act)


def test_the_palette_takes_hostile_titles() -> None:
    story = busy()
    step = story.runbook.step("compare")
    object.__setattr__(step, "title", "[bold]x[/] \x1b[31m [/nonsense]")

    async def act(seat: Seat) -> None:
        await seat.press("ctrl+p")
        await seat.type("nonsense")
        await seat.sees("[bold]x[/]  [/nonsense]")

    play_story(story, act)


def test_themes_change_at_once() -> None:
    async def act(seat: Seat) -> None:
        for theme in ("migrator-paper", "migrator-contrast", "textual-light", "migrator-night"):
            seat.app.theme = theme
            await seat.pilot.pause()
            assert "Build the network" in seat.text()

    play_story(busy(), act)


def test_the_editor_gets_a_copy_at_the_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.tui.books import written

    said: list[list[str]] = []
    monkeypatch.setenv("EDITOR", "ed -x")
    monkeypatch.delenv("VISUAL", raising=False)

    def call(argv: list[str]) -> int:
        said.append(argv)
        return 0

    monkeypatch.setattr("subprocess.call", call)
    story = Story(written(tmp_path)).until("network").begin("network")

    async def act(seat: Seat) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(type(seat.app), "suspend", lambda self: _nothing())
            await seat.press("e")

    play_story(story, act)
    assert said[0][:3] == ["ed", "-x", "+52"]
    assert not Path(said[0][3]).exists()


def _nothing() -> object:
    import contextlib

    return contextlib.nullcontext()


def test_a_changed_copy_is_kept_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from migrator.tui import outside

    path = tmp_path / "book.yaml"
    path.write_text("a\n")
    monkeypatch.setenv("VISUAL", "vi")

    def edit(argv: list[str]) -> int:
        Path(argv[-1]).write_text("b\n")
        return 0

    monkeypatch.setattr("subprocess.call", edit)
    told = outside.look_at(path, 3)
    assert "keeps the runbook it began with" in told
    assert path.read_text() == "a\n"


def test_a_watcher_orders_nothing_until_steering_is_asked_for() -> None:
    async def act(seat: Seat) -> None:
        assert "WATCHING" in seat.text()
        await seat.press("p", "c", "r")
        await seat.press("s")
        await seat.type("steer")
        await seat.press("enter")
        await seat.until(lambda: not seat.run.read_only)
        await seat.press("p")
        await seat.until(lambda: bool(control.orders))

    control = StoryControl([busy()])
    play_story(control.stories[0], act, read_only=True, control=control)
    assert [order["command"] for order in control.orders] == ["pause"]


def test_pause_and_go_on() -> None:
    story = busy()

    async def act(seat: Seat) -> None:
        await seat.press("p")
        await seat.until(lambda: len(control.orders) == 1)
        story.add(Kind.PAUSED)
        await seat.sees("Pausing")
        await seat.press("c")
        await seat.until(lambda: len(control.orders) == 2)

    control = StoryControl([story])
    play_story(story, act, control=control)
    assert [o["command"] for o in control.orders] == ["pause", "continue"]


def test_a_refusal_is_shown() -> None:
    control = StoryControl([busy()], refusal="not in this state")

    async def act(seat: Seat) -> None:
        await seat.press("p")
        await seat.sees("Refused: not in this state")

    play_story(control.stories[0], act, control=control)


@pytest.mark.parametrize(("key", "order"), [("p", "pause"), ("i", "interrupt")])
def test_ctrl_c_asks(key: str, order: str) -> None:
    async def act(seat: Seat) -> None:
        await seat.press("ctrl+c")
        assert "Interrupt now" in seat.body()
        await seat.press("escape")
        assert not control.orders
        await seat.press("ctrl+c", key)
        await seat.until(lambda: bool(control.orders))

    control = StoryControl([busy()])
    play_story(control.stories[0], act, control=control)
    assert control.orders[0]["command"] == order


def test_ctrl_c_twice_harms_nothing_and_detach_leaves() -> None:
    async def act(seat: Seat) -> None:
        await seat.press("ctrl+c", "ctrl+c")
        assert seat.app.screen is seat.run
        await seat.press("ctrl+c", "d")
        await seat.until(lambda: not seat.app.is_running or len(seat.app.screen_stack) == 1)

    control = play_story(busy(), act)
    assert not control.orders


def test_ctrl_c_offers_no_pause_without_a_runner() -> None:
    async def act(seat: Seat) -> None:
        await seat.press("o", "ctrl+c", "i", "p")
        assert "not possible now" in seat.told()

    control = play_story(busy().dies(), act)
    assert not control.orders


def test_q_leaves_and_the_run_goes_on() -> None:
    story = busy()

    async def act(seat: Seat) -> None:
        await seat.press("q")
        await seat.until(lambda: len(seat.app.screen_stack) == 1)

    play_story(story, act)
    assert story.alive


def test_a_run_that_is_being_begun_is_not_left_alone() -> None:
    """The screen stands before the run does: leaving then would leave a run that nobody knows of."""
    control = StoryControl([busy()])
    may_begin = threading.Event()

    def begin() -> Path:
        assert may_begin.wait(10)
        return control.stories[0].folder

    async def act(seat: Seat) -> None:
        await seat.sees("preparing the rehearsal")
        await seat.press("q")
        await seat.sees("One moment")
        may_begin.set()
        await seat.until(lambda: seat.run.known is not None)
        assert seat.run.folder == control.stories[0].folder
        await seat.press("q")
        await seat.until(lambda: len(seat.app.screen_stack) == 1)

    opening = "preparing the rehearsal …"
    play(lambda: RunScreen(control, begin, read_only=False, opening=opening), act)


def test_the_report_is_read_and_kept(tmp_path: Path) -> None:
    story = busy()
    story.folder = tmp_path

    async def act(seat: Seat) -> None:
        await seat.press("R")
        await seat.sees("Everything was well.")
        await seat.press("h")
        await seat.until(lambda: "Kept" in seat.told())
        await seat.press("escape")

    play_story(story, act)
    assert "Report as html" in (tmp_path / "report.html").read_text()
    assert (tmp_path / "report.html").stat().st_mode & 0o077 == 0


def test_a_damaged_journal_is_said() -> None:
    control = StoryControl(
        [busy()], trouble=JournalDamaged("the chain is broken at record 7", next="do not go on")
    )

    async def act(seat: Seat) -> None:
        await seat.sees("the chain is broken at record 7")

    from migrator.tui.run import RunScreen

    play(lambda: RunScreen(control, control.stories[0].folder, read_only=False), act)


def test_title_and_bell_when_a_person_is_wanted() -> None:
    story = busy()
    rung: list[int] = []
    titles: list[str] = []

    async def act(seat: Seat) -> None:
        seat.app.bell = lambda: rung.append(1)  # type: ignore[method-assign]
        seat.app.set_terminal_title = titles.append  # type: ignore[method-assign, assignment]
        story.fails("network")
        await seat.sees("has failed")
        await seat.pilot.pause(0.6)

    play_story(story, act)
    assert len(rung) == 1
    assert titles[-1] == "TROUBLE: habitcraft (rehearsal)"
