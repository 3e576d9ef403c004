"""Expressions in a runbook's texts: `${vars.domain}`, `${steps.network.vpc_id}`. Pure functions.

A text that is exactly one expression keeps the type of the value; otherwise the value becomes part of the
text. A segment is a name, the number of a list element (`.0`), or `["any key"]`. `$${` stands for `${`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from migrator.errors import UsageError

Lookup = Callable[[tuple[str, ...]], Any]
"""Gives the value for a path such as `("steps", "network", "vpc_id")`; raises `ExpressionError`."""

_TOKEN = re.compile(r"\$\$\{|\$\{")
_BODY = re.compile(r'\s*((?:[A-Za-z0-9_-]|\.|\["[^"\]{}]+"\])+)\s*\}')
_SEGMENT = re.compile(r'(?:^|\.)([A-Za-z0-9_][A-Za-z0-9_-]*)|\["([^"\]{}]+)"\]')


class ExpressionError(UsageError):
    """A text holds something that is not an expression, or an expression without a value."""


@dataclass(frozen=True)
class Reference:
    """One expression. `path` are its segments, `where` the place inside the value (`variables.vpc_id`)."""

    path: tuple[str, ...]
    where: str = ""

    def __str__(self) -> str:
        return "${" + ".".join(self.path) + "}"

    @property
    def step(self) -> str:
        """The step whose output is used, or an empty text."""
        return self.path[1] if len(self.path) > 1 and self.path[0] == "steps" else ""

    @property
    def variable(self) -> str:
        """The variable that is used, or an empty text."""
        return self.path[1] if len(self.path) > 1 and self.path[0] == "vars" else ""


def split(text: str) -> list[str | Reference]:
    """Literal pieces and references of `text`, in order; `ExpressionError` when it does not parse."""
    pieces: list[str | Reference] = []
    literal, position = "", 0
    while match := _TOKEN.search(text, position):
        literal += text[position : match.start()]
        if match[0] == "$${":
            literal, position = literal + "${", match.end()
            continue
        body = _BODY.match(text, match.end())
        path = _segments(body[1]) if body else None
        if body is None or path is None:
            raise ExpressionError(
                f"{_excerpt(text, match.start())!r} is not an expression such as ${{vars.name}}; "
                "write $${ for the characters themselves"
            )
        if literal:
            pieces.append(literal)
        pieces.append(Reference(path))
        literal, position = "", body.end()
    literal += text[position:]
    return [*pieces, literal] if literal else pieces


def _segments(body: str) -> tuple[str, ...] | None:
    if body.startswith("."):
        return None
    path: list[str] = []
    position = 0
    while position < len(body):
        match = _SEGMENT.match(body, position)
        if match is None:
            return None
        path.append(match[1] or match[2])
        position = match.end()
    return tuple(path)


def _excerpt(text: str, start: int) -> str:
    end = text.find("}", start)
    return text[start : min(len(text) if end < 0 else end + 1, start + 60)]


def references(value: Any) -> list[Reference]:
    """Every expression in `value`, nested ones too, with its place; `ExpressionError` for a malformed one."""
    return list(_walk(value, ""))


def _walk(value: Any, where: str) -> Iterator[Reference]:
    if isinstance(value, str):
        for piece in split(value):
            if isinstance(piece, Reference):
                yield Reference(piece.path, where)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _walk(item, f"{where}.{key}" if where else str(key))
    elif isinstance(value, Sequence):
        for index, item in enumerate(value):
            yield from _walk(item, f"{where}[{index}]")


def resolve(value: Any, lookup: Lookup) -> Any:
    """`value` with every expression replaced; lists and mappings are rebuilt, other values kept.

    `ExpressionError` when an expression has no value, or a list or mapping would become part of a text.
    """
    if isinstance(value, str):
        return _resolve_text(value, lookup)
    if isinstance(value, Mapping):
        return {key: resolve(item, lookup) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [resolve(item, lookup) for item in value]
    return value


def _resolve_text(text: str, lookup: Lookup) -> Any:
    if "${" not in text:
        return text
    pieces = split(text)
    if len(pieces) == 1 and isinstance(pieces[0], Reference):
        return lookup(pieces[0].path)
    return "".join(p if isinstance(p, str) else _as_text(p, lookup(p.path)) for p in pieces)


def _as_text(reference: Reference, value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    kind = "nothing" if value is None else "a mapping" if isinstance(value, Mapping) else "a list"
    raise ExpressionError(f"{reference} is {kind} and cannot become part of a text")


def within(scope: Mapping[str, Any]) -> Lookup:
    """A lookup in nested mappings and lists, such as `{"vars": …, "steps": …, "run": …}`."""

    def lookup(path: tuple[str, ...]) -> Any:
        value: Any = scope
        for depth, segment in enumerate(path):
            reference = Reference(path)
            if isinstance(value, Mapping) and segment in value:
                value = value[segment]
            elif _is_list(value) and segment.isdecimal() and int(segment) < len(value):
                value = value[int(segment)]
            else:
                known = ", ".join(sorted(map(str, value))) if isinstance(value, Mapping) else ""
                raise ExpressionError(
                    f"{reference} has no value: there is no {segment!r} in {'.'.join(path[:depth]) or 'scope'}",
                    detail=f"there is: {known}" if known else "",
                )
        return value

    return lookup


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)
