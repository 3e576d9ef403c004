"""The log tab: found, filtered, followed or held, copied."""

from __future__ import annotations

from pathlib import Path

import pytest

from migrator.tui.logview import LogView
from tests.tui.driving import LARGE, Seat, play_story
from tests.tui.story import Story


def with_log(tmp_path: Path, lines: list[str], step: str = "network") -> Story:
    story = Story().until("network").busy().begin("network").begin("certificate").wait(31)
    story.logs = tmp_path
    (tmp_path / f"{step}.log").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return story


@pytest.mark.engine
def test_log_search_filter_follow_and_copy(tmp_path: Path) -> None:
    lines = [
        f"02:00:{n // 60:02d}.{n % 60:03d} line {n}{' needle' if n % 50 == 0 else ''}" for n in range(400)
    ]
    story = with_log(tmp_path, ["02:00:00.000 $ terraform apply -input=false", *lines])

    async def act(seat: Seat) -> None:
        await seat.press("2")
        log = seat.run.query_one(LogView)
        await seat.until(lambda: log.row_count() == 401)
        await seat.sees("line 399")
        assert log.commands == ["terraform apply -input=false"]
        await seat.press("/")
        await seat.type("needle")
        await seat.press("enter")
        await seat.sees("line 350 needle")
        assert "HELD" in log.standing()
        await seat.press("N")
        assert "line 300" in log.text_at(log.cursor)
        await seat.press("n", "n")
        assert "line 0 " in log.text_at(log.cursor)
        await seat.press("&")
        assert log.row_count() == 8
        await seat.press("&")
        await seat.press("y")
        assert "line" in seat.app.clipboard
        await seat.press("home", "y")
        assert seat.app.clipboard.endswith("$ terraform apply -input=false")
        await seat.press("f")
        assert log.following
        await seat.press("up", "pageup", "pagedown", "k", "j", "end")
        assert log.following
        await seat.press("Y")
        assert seat.app.clipboard.count("\n") == 400
        with (tmp_path / "network.log").open("a") as file:
            file.write("one more\n")
        await seat.sees("one more")

    play_story(story, act)


def test_long_lines_are_read_by_scrolling_sideways(tmp_path: Path) -> None:
    story = with_log(tmp_path, ["short", "x" * 200 + "END"])

    async def act(seat: Seat) -> None:
        await seat.press("2")
        log = seat.run.query_one(LogView)
        await seat.until(lambda: log.row_count() == 2)
        assert "END" not in seat.text()
        await seat.press(*["right"] * 4)
        await seat.until(lambda: log.scroll_offset.x > 0)
        log.scroll_to(x=200, animate=False)
        await seat.sees("END")

    play_story(story, act)


def test_a_held_log_stands_still(tmp_path: Path) -> None:
    story = with_log(tmp_path, [f"line {n}" for n in range(300)])

    async def act(seat: Seat) -> None:
        await seat.press("2")
        log = seat.run.query_one(LogView)
        await seat.until(lambda: log.row_count() == 300)
        await seat.press("home")
        with (tmp_path / "network.log").open("a") as file:
            file.write("\n".join(f"later {n}" for n in range(500)) + "\n")
        await seat.until(lambda: log.row_count() == 800)
        await seat.sees("line 0")
        assert "HELD" in log.standing()

    play_story(story, act)


def test_another_step_shows_another_log(tmp_path: Path) -> None:
    story = with_log(tmp_path, ["of the network"])
    (tmp_path / "certificate.log").write_text("of the certificate\n")

    async def act(seat: Seat) -> None:
        await seat.press("2")
        await seat.sees("of the network")
        seat.tree.focus()
        await seat.press("down")
        await seat.sees("of the certificate")
        assert "of the network" not in seat.text()

    play_story(story, act)


def test_the_logs_of_all_steps_together(tmp_path: Path) -> None:
    """In the order of their times; a step that begins later is read beside them; back to one step alone."""
    story = with_log(
        tmp_path, ["02:00:01.000 first of the network", "02:00:03.000 second of the network", "loose"]
    )
    other = tmp_path / "certificate.log"
    other.write_text("02:00:02.000 first of the certificate\n", encoding="utf-8")

    async def act(seat: Seat) -> None:
        log = seat.run.query_one(LogView)
        await seat.press("a")
        await seat.sees("all steps: following")
        await seat.until(lambda: len(log.store.lines) == 4)
        assert [row.strip() for row in log.store.lines] == [
            "02:00:01.000 network: first of the network",
            "02:00:02.000 certificate: first of the certificate",
            "02:00:03.000 network: second of the network",
            "network: loose",
        ]
        with other.open("a", encoding="utf-8") as file:
            file.write("02:00:04.000 second of the certificate\n")
        await seat.sees("certificate: second of the certificate")
        (tmp_path / "database.log").write_text("02:00:05.000 first of the database\n", encoding="utf-8")
        story.begin("database")
        await seat.sees("database: first of the database")
        assert len(log.store.lines) == 6
        await seat.press("a")
        await seat.sees("network: following")
        await seat.until(lambda: len(log.store.lines) == 3)

    play_story(story, act, size=LARGE)
