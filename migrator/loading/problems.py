"""Collects everything wrong in one file, so that all of it is reported at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field

from migrator.errors import InvalidRunbook, Problem
from migrator.sanitize import clean_line


@dataclass(frozen=True, order=True)
class Place:
    """A place in a file; line and column count from 1, and 0 means the whole file."""

    line: int = 0
    column: int = 0


WHOLE_FILE = Place()


@dataclass
class Problems:
    """The problems of one file so far."""

    file: str
    found: set[Problem] = field(default_factory=set)

    def add(self, place: Place, message: str) -> None:
        """Notes one problem; the same one twice counts once."""
        self.found.add(Problem(self.file, place.line, place.column, clean_line(message, 500)))

    def raise_if_any(self) -> None:
        """Raises `InvalidRunbook` with all problems in the order of the file, if there are any."""
        if self.found:
            raise InvalidRunbook(tuple(sorted(self.found)))


def shown(text: str) -> str:
    """`text` from the file, quoted and short enough for a message."""
    line = clean_line(text, 60)
    return f"'{line}'"


def nearest(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or what is known, for a name that is not known."""
    names = sorted(set(known))
    close = difflib.get_close_matches(name[:100], names, n=1, cutoff=0.6)
    if close:
        return f"; did you mean '{close[0]}'?"
    if not names:
        return "; there are none"
    more = f" and {len(names) - 12} more" if len(names) > 12 else ""
    return f"; known: {', '.join(names[:12])}{more}"
