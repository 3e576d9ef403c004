"""Reads nodes by their kinds into plain values, and notes everything that does not fit."""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, get_args

from migrator.contracts.params import ParamError, SecretRef, convert
from migrator.loading.kinds import Choice, Free, Kind, ListOf, MapOf, Record, Scalar, Words, named
from migrator.loading.problems import Problems, nearest, shown
from migrator.loading.yaml_positions import Hole, Items, Node, Table, Text
from migrator.model.expressions import ExpressionError, references


class Unread(Enum):
    """Stands for a value that could not be read; its problem is noted."""

    UNREAD = "unread"


UNREAD: Final = Unread.UNREAD


@dataclass(frozen=True)
class Reader:
    """Reads the nodes of one file."""

    problems: Problems

    def read(self, kind: Kind, node: Node, expressions: bool = False) -> Any:
        """The value of `node` as `kind`, or `UNREAD`. A text with `${…}` fits every kind if allowed."""
        if isinstance(node, Hole):
            return UNREAD
        if isinstance(node, Text) and expressions and "${" in node.value:
            return self._expression(node)
        match kind:
            case Free():
                return self.free(node, expressions)
            case ListOf():
                return self._list(kind, node, expressions)
            case MapOf():
                return self._map(kind, node, expressions)
            case Record():
                return self.record(kind, node, expressions=expressions)
            case _:
                return self._text(kind, node)

    def record(
        self, kind: Record, node: Node, ignore: Collection[str] = (), expressions: bool = False
    ) -> dict[str, Any] | Unread:
        """The keys of a record that could be read. Keys in `ignore` are read by somebody else."""
        if not isinstance(node, Table):
            return self._wrong(kind, node)
        self._check_names(kind, node, ignore)
        values = {}
        for name, key in kind.keys.items():
            if name in node.entries and name not in ignore:
                value = self.read(key.kind, node.entries[name], expressions or key.expressions)
                if value is not UNREAD:
                    values[name] = value
        return values

    def _check_names(self, kind: Record, node: Table, ignore: Collection[str]) -> None:
        for name in node.entries:
            if name not in kind.keys and name not in ignore:
                free = [known for known in kind.keys if known not in node.entries]
                hint = nearest(name, free)
                self.problems.add(node.key(name), f"unknown key {shown(name)}{hint}")
        for name, key in kind.keys.items():
            if key.required and name not in node.entries:
                self.problems.add(node.place, f"the key '{name}' is missing")
        present = [name for name in kind.one_of if name in node.entries]
        if kind.one_of and len(present) != 1:
            told = " and ".join(f"'{name}'" for name in present) if present else "none of them"
            choice = ", ".join(f"'{name}'" for name in kind.one_of)
            place = node.key(present[1]) if present else node.place
            self.problems.add(place, f"exactly one of {choice} must be here; there is {told}")

    def free(self, node: Node, expressions: bool = False) -> Any:
        """Any JSON value; see `kinds.Free` for what unquoted scalars become."""
        if isinstance(node, Hole):
            return UNREAD
        if isinstance(node, Text):
            return self._expression(node) if expressions and "${" in node.value else plain_value(node)
        if isinstance(node, Items):
            values = [self.free(item, expressions) for item in node.items]
            return [value for value in values if value is not UNREAD]
        read = {name: self.free(item, expressions) for name, item in node.entries.items()}
        return {name: value for name, value in read.items() if value is not UNREAD}

    def _expression(self, node: Text) -> str | Unread:
        try:
            references(node.value)
        except ExpressionError as error:
            self.problems.add(node.place, error.what)
            return UNREAD
        return node.value

    def _list(self, kind: ListOf, node: Node, expressions: bool) -> list[Any] | Unread:
        if not isinstance(node, Items):
            return self._wrong(kind, node)
        if len(node.items) < kind.at_least:
            self.problems.add(node.place, "the list is empty")
        values = [self.read(kind.element, item, expressions) for item in node.items]
        return [value for value in values if value is not UNREAD]

    def _map(self, kind: MapOf, node: Node, expressions: bool) -> dict[str, Any] | Unread:
        if not isinstance(node, Table):
            return self._wrong(kind, node)
        values = {}
        for name, item in node.entries.items():
            if kind.key.pattern and not re.fullmatch(kind.key.pattern, name):
                self.problems.add(node.key(name), f"{shown(name)} is not a name: {kind.key.hint}")
            value = self.read(kind.element, item, expressions)
            if value is not UNREAD:
                values[name] = value
        return values

    def _text(self, kind: Scalar | Words | Choice, node: Node) -> Any:
        if not isinstance(node, Text):
            return self._wrong(kind, node)
        if isinstance(kind, Scalar):
            return self._scalar(kind, node)
        if isinstance(kind, Choice):
            if node.value in kind.values:
                return node.value
            hint = nearest(node.value, kind.values)
            self.problems.add(node.place, f"{shown(node.value)} is not one of the choices{hint}")
            return UNREAD
        if not node.value.strip():
            self.problems.add(node.place, "must not be empty")
            return UNREAD
        if kind.pattern and not re.fullmatch(kind.pattern, node.value):
            self.problems.add(node.place, f"{shown(node.value)} does not fit: {kind.hint or kind.pattern}")
            return UNREAD
        return node.value

    def _scalar(self, kind: Scalar, node: Text) -> Any:
        if node.plain and node.value in ("null", "~") and type(None) in get_args(kind.type):
            return None
        try:
            value = convert(kind.type, node.value, "")
            if not isinstance(value, float) or math.isfinite(value):
                return value
        except (ParamError, OverflowError):
            pass
        # What stands where a secret's place should be may be the secret itself.
        what = "this" if kind.type is SecretRef else shown(node.value) if node.value else "nothing"
        self.problems.add(node.place, f"{what} is not {named(kind)}")
        return UNREAD

    def _wrong(self, kind: Kind, node: Node) -> Unread:
        found = {Text: "a single value", Items: "a list", Table: "a mapping"}.get(type(node), "")
        self.problems.add(node.place, f"must be {named(kind)}, not {found}")
        return UNREAD


def plain_value(node: Text) -> None | bool | int | float | str:
    """The scalar as JSON: typed only when unquoted and when writing it back gives the same text."""
    if not node.plain:
        return node.value
    if node.value in _WORDS:
        return _WORDS[node.value]
    if re.fullmatch(r"0|-?[1-9][0-9]{0,17}", node.value):
        return int(node.value)
    if re.fullmatch(r"-?[0-9]{1,15}\.[0-9]{1,15}", node.value) and repr(float(node.value)) == node.value:
        return float(node.value)
    return node.value


_WORDS: dict[str, None | bool] = {"true": True, "false": False, "null": None, "~": None, "": None}
