"""A secret that survives quoting, formatting and nesting, and the redactor that scrubs texts of known ones."""

from __future__ import annotations

import json
import re
import shlex
import threading
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn
from urllib.parse import quote, quote_plus

MASK = "‹secret›"
_MIN_LENGTH = 6
_MIN_LINE = 12


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

    def __getstate__(self) -> NoReturn:
        raise TypeError("a Secret cannot be pickled or copied out of memory")


class Redactor:
    """Replaces every known secret in a text, also as JSON, a URL or a shell would spell it, and line by line.

    Values under six characters are too common to be scrubbed.
    """

    def __init__(self) -> None:
        self._values: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self._lock = threading.Lock()

    def add(self, value: str) -> None:
        """Know one more secret value."""
        if value in self._values:
            return
        spelled = {s for s in _spellings(value) if len(s) >= _MIN_LENGTH and s not in MASK}
        if not spelled:
            return
        with self._lock:
            self._values |= spelled
            longest_first = sorted(self._values, key=len, reverse=True)
            self._pattern = re.compile("|".join(re.escape(value) for value in longest_first))

    def scrub(self, text: str) -> str:
        """`text` with every known secret replaced by a mask."""
        pattern = self._pattern
        return pattern.sub(MASK, text) if pattern else text

    def scrub_values(self, value: Any) -> Any:
        """`value` with every text inside its lists and mappings scrubbed; keys and other values are kept."""
        if isinstance(value, str):
            return self.scrub(value)
        if isinstance(value, Mapping):
            return {key: self.scrub_values(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.scrub_values(item) for item in value]
        return value


def _spellings(value: str) -> Iterator[str]:
    yield value
    yield json.dumps(value)[1:-1]
    yield json.dumps(value, ensure_ascii=False)[1:-1]
    yield repr(value)[1:-1]
    lone = "".join(c for c in value if not "\ud800" <= c <= "\udfff")
    yield quote(lone, safe="")
    yield quote_plus(lone)
    yield shlex.quote(value).strip("'")
    yield from (line.strip() for line in value.splitlines() if len(line.strip()) >= _MIN_LINE)


REDACTOR = Redactor()
