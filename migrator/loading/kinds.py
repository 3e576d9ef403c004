"""The kinds of values a file may hold. The loader reads by them and the JSON Schema is made from them."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, is_dataclass
from typing import Any, Literal, TypeAlias, get_args, get_origin

from migrator.contracts import params
from migrator.contracts.params import Seconds, SecretRef

ID = r"[a-z][a-z0-9_]*"
ID_HINT = "lower-case letters, digits and _, and must start with a letter"


@dataclass(frozen=True)
class Scalar:
    """One value of the Python type `type` (see `contracts.params`): str, int, float, bool, Seconds, …"""

    type: Any


@dataclass(frozen=True)
class Words:
    """A text that is not empty. `pattern` must match the whole of it; `hint` says so in words."""

    pattern: str = ""
    hint: str = ""


@dataclass(frozen=True)
class Choice:
    """One of a closed set."""

    values: tuple[str, ...]


@dataclass(frozen=True)
class Free:
    """Any JSON value. Unquoted, `true`, `false`, `null` and numbers that would be written back alike are
    typed; everything else is text (`no`, `1.10`, `007`).
    """


@dataclass(frozen=True)
class ListOf:
    """A list with elements of one kind."""

    element: Kind
    at_least: int = 0


@dataclass(frozen=True)
class MapOf:
    """A mapping with keys of the author's choice."""

    element: Kind
    key: Words = field(default_factory=Words)


@dataclass(frozen=True)
class Key:
    """One key of a record. `expressions`: `${…}` may stand anywhere inside the value."""

    kind: Kind
    required: bool = False
    about: str = ""
    expressions: bool = False


@dataclass(frozen=True)
class Record:
    """A mapping with known keys. Of `one_of` exactly one must be there."""

    keys: Mapping[str, Key]
    one_of: tuple[str, ...] = ()


Kind: TypeAlias = Scalar | Words | Choice | Free | ListOf | MapOf | Record


def kind_of(hint: Any) -> Kind:
    """The kind for a parameter's type."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any or hint is object:
        return Free()
    if origin is Literal:
        return Choice(tuple(map(str, arguments)))
    if origin in (typing.Union, types.UnionType):
        named = [each for each in arguments if each is not type(None)]
        whole = kind_of(named[0]) if len(named) == 1 else None
        # An optional list, mapping or record is read like the thing itself; null is left out in YAML.
        return whole if whole is not None and not isinstance(whole, Scalar | Choice) else Scalar(hint)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return MapOf(kind_of(arguments[1]) if arguments else Free())
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return ListOf(kind_of(arguments[0]) if arguments else Free())
    if isinstance(hint, type) and is_dataclass(hint):
        return record_of(hint)
    return Scalar(hint)


def record_of(shape: type[Any]) -> Record:
    """The record for a parameters dataclass."""
    return Record(
        {name: Key(kind_of(hint), required) for name, (hint, required) in params.fields(shape).items()}
    )


def named(kind: Kind) -> str:
    """The kind in words, for a message."""
    match kind:
        case ListOf():
            return "a list"
        case MapOf() | Record():
            return "a mapping"
        case Scalar(type=hint):
            return _NAMES.get(hint, "a text")
        case Free():
            return "a value"
        case _:
            return "a text"


_NAMES: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    Seconds: "a duration such as 90s, 5m, 24h or 3d",
    SecretRef: "a secret's place: env:NAME, file:/path or aws:NAME#key",
}
