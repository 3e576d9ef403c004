"""How questions reach a person: questionary in a plain terminal, imported when the first one is asked."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import termios
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Any, Protocol

from migrator.sanitize import clean_line

_TIDY = b"\x1b[?25h\x1b[?2004l\x1b[0m\r\n"
_LONGEST = 100


@dataclass(frozen=True)
class Option:
    """One thing to choose; `value` is what the choice gives."""

    value: str
    label: str


class Asker(Protocol):
    """Asks a person. `KeyboardInterrupt` and `EOFError` mean that they want to stop."""

    def say(self, text: str = "") -> None:
        """Shows a paragraph."""
        ...

    def text(self, message: str, default: str, problem_with: Callable[[str], str]) -> str:
        """A text with which there is no problem."""
        ...

    def choose(self, message: str, options: Sequence[Option], default: str = "") -> str:
        """The value of one of the options."""
        ...


class QuestionaryAsker:
    """Questions by questionary. Every text is cleaned before it reaches the terminal."""

    def say(self, text: str = "") -> None:
        """Shows a paragraph, wrapped to the terminal."""
        width = min(_LONGEST, shutil.get_terminal_size().columns)
        shown = clean_line(text, 2_000)
        indent = " " * (len(shown) - len(shown.lstrip()))
        for line in textwrap.wrap(shown.strip(), width, initial_indent=indent, subsequent_indent=indent) or [
            ""
        ]:
            print(line)  # noqa: T201 - this face prints

    def text(self, message: str, default: str, problem_with: Callable[[str], str]) -> str:
        """A line of text; it can only be given when there is no problem with it."""
        import questionary

        question = questionary.text(
            clean_line(message, 200),
            default=clean_line(default),
            validate=lambda text: problem_with(text) or True,
            validate_while_typing=False,
        )
        return str(question.unsafe_ask())

    def choose(self, message: str, options: Sequence[Option], default: str = "") -> str:
        """A choice by arrow keys."""
        import questionary

        choices = [
            questionary.Choice(clean_line(o.label, 200) or "-", value=str(i)) for i, o in enumerate(options)
        ]
        start = next((str(i) for i, option in enumerate(options) if option.value == default), "0")
        question = questionary.select(
            clean_line(message, 200), choices=choices, default=start, instruction="(arrow keys, Enter)"
        )
        return options[int(question.unsafe_ask())].value


@contextlib.contextmanager
def whole_terminal() -> Iterator[None]:
    """Leaves the terminal as it was when SIGTERM or SIGHUP ends the program in mid-question."""
    descriptor = sys.stdin.fileno()
    before: Any = termios.tcgetattr(descriptor)

    def end(number: int, _frame: FrameType | None) -> None:
        with contextlib.suppress(OSError, termios.error):
            termios.tcsetattr(descriptor, termios.TCSANOW, before)
            os.write(sys.stdout.fileno(), _TIDY)
        os._exit(128 + number)  # the answers are on disk; nothing else is open

    kept = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
