"""How the screens look, in both sizes, and every state of a step. `--snapshot-update` after a wanted change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from textual.pilot import Pilot

from migrator.model.records import Kind
from migrator.tui.app import MigratorApp
from migrator.tui.home import HomeScreen
from migrator.tui.run import RunScreen
from tests.tui.driving import LARGE, SMALL, settled, still, unblinking
from tests.tui.story import START, Story, StoryControl
from tests.tui.test_home import three

pytestmark = pytest.mark.engine
SIZES = {"small": SMALL, "large": LARGE}


def busy(mode: str = "rehearse") -> Story:
    return Story(mode=mode).until("network").busy().begin("network").begin("certificate").wait(31)


def window() -> Story:
    return Story(mode="run").until("restore").busy().begin("restore").wait(48)


def doubt() -> Story:
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
    return story


def failed() -> Story:
    return Story().until("compare").fails("compare", detail="psql: error: connection refused")


def asks() -> Story:
    return Story(mode="run").until("approve_cutover").busy().asks("approve_cutover").wait(70)


def dead() -> Story:
    return Story().until("restore").begin("restore").wait(20).dies().wait(300)


SCREENS: dict[str, tuple[Callable[[], Story], tuple[str, ...]]] = {
    "step": (busy, ()),
    "live": (window, ()),
    "log": (busy, ("2",)),
    "terraform": (busy, ("3",)),
    "database": (window, ("4",)),
    "traffic": (window, ("5",)),
    "journal": (busy, ("6",)),
    "gate": (asks, ("enter",)),
    "failure": (failed, ("enter",)),
    "doubt": (doubt, ("enter",)),
    "leave": (busy, ("ctrl+c",)),
    "help": (busy, ("?",)),
    "resume": (dead, ()),
    "report": (busy, ("R",)),
    "find": (busy, ("/",)),
}


def app_of(story: Story, *, read_only: bool = False) -> MigratorApp:
    control = StoryControl([story])
    return MigratorApp(lambda: RunScreen(control, story.folder, read_only=read_only), now=story.now)


def keys(*pressed: str) -> Callable[[Pilot[Any]], Any]:
    async def prepare(pilot: Pilot[Any]) -> None:
        await still(pilot)
        for key in pressed:
            await pilot.press(key)
            await settled(pilot)
        await unblinking(pilot)
        await settled(pilot)

    return prepare


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", SCREENS)
def test_screen(snap_compare: Any, name: str, size: str) -> None:
    make, pressed = SCREENS[name]
    assert snap_compare(app_of(make()), terminal_size=SIZES[size], run_before=keys(*pressed))


@pytest.mark.parametrize("size", SIZES)
def test_home(snap_compare: Any, size: str) -> None:
    control = three()
    app = MigratorApp(lambda: HomeScreen(control), now=lambda: START)
    assert snap_compare(app, terminal_size=SIZES[size], run_before=keys())


def undone() -> Story:
    story = Story().until("database").done("database")
    story.add(Kind.UNDO_INTENT, step="database")
    story.add(Kind.UNDONE, step="database", checks=[])
    return story


def not_undone() -> Story:
    story = Story().until("database").done("database")
    story.add(Kind.UNDO_INTENT, step="database")
    story.add(
        Kind.UNDO_FAILED,
        step="database",
        error={"what": "deletion protection is on", "next": "switch it off"},
    )
    return story


def undoing() -> Story:
    story = Story().until("database").done("database")
    story.add(Kind.UNDO_INTENT, step="database")
    return story


def skipped() -> Story:
    story = Story().until("compare").fails("compare")
    story.add(
        Kind.DECISION, step="compare", command="skip", by="person", who="mara", reason="compared by hand"
    )
    story.add(Kind.SKIPPED, step="compare", reason="compared by hand", who="mara")
    return story


def changed() -> Story:
    story = Story().until("compare").done("compare")
    story.add(Kind.REPROVED, step="compare", ok=False, verdict="absent", evidence="the database is gone")
    story.add(
        Kind.BLOCKED,
        step="compare",
        attempt=1,
        reason="the world has changed since",
        evidence="the database is gone",
        error={},
    )
    return story


STATES: dict[str, tuple[Callable[[], Story], str]] = {
    "pending": (busy, "compare"),
    "running": (busy, "network"),
    "waiting": (lambda: Story().until("soak").waits("soak", 86_400).wait(60), "soak"),
    "asking": (asks, "approve_cutover"),
    "in_doubt": (doubt, "network"),
    "done": (lambda: Story().until("backend").done("backend", outputs={"bucket": "state"}), "backend"),
    "failed": (failed, "compare"),
    "blocked": (lambda: Story().until("database").blocks("database"), "database"),
    "skipped": (skipped, "compare"),
    "undoing": (undoing, "database"),
    "undone": (undone, "database"),
    "undo_failed": (not_undone, "database"),
    "changed": (changed, "compare"),
}


@pytest.mark.parametrize("state", STATES)
def test_state_of_a_step(snap_compare: Any, state: str) -> None:
    make, step = STATES[state]

    async def prepare(pilot: Pilot[Any]) -> None:
        await still(pilot)
        screen = pilot.app.screen_stack[1]
        assert isinstance(screen, RunScreen)
        screen.go_to(step)
        await settled(pilot)

    assert snap_compare(app_of(make()), terminal_size=(110, 40), run_before=prepare)


@pytest.mark.parametrize("theme", ["migrator-paper", "migrator-contrast"])
def test_theme(snap_compare: Any, theme: str) -> None:
    app = app_of(window())
    app.theme = theme
    assert snap_compare(app, terminal_size=LARGE, run_before=keys("5"))


def test_without_colours(snap_compare: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert snap_compare(app_of(failed()), terminal_size=SMALL, run_before=keys())


def test_a_watcher(snap_compare: Any) -> None:
    assert snap_compare(app_of(busy(), read_only=True), terminal_size=SMALL, run_before=keys())
