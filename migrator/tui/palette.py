"""The command palette: everything by name, and every step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from textual.app import App
from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content
from textual.markup import MarkupError, escape
from textual.screen import Screen

from migrator.sanitize import clean_line
from migrator.tui.home import HomeScreen
from migrator.tui.run import TABS, RunScreen
from migrator.tui.steptext import commands_of, look_of

Command = tuple[str, str, Callable[[], Any]]


class Commands(Provider):
    """The palette's source. Its texts are escaped: titles come from runbooks and commands from tools."""

    async def discover(self) -> Hits:
        """Everything, before anything is typed."""
        for title, told, callback in commands(self.app, self.screen):
            text = _escaped(title)
            yield DiscoveryHit(text, callback, text=text, help=_escaped(told))

    async def search(self, query: str) -> Hits:
        """What matches."""
        matcher = self.matcher(query)
        for title, told, callback in commands(self.app, self.screen):
            text = clean_line(title, 120)
            score = matcher.match(text)
            if score > 0:
                yield Hit(score, _escaped(title), callback, text=text, help=_escaped(told))


def _escaped(text: str) -> str:
    """The palette reads markup: a text that does not come back as it is loses its brackets."""
    cleaned = clean_line(text, 120)
    escaped = escape(cleaned)
    try:
        faithful = Content.from_markup(escaped).plain == cleaned
    except MarkupError:
        faithful = False
    return escaped if faithful else cleaned.translate(_NO_MARKUP)


_NO_MARKUP = str.maketrans({"[": "(", "]": ")", "\\": "/"})


def commands(app: App[Any], screen: Screen[Any]) -> Iterator[Command]:
    """Title, help and what it does."""
    if isinstance(screen, RunScreen):
        yield from _run(screen)
        yield from _steps(screen)
    if isinstance(screen, HomeScreen):
        yield (
            "Rehearse the chosen one",
            "h: on a twin; nothing real is touched",
            partial(screen.action_start, "rehearse"),
        )
        yield ("New migration", "n: questions for the chosen runbook", screen.action_new)
        yield ("Report of the chosen run", "R", screen.action_report)
        yield ("Help", "?: the keys of this view", screen.action_help)
    yield ("Theme", "colours: night, paper, contrast and others", app.action_change_theme)
    yield ("Leave", "q: this screen ends, runs go on", partial(app.exit, 0))


def _run(screen: RunScreen) -> Iterator[Command]:
    for number, (name, word, _) in enumerate(TABS, 1):
        yield (f"Open {word}", f"{number}: this tab", partial(screen.action_tab, name))
    yield ("Where the run is", ".: go to the current step and stay with it", screen.action_current)
    yield ("Answer what is asked", "g: the open decision", screen.action_decide)
    yield ("How to go on with this step", "x: try again, undo, skip, end", screen.action_choices)
    yield ("Pause or go on", "p: after what is at work", screen.action_pause)
    yield ("Copy command", "y: the step's newest real command", screen.action_copy)
    for text in _commands(screen):
        yield (f"Copy: {text}", "a command that this step ran", partial(screen.copy, text))
    yield ("Open the runbook here", "e: in your editor, at this step", screen.action_edit)
    yield ("Export the report", "R: read it, keep it as HTML, Markdown or JSON", screen.action_report)
    yield ("Find", "/: a step, or a line of the tab", screen.action_search)
    yield ("Whole width", "z: hide the tree, or show it again", screen.action_zoom)
    yield ("Steer", "s: from watching to steering", screen.action_steer)
    yield ("Help", "?: the keys of this view", screen.action_help)


def _commands(screen: RunScreen) -> list[str]:
    step = screen.step()
    if step is None or screen.known is None:
        return []
    return commands_of(screen.known, step, screen.logged_commands())[-10:]


def _steps(screen: RunScreen) -> Iterator[Command]:
    if screen.known is None:
        return
    for step in screen.known.runbook.steps():
        look = look_of(screen.known, step)
        yield (f"Step: {step.title}", f"{step.id}, {look.word}", partial(screen.go_to, step.id))
