"""The resume screen: what somebody must know before going on with a half-finished run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar

from textual import work
from textual.binding import Binding, BindingType

from migrator.tui.dialogs import Dialog
from migrator.tui.paint import Line, line
from migrator.tui.resumetext import resume_lines
from migrator.tui.timekeeping import now_of
from migrator.tui.watch import Watch

Lead = Callable[[], Awaitable[str]]
"""Starts a runner; gives why it could not be started, or empty."""


class ResumeScreen(Dialog[str]):
    """Lies over the run screen. Gives `go on`, `look`, or none for back."""

    DEFAULT_CSS = """
    ResumeScreen > .box { max-width: 130; height: 94%; max-height: 94%; }
    """
    widest = 130
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,r", "go_on", show=False),
        Binding("w", "ask_the_world", show=False),
        Binding("o", "look", show=False),
        Binding("q", "leave", show=False),
    ]

    def __init__(self, watch: Watch, lead: Lead, ask_the_world: Lead) -> None:
        super().__init__()
        self._watch = watch
        self._lead = lead
        self._ask = ask_the_world
        self._starting = False
        self._asking = False
        self._asked_after = 0

    def on_mount(self) -> None:
        """Waiting times go on."""
        super().on_mount()
        self.set_interval(0.5, self._tick)

    def _tick(self) -> None:
        state = self._watch.state
        ended = bool(state.stopped) or not self._watch.alive
        if self._asking and ended and int(state.runner.get("seq", 0)) > self._asked_after:
            self._asking = False
            self.tell(self.keys())
        self.redraw()

    def heading(self) -> str:
        """The title."""
        return "Going on with a half-finished run"

    def body(self) -> Sequence[Line]:
        """The one screen."""
        return resume_lines(self._watch, now_of(self))

    def keys(self) -> Line:
        """The keys."""
        return line(
            ("Enter", "key"),
            " go on   ",
            ("w", "key"),
            " ask the world first   ",
            ("o", "key"),
            " only look   ",
            ("Esc", "key"),
            " back",
        )

    @work(exclusive=True)
    async def action_go_on(self) -> None:
        """Starts a runner, unless there is one."""
        if self._asking:
            return self.tell(
                line(("The world is still being asked. Enter goes on when it has answered.", "ask"))
            )
        if not self._watch.alive and not self._watch.state.outcome:
            self._starting = True
            self.tell(line(("Starting a runner …", "busy")))
            refused = await self._lead()
            self._starting = False
            if refused:
                self.tell(line(("It could not be started: ", "bad"), refused))
                return None
        self.dismiss("go on")
        return None

    @work(group="asking")
    async def action_ask_the_world(self) -> None:
        """Whether what is done still holds, and what became of what is in doubt. Nothing is sent."""
        if self._watch.alive or self._watch.state.outcome or self._asking or self._starting:
            return
        self._asking, self._asked_after = True, int(self._watch.state.runner.get("seq", 0))
        self.tell(line(("Asking the world; nothing is sent …", "busy")))
        if refused := await self._ask():
            self._asking = False
            self.tell(line(("It could not be asked: ", "bad"), refused))

    def action_look(self) -> None:
        """Only looks."""
        self.dismiss("look")
