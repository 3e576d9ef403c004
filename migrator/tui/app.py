"""The wizard's application: entry points, signals, title, palette."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.command import Provider
from textual.screen import Screen
from textual.widgets import Static

from migrator.errors import ExitCode
from migrator.sanitize import clean_line
from migrator.tui.outside import RESTORE_TITLE, SAVE_TITLE, title_sequence
from migrator.tui.paint import content, line
from migrator.tui.themes import DEFAULT_THEME, THEMES
from migrator.tui.timekeeping import Now, local_now

if TYPE_CHECKING:
    from migrator.contracts.control import Control
    from migrator.tui.feed import Where
    from migrator.tui.watch import Watch

_TERMINAL_SECONDS = 1.0
_SIGNALS = {signal.SIGTERM: ExitCode.TERMINATED, signal.SIGHUP: ExitCode.HUNG_UP}


def _palette() -> type[Provider]:
    """The palette's commands; loaded when the palette is first opened."""
    from migrator.tui.palette import Commands

    return Commands


class MigratorApp(App[int]):
    """Shows one first screen. `last` is the run that was seen last, for the words after the end.

    The first frame is a line of its own: it stands before the screen's code is loaded.
    """

    CSS = "#opening { height: 1; background: $panel; }"
    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {_palette}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c", "ask_to_leave", show=False, priority=True, system=True),
        Binding("ctrl+q", "detach_all", show=False, priority=True, system=True),
    ]

    def __init__(
        self,
        first: Callable[[], Screen[None]],
        *,
        now: Now = local_now,
        opening: str = "looking for runs …",
    ) -> None:
        # NO_COLOR asks for no colours at all; the framework's own answer would be shades of grey.
        super().__init__(ansi_color=True if "NO_COLOR" in os.environ else None)
        self.now = now
        self.last: Watch | None = None
        self.failure: BaseException | None = None
        self._first = first
        self._opening = opening
        self._terminal_title = ""
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = DEFAULT_THEME

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """The colours of the two modes, for themes that do not name them."""
        return {
            "rehearsal": "#1b6ac9",
            "rehearsal-text": "#ffffff",
            "live": "#e8850c",
            "live-text": "#000000",
        }

    def compose(self) -> ComposeResult:
        """The first frame."""
        told = line((" migrator ", "strong"), (self._opening, "dim"))
        yield Static(content([told]), id="opening", markup=False)

    def on_mount(self) -> None:
        """Signals first, then a frame, then the screen."""
        loop = asyncio.get_running_loop()
        if not self.is_headless:
            for number, code in _SIGNALS.items():
                loop.add_signal_handler(number, self._end_by_signal, int(code))
        self._to_terminal(SAVE_TITLE)
        self.call_after_refresh(self._enter)

    def _enter(self) -> None:
        self.push_screen(self._first(), self._screen_closed)

    def on_unmount(self) -> None:
        """Gives the terminal its title back."""
        self._to_terminal(RESTORE_TITLE)

    def _screen_closed(self, _: None) -> None:
        self.exit(0)

    def _end_by_signal(self, code: int) -> None:
        """A signal ends the viewer, never the run."""
        self.exit(code)

    def set_terminal_title(self, text: str) -> None:
        """The terminal's title; written only when it changes."""
        if text != self._terminal_title:
            self._terminal_title = text
            self._to_terminal(title_sequence(text))

    def _to_terminal(self, sequence: str) -> None:
        driver = self._driver
        if driver is not None and not self.is_headless:
            driver.write(sequence)

    def action_ask_to_leave(self) -> None:
        """Ctrl-C never ends anything by itself."""
        screen = self.screen
        if screen.is_modal:
            screen.dismiss(None)
            return
        ask = getattr(screen, "ask_to_leave", None)
        if ask is None:
            self.exit(0)
        else:
            ask()

    def give_up(self, error: BaseException) -> None:
        """Ends because there is nothing to show; the error is told in the terminal, as by every other command."""
        self.failure = error
        self.exit(int(ExitCode.FAILED))

    def action_detach_all(self) -> None:
        """Ends the viewer; runs go on."""
        self.exit(0)


def exit_code(watch: Watch | None) -> ExitCode:
    """The command line's code for where the run stands when the screen is left. A run at work goes on: done."""
    if watch is None or not watch.records:
        return ExitCode.DONE
    return {
        "failed": ExitCode.FAILED,
        "blocked": ExitCode.FAILED,
        "in_doubt": ExitCode.FAILED,
        "aborted": ExitCode.FAILED,
        "waiting": ExitCode.WAITING,
        "paused": ExitCode.WAITING,
    }.get(str(watch.status()["state"]), ExitCode.DONE)


def run_home(control: Control) -> int:
    """The wizard from its home screen. Needs a terminal; gives an exit code."""

    def first() -> Screen[None]:
        from migrator.tui.home import HomeScreen

        return HomeScreen(control)

    return _show(MigratorApp(first))


def run_view(
    control: Control, where: Where, *, read_only: bool, opening: str = "reading the journal …"
) -> int:
    """One run, live. An unfinished run without a runner begins with the resume screen. Gives an exit code.

    `where` may be what finds or begins the run; what it raises is raised here, after the screen is gone.
    """

    def first() -> Screen[None]:
        from migrator.tui.run import RunScreen

        return RunScreen(control, where, read_only=read_only, opening=opening)

    return _show(MigratorApp(first, opening=opening))


def _show(app: MigratorApp) -> int:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        sys.stderr.write("The wizard needs a terminal. Use --plain for lines.\n")
        return int(ExitCode.USAGE)
    threading.Thread(target=_end_with_the_terminal, name="terminal watch", daemon=True).start()
    code = app.run()
    if app.failure is not None:
        raise app.failure
    _say_how_to_go_on(app.last)
    if code in (ExitCode.TERMINATED, ExitCode.HUNG_UP):
        return int(code)
    if app.return_code:
        return int(ExitCode.FAILED)
    return int(exit_code(app.last))


def _end_with_the_terminal() -> None:
    """Ends a viewer whose terminal is gone: the framework would wait for ever for what nobody reads.

    There is nothing left to restore then, and the run is led by another process.
    """
    while os.isatty(sys.__stdin__.fileno() if sys.__stdin__ else 0):
        time.sleep(_TERMINAL_SECONDS)
    time.sleep(_TERMINAL_SECONDS)
    os._exit(int(ExitCode.HUNG_UP))


def _say_how_to_go_on(watch: Watch | None) -> None:
    """Every stop ends with the exact command that continues."""
    if watch is None or not watch.records:
        return
    status = watch.status()
    state = str(status["state"]).replace("_", " ")
    alive = "; it goes on without this screen" if watch.alive else ""
    text = f"{clean_line(watch.state.run_id)}: {state}{alive}\nNext: {clean_line(str(status['next']))}\n"
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError:
        return
