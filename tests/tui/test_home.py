"""The home screen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from migrator.contracts.control import RunSummary
from migrator.errors import UsageError
from migrator.tui.home import HomeList, HomeScreen, migration_files
from migrator.tui.run import RunScreen
from tests.tui.driving import LARGE, Seat, play, play_home
from tests.tui.story import Story, StoryControl


def three() -> StoryControl:
    waiting = Story(mode="run", folder=Path("/runs/one")).until("approve_cutover").asks("approve_cutover")
    killed = Story(folder=Path("/runs/two")).until("restore").begin("restore").dies()
    ended = Story(folder=Path("/runs/three")).until("remove").done("remove").ends()
    return StoryControl([waiting, killed, ended])


@pytest.mark.parametrize("size", [(80, 24), LARGE])
def test_unfinished_runs_come_first_with_where_they_stand(size: tuple[int, int]) -> None:
    async def act(seat: Seat) -> None:
        text = seat.text()
        assert text.index("Unfinished runs") < text.index("Runbooks that come") < text.index("Ended runs")
        assert "LIVE" in text
        assert "a decision on approve_cutover" in text
        assert "IN DOUBT" in text

    play_home(three(), act, size=size)


def test_the_chosen_one_is_explained() -> None:
    async def act(seat: Seat) -> None:
        await seat.sees("migrator approve habitcraft-20260103-0200 approve_cutover")
        await seat.press("down")
        await seat.sees("nobody leads it")
        await seat.press("down")
        await seat.sees("Moves a habit tracker")
        await seat.press("down", "down", "down")
        await seat.sees("migrator report")
        await seat.press("k", "j", "pageup", "pagedown", "up")

    play_home(three(), act)


def test_enter_opens_a_run() -> None:
    async def act(seat: Seat) -> None:
        await seat.press("enter")
        await seat.until(lambda: isinstance(seat.app.screen, RunScreen))
        assert not seat.run.read_only
        await seat.until(lambda: seat.run.known is not None)
        await seat.press("q")
        await seat.until(lambda: isinstance(seat.app.screen, HomeScreen))

    play_home(three(), act)


def test_a_only_watches() -> None:
    async def act(seat: Seat) -> None:
        await seat.press("a")
        await seat.until(lambda: isinstance(seat.app.screen, RunScreen))
        assert seat.run.read_only

    play_home(three(), act)


def test_a_runbook_is_rehearsed() -> None:
    control = three()

    async def act(seat: Seat) -> None:
        await seat.press("down", "down", "h")
        await seat.until(lambda: bool(control.begun))
        await seat.until(lambda: isinstance(seat.app.screen, RunScreen))

    play_home(control, act)
    assert control.begun == [("habitcraft", "rehearse")]


def test_a_runbook_alone_is_never_run_live() -> None:
    control = three()

    async def act(seat: Seat) -> None:
        await seat.press("down", "down", "L")
        assert "own values" in seat.body()

    play_home(control, act)
    assert not control.begun


def test_a_live_run_wants_its_name(tmp_path: Path) -> None:
    control = three()
    (tmp_path / "migration.yaml").write_text("format: 1\nrunbook: habitcraft\nvalues: {}\n")

    async def act(seat: Seat) -> None:
        await seat.sees("Migrations in this folder")
        await seat.press("down", "down", "L")
        assert "This is the real thing." in seat.body()
        await seat.type("live it")
        await seat.press("enter")
        assert not control.begun
        await seat.press(*["backspace"] * 7)
        await seat.type("live migration.yaml")
        await seat.press("enter")
        await seat.until(lambda: bool(control.begun))

    play_home(control, act)
    assert control.begun == [("migration.yaml", "run")]


def test_what_cannot_be_started_says_why() -> None:
    control = three()

    async def act(seat: Seat) -> None:
        control.trouble = UsageError("terraform is missing", next="install it", detail="which: no terraform")
        await seat.press("down", "down", "enter")
        await seat.until(lambda: len(seat.app.screen_stack) == 3)
        for part in ("terraform is missing", "install it", "which: no terraform"):
            assert part in seat.body()
        control.trouble = None

    play_home(control, act)


def test_report_help_and_leaving() -> None:
    async def act(seat: Seat) -> None:
        await seat.press("R")
        await seat.sees("Everything was well.")
        await seat.press("escape", "?")
        assert "rehearse on a twin" in seat.body()
        await seat.press("escape", "q")

    assert play_home(three(), act).return_value == 0


def test_new_migration_hands_over_to_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    import contextlib

    from migrator.tui import outside

    asked: list[str] = []

    def questions(runbook: str) -> int:
        asked.append(runbook)
        return 0

    monkeypatch.setattr(outside, "questions", questions)

    async def act(seat: Seat) -> None:
        monkeypatch.setattr(type(seat.app), "suspend", lambda self: contextlib.nullcontext())
        await seat.press("n")
        await seat.sees("Choose one of the runbooks first")
        await seat.press("down", "down", "n")

    play_home(three(), act)
    assert asked == ["habitcraft"]


def test_a_folder_without_anything_still_offers_the_runbooks() -> None:
    async def act(seat: Seat) -> None:
        assert "Unfinished" not in seat.text()
        assert "habitcraft" in seat.text()

    play_home(StoryControl([]), act)


def test_trouble_with_reading_is_said() -> None:
    class Broken(StoryControl):
        def runs(self) -> Sequence[RunSummary]:
            raise UsageError("this folder cannot be read", next="change its rights")

    async def act(seat: Seat) -> None:
        await seat.sees("this folder cannot be read")

    play(lambda: HomeScreen(Broken([])), act)


def test_migration_files_are_told_from_other_yaml(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("runbook: habitcraft\n")
    (tmp_path / "b.yaml").write_text("format: 1\nphases: []\n")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "migration.yaml").write_text("runbook: habitcraft\n")
    assert migration_files() == [Path("a.yaml"), Path("sub/migration.yaml")]


def test_the_mouse_chooses() -> None:
    async def act(seat: Seat) -> None:
        await seat.pilot.click(HomeList, offset=(10, 2))
        await seat.sees("nobody leads it")

    play_home(three(), act)
