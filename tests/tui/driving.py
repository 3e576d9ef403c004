"""Plays keys on a screen over a told run, on the story's clock."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textual import events
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input, Static

from migrator.contracts.control import Control
from migrator.tui.app import MigratorApp
from migrator.tui.dialogs import Dialog
from migrator.tui.home import HomeScreen
from migrator.tui.paint import plain
from migrator.tui.run import RunScreen
from migrator.tui.steptree import StepTree
from migrator.tui.timekeeping import Now, local_now
from tests.tui.story import Story, StoryControl

Size = tuple[int, int]
SMALL, LARGE = (80, 24), (160, 50)


@dataclass
class Seat:
    """Somebody in front of the screen."""

    app: MigratorApp
    pilot: Pilot[Any]

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def type(self, text: str) -> None:
        """Into the field that has the keys, as a paste."""
        field = self.app.screen.focused
        assert isinstance(field, Input), f"no field has the keys but {field}"
        field.post_message(events.Paste(text))
        await self.pilot.pause()

    async def until(self, found: Callable[[], bool], seconds: float = 5.0) -> None:
        end = time.monotonic() + seconds
        while not found():
            assert time.monotonic() < end, f"it did not happen; on screen:\n{self.text()}"
            await self.pilot.pause(0.02)

    async def sees(self, text: str, seconds: float = 5.0) -> None:
        await self.until(lambda: text in self.text(), seconds)

    @property
    def run(self) -> RunScreen:
        return next(s for s in self.app.screen_stack if isinstance(s, RunScreen))

    @property
    def tree(self) -> StepTree:
        return self.run.query_one(StepTree)

    @property
    def dialog(self) -> Dialog[Any]:
        screen = self.app.screen
        assert isinstance(screen, Dialog), f"no box is open but {screen}"
        return screen

    def text(self) -> str:
        """What the terminal shows, line by line."""
        height = self.app.size.height
        strips = self.app.screen._compositor.render_strips()
        return "\n".join(strip.text.rstrip() for strip in strips[:height])

    def body(self) -> str:
        """The whole text of the open box, also what is out of sight."""
        return plain(self.dialog.body())

    def told(self) -> str:
        """The last line of the open box."""
        return str(self.dialog.query_one("#told", Static).render())


Act = Callable[[Seat], Awaitable[None]]


def play(
    first: Callable[[], Screen[None]], act: Act, *, now: Now = local_now, size: Size = SMALL
) -> MigratorApp:
    """Opens a screen, plays, and closes; errors of the screen are errors of the test."""
    app = MigratorApp(first, now=now)

    async def go() -> None:
        async with app.run_test(size=size, notifications=True) as pilot:
            await pilot.pause()
            await act(Seat(app, pilot))

    asyncio.run(go())
    return app


def play_story(
    story: Story,
    act: Act,
    *,
    size: Size = SMALL,
    read_only: bool = False,
    control: StoryControl | None = None,
) -> StoryControl:
    """The run screen over a told run, after its records were read."""
    used = control or StoryControl([story])

    async def ready(seat: Seat) -> None:
        await seat.until(lambda: seat.run.known is not None and bool(seat.run.known.records))
        await seat.pilot.pause()
        await act(seat)

    play(lambda: RunScreen(used, story.folder, read_only=read_only), ready, now=story.now, size=size)
    return used


def play_run(
    control: Control, folder: Path, act: Act, *, size: Size = SMALL, read_only: bool = False
) -> None:
    """The run screen over a run that goes on."""
    play(lambda: RunScreen(control, folder, read_only=read_only), act, size=size)


def play_home(control: Control, act: Act, *, size: Size = SMALL, now: Now = local_now) -> MigratorApp:
    """The home screen after its list was read."""

    async def ready(seat: Seat) -> None:
        await seat.sees("Runbooks that come")
        await act(seat)

    return play(lambda: HomeScreen(control), ready, size=size, now=now)


async def still(pilot: Pilot[Any]) -> None:
    """Before a picture is taken: everything read, no cursor blinks."""
    seat = Seat(pilot.app, pilot)  # type: ignore[arg-type]
    await seat.until(lambda: len(pilot.app.screen_stack) > 1)
    screen = pilot.app.screen_stack[1]
    if isinstance(screen, RunScreen):
        await seat.until(lambda: screen.known is not None and bool(screen.known.records))
    else:
        await seat.sees("Runbooks that come")
    await pilot.pause()


async def settled(pilot: Pilot[Any], pauses: int = 60) -> None:
    """Waits until the screen looks the same three times in a row: whatever was under way is drawn."""
    seen: list[str] = []
    for _ in range(pauses):
        await pilot.pause(0.1)
        seen = [*seen[-2:], re.sub(r"terminal-\d+", "", pilot.app.export_screenshot())]
        if len(seen) == 3 and len(set(seen)) == 1:
            return
    raise AssertionError("the screen never stands still")


async def unblinking(pilot: Pilot[Any]) -> None:
    """Fields without a blinking cursor."""
    for field in pilot.app.screen.query(Input):
        field.cursor_blink = False
    await pilot.pause()
