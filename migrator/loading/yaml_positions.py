"""Reads YAML into nodes that know their place, and refuses what a runbook must not hold.

Scalars stay the text that was written: `no`, `1.10` and `22:22` mean nothing until a kind reads them.
Built from parser events, so that anchors, aliases and tags are seen before anything resolves them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import yaml

from migrator.loading.problems import Place, Problems, shown

MAX_DEPTH = 20
_HOPELESS_DEPTH = 64
MAX_BYTES = 256 * 1024

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# Control characters but tab and line ends, bidi controls and marks, zero-width and separator characters.
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff"
    "\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e007f]|\r(?!\n)"
)


@dataclass(frozen=True)
class Text:
    """A scalar as it was written. `plain`: without quotes, so `null` or `true` may be meant."""

    place: Place
    value: str
    plain: bool = True


@dataclass(frozen=True)
class Items:
    """A list."""

    place: Place
    items: tuple[Node, ...]


@dataclass(frozen=True)
class Table:
    """A mapping, in the order of the file. `keys` holds the place of each key."""

    place: Place
    entries: dict[str, Node]
    keys: dict[str, Place] = field(default_factory=dict)

    def key(self, name: str) -> Place:
        """Where this key stands; the mapping's own place when it is missing."""
        return self.keys.get(name, self.place)


@dataclass(frozen=True)
class Hole:
    """Something that was refused here; the problem is noted, readers pass over it."""

    place: Place


Node: TypeAlias = Text | Items | Table | Hole


def parse(data: bytes, problems: Problems) -> Node | None:
    """The one document in `data`; None when there is none to go on with. Everything refused is noted."""
    if len(data) > MAX_BYTES:
        problems.add(Place(1, 1), f"the file is larger than {MAX_BYTES} bytes")
        return None
    text = _decode(data, problems)
    if text is None:
        return None
    return _Builder(problems).build(_FORBIDDEN.sub("\ufffd", text))


def _decode(data: bytes, problems: Problems) -> str | None:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        place = Place(before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)
        problems.add(place, f"byte 0x{data[error.start]:02x} is not valid UTF-8")
        return None
    for number, line in enumerate(text.split("\n"), start=1):
        if match := _FORBIDDEN.search(line + "\n"):
            problems.add(Place(number, match.start() + 1), _forbidden(match[0]))
    return text


def _forbidden(character: str) -> str:
    return f"the control or invisible character U+{ord(character[0]):04X} is not allowed"


@dataclass
class _Open:
    """A list or mapping that is being read. `key` waits for its value; `kept` is false where it is refused."""

    place: Place
    mapping: bool
    kept: bool = True
    items: list[Node] = field(default_factory=list)
    entries: dict[str, Node] = field(default_factory=dict)
    keys: dict[str, Place] = field(default_factory=dict)
    key: Text | None = None
    awaits_value: bool = False

    def node(self) -> Node:
        if self.mapping:
            return Table(self.place, self.entries, self.keys)
        return Items(self.place, tuple(self.items))


@dataclass
class _Builder:
    problems: Problems
    stack: list[_Open] = field(default_factory=list)
    root: Node | None = None
    documents: int = 0

    def build(self, text: str) -> Node | None:
        try:
            for event in self._events(text):
                self._take(event)
                if len(self.stack) > _HOPELESS_DEPTH:
                    return None
        except yaml.YAMLError as error:
            self.problems.add(*_syntax(error))
            return None
        if self.documents == 0:
            self.problems.add(Place(1, 1), "the file is empty")
        return self.root

    def _events(self, text: str) -> Iterator[Any]:
        return iter(yaml.parse(text, Loader=_LOADER))

    def _take(self, event: Any) -> None:
        place = Place(event.start_mark.line + 1, event.start_mark.column + 1)
        if isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents == 2:
                self.problems.add(place, "a second document starts here; a file holds one")
        elif self.documents > 1:
            return
        elif isinstance(event, yaml.AliasEvent):
            self.problems.add(place, f"the alias *{event.anchor} is not allowed; write the value out")
            self._value(Hole(place))
        elif isinstance(event, yaml.ScalarEvent):
            self._refuse_decoration(event, place)
            if match := _FORBIDDEN.search(event.value):
                self.problems.add(place, _forbidden(match[0]))
            value = _FORBIDDEN.sub("\ufffd", event.value)
            self._value(Text(place, value, plain=event.style in (None, "")))
        elif isinstance(event, yaml.CollectionStartEvent):
            self._refuse_decoration(event, place)
            self._open(place, isinstance(event, yaml.MappingStartEvent))
        elif isinstance(event, yaml.CollectionEndEvent):
            closed = self.stack.pop()
            self._value(closed.node() if closed.kept else Hole(closed.place))

    def _refuse_decoration(self, event: Any, place: Place) -> None:
        if event.anchor is not None:
            self.problems.add(place, f"the anchor &{event.anchor} is not allowed; write the value out")
        if event.tag is not None:
            self.problems.add(place, f"the tag {shown(event.tag)} is not allowed")

    def _open(self, place: Place, mapping: bool) -> None:
        depth = len(self.stack)
        if depth == MAX_DEPTH:
            self.problems.add(place, f"nested more than {MAX_DEPTH} deep")
        is_key = bool(self.stack) and self.stack[-1].mapping and not self.stack[-1].awaits_value
        if is_key:
            self.problems.add(place, "a key must be a text")
        self.stack.append(_Open(place, mapping, kept=not is_key and depth < MAX_DEPTH))

    def _value(self, node: Node) -> None:
        if not self.stack:
            self.root = node
            return
        parent = self.stack[-1]
        if not parent.mapping:
            parent.items.append(node)
        elif not parent.awaits_value:
            parent.key = self._key(parent, node) if isinstance(node, Text) else None
            parent.awaits_value = True
        else:
            if parent.key is not None:
                parent.entries[parent.key.value] = node
                parent.keys[parent.key.value] = parent.key.place
            parent.awaits_value = False

    def _key(self, parent: _Open, key: Text) -> Text | None:
        if key.plain and key.value == "<<":
            self.problems.add(key.place, "the merge key << is not allowed; write the values out")
        elif not key.value:
            self.problems.add(key.place, "a key is empty")
        elif key.value in parent.keys:
            first = parent.keys[key.value]
            self.problems.add(
                key.place, f"the key {shown(key.value)} stands here twice; first in line {first.line}"
            )
        else:
            return key
        return None


def _syntax(error: yaml.YAMLError) -> tuple[Place, str]:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    place = Place(mark.line + 1, mark.column + 1) if mark else Place(1, 1)
    words = getattr(error, "problem", None) or str(error).splitlines()[0]
    context, began = getattr(error, "context", None), getattr(error, "context_mark", None)
    if context and began:
        context = f"{context} that began in line {began.line + 1}"
    return place, f"not valid YAML: {context + ': ' if context else ''}{words}"
