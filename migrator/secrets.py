"""A secret that survives quoting, formatting and nesting, and the redactor that scrubs texts of known ones."""

from __future__ import annotations

import re
import threading
from typing import Any, NoReturn

MASK = "‹secret›"
_MIN_LENGTH = 6


class Secret:
    """A value that never shows itself: `str`, `repr`, `format`, `json` and `pickle` do not reveal it.

    Every secret made is known to the process's redactor, so that a tool which prints it is scrubbed.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value
        REDACTOR.add(value)

    def reveal(self) -> str:
        """The value itself, for the one place that hands it to a tool."""
        return self._value

    def __repr__(self) -> str:
        return MASK

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __bool__(self) -> bool:
        return bool(self._value)

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError("a Secret cannot be pickled or copied out of memory")


class Redactor:
    """Replaces every known secret in a text. Values under six characters are too common to be scrubbed."""

    def __init__(self) -> None:
        self._values: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self._lock = threading.Lock()

    def add(self, value: str) -> None:
        """Know one more secret value."""
        if len(value) < _MIN_LENGTH or value in self._values:
            return
        with self._lock:
            self._values.add(value)
            longest_first = sorted(self._values, key=len, reverse=True)
            self._pattern = re.compile("|".join(re.escape(value) for value in longest_first))

    def scrub(self, text: str) -> str:
        """`text` with every known secret replaced by a mask."""
        pattern = self._pattern
        return pattern.sub(MASK, text) if pattern else text


REDACTOR = Redactor()
