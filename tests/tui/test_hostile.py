"""Whatever a tool, a server or a runbook says: no screen falls over it, and no byte of it reaches the terminal."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textual.content import Content

from migrator.model.records import Kind
from migrator.tui.logtail import LineStore, split
from migrator.tui.palette import _escaped
from tests.tui.driving import LARGE, Seat, play_home, play_story
from tests.tui.story import Story, StoryControl

HOSTILE = (
    "[/bin/sh -c] [bold red]x[/] [@click=app.exit]y[/] [nonsense"
    "\x1b]52;c;aGFjaw==\x07\x1b]0;title\x07\x1b[2J\x1b[31m\x1bc\x9b31m\x90q\x9c"
    "\u202eevil\u202c\u2066\u200b\ufeff\x00\x08\x7f{0} %s ${x}"
)
LONG = "L" * 65_536


def hostile_story(tmp_path: Path) -> Story:
    """Hostile text wherever text can come from."""
    story = Story(logs=tmp_path).until("network").busy()
    story.add(Kind.PROBED, step="network", attempt=1, verdict=HOSTILE, evidence=HOSTILE, facts={}, why="x")
    story.progress["network"]["message"] = HOSTILE + LONG
    story.progress["network"]["commands"] = [HOSTILE, LONG]
    story.progress["network"]["detail"]["stack"] = HOSTILE
    for resource in story.progress["network"]["detail"]["resources"]:
        resource["address"] = HOSTILE + LONG
    for table in story.progress["restore"]["detail"]["tables"]:
        table["name"] = HOSTILE
    story.fails("network", HOSTILE, detail=HOSTILE + "\n" + LONG, next=HOSTILE, where=HOSTILE)
    story.add(
        Kind.DECISION,
        step="network",
        command=HOSTILE,
        by="person",
        who=HOSTILE,
        reason=HOSTILE,
        refused=HOSTILE,
    )
    (tmp_path / "network.log").write_bytes(
        b"\n".join([HOSTILE.encode(), LONG.encode(), b"\xff\xfe\x1b[31m", b"$ " + HOSTILE.encode()] * 3)
        + b"\n"
    )
    for step in story.runbook.steps():
        for name in ("title", "why", "proof", "back", "action"):
            object.__setattr__(step, name, HOSTILE)
    for phase in story.runbook.phases:
        object.__setattr__(phase, "title", HOSTILE)
    return story


def clean_on_screen(seat: Seat) -> None:
    text = seat.text()
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]", text)


@pytest.mark.engine
@pytest.mark.parametrize("size", [(80, 24), LARGE])
def test_no_view_falls_over_hostile_text(tmp_path: Path, size: tuple[int, int]) -> None:
    async def act(seat: Seat) -> None:
        for key in ("1", "2", "3", "4", "5", "6", "Y", "y", "2", "y"):
            await seat.press(key)
            clean_on_screen(seat)
        assert "\x1b" not in seat.app.clipboard
        await seat.press("escape", "enter")
        clean_on_screen(seat)
        assert "[/bin/sh -c]" in seat.body()
        await seat.press("escape", "ctrl+p")
        await seat.pilot.pause(0.2)
        clean_on_screen(seat)

    play_story(hostile_story(tmp_path), act, size=size)


@pytest.mark.engine
def test_gate_and_resume_take_hostile_text(tmp_path: Path) -> None:
    story = Story().until("approve_start").asks("approve_start")
    gate = dict(story.records[-1].body)
    gate["checks"] = [{"name": HOSTILE, "ok": False, "detail": HOSTILE + LONG, "at": story.clock.isoformat()}]
    story.add(Kind.GATE_OPENED, **{**gate, "confirm": HOSTILE})
    control = StoryControl([story], refusal=HOSTILE)

    async def act(seat: Seat) -> None:
        await seat.press("enter")
        clean_on_screen(seat)

    play_story(story, act, control=control)

    async def look(seat: Seat) -> None:
        clean_on_screen(seat)
        await seat.press("o", "p", "R")
        await seat.pilot.pause(0.2)
        clean_on_screen(seat)

    play_story(hostile_story(tmp_path).dies(), look)


def test_home_takes_hostile_names(tmp_path: Path) -> None:
    story = hostile_story(tmp_path)
    object.__setattr__(story.runbook, "name", HOSTILE)
    story.records[0].body["run_id"] = HOSTILE  # type: ignore[index]
    story.records[0].body["runbook"] = HOSTILE  # type: ignore[index]
    (tmp_path / "[bold]x\x1b[31m.yaml").write_text("runbook: x\n")

    async def act(seat: Seat) -> None:
        clean_on_screen(seat)
        await seat.press("down", "down")
        clean_on_screen(seat)

    play_home(StoryControl([story]), act)


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="[]/\\@$=bold x\"'", max_size=20))
def test_the_palette_shows_any_text_as_it_is(text: str) -> None:
    shown = Content.from_markup(_escaped(text)).plain
    assert shown in (text.rstrip(), text.rstrip().translate(str.maketrans("[]\\", "()/")))


def test_lines_are_cut_and_cleaned_before_they_are_kept() -> None:
    lines, rest = split(HOSTILE.encode() + b"\n" + LONG.encode() + b"\nrest")
    assert "\x1b" not in lines[0]
    assert len(lines[1]) == 4_000
    assert rest == b"rest"
    endless, rest = split(b"e" * 300_000)
    assert len(endless) == 1
    assert rest == b""


def test_the_store_is_bounded_in_lines_and_characters() -> None:
    store = LineStore(most_lines=1_000, most_characters=50_000)
    dropped = sum(store.add([f"line {n}"] * 10) for n in range(500))
    assert len(store.lines) <= 1_000
    assert store.dropped == dropped == 5_000 - len(store.lines)
    store.add(["x" * 4_000] * 200)
    assert sum(map(len, store.lines)) <= 50_000
    store.clear()
    assert (store.lines, store.dropped) == ([], 0)


@pytest.mark.engine
def test_no_hostile_byte_reaches_the_terminal(tmp_path: Path) -> None:
    """Everything that the wizard writes to a real terminal, looked at byte by byte."""
    from tests.tui.terminal import scene

    with scene("hostile", tmp_path) as terminal:
        terminal.sees("FAILED")
        for key in "123456yY":
            terminal.send(key)
            terminal.rest(0.3)
        terminal.send("\r")
        terminal.rest(0.4)
        written = terminal.written
    for piece in (
        b"\x1b]52;c;aGFjaw==",
        b"\x1b]0;title",
        b"\x9b31m",
        b"\x1bc",
        "\u202e".encode(),
        b"\x00",
        b"\x08",
    ):
        assert piece not in written, piece
    assert written.count(b"\x1b[2J") == 0
