"""Typed parameters of actions: described from a frozen dataclass, built from YAML values."""

from __future__ import annotations

import dataclasses
import math
import re
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NewType, TypeVar, get_args, get_origin, get_type_hints

Seconds = NewType("Seconds", float)
"""A duration; YAML may say `90`, `90s`, `5m`, `24h` or `3d`."""

SecretRef = NewType("SecretRef", str)
"""Where a secret lies, never the secret: `env:NAME`, `file:/path`, `aws:NAME-OR-ARN#key`."""

P = TypeVar("P")

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h|d)?")
_LONGEST_SECONDS = 10 * 365 * 86_400.0
_UNITS = {None: 1.0, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_SECRET_REF = re.compile(r"(env:[A-Za-z_][A-Za-z0-9_]*|file:/.+|aws:.+)")


class ParamError(ValueError):
    """A value does not fit its parameter. `path` names the parameter, nested ones with dots."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}" if path else message)
        self.path = path
        self.message = message


def parse_seconds(value: Any) -> Seconds:
    """Seconds from a number or a text such as `24h`; `ValueError` otherwise."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _LONGEST_SECONDS:
        return Seconds(float(value))
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None or (seconds := float(match[1]) * _UNITS[match[2]]) > _LONGEST_SECONDS:
        raise ValueError(f"{value!r} is not a duration such as 90s, 5m, 24h or 3d")
    return Seconds(seconds)


def fields(params: type[Any]) -> dict[str, tuple[Any, bool]]:
    """Parameter name to (type, required)."""
    hints = get_type_hints(params)
    return {
        f.name: (
            hints[f.name],
            f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING,
        )
        for f in dataclasses.fields(params)
    }


def build(params: type[P], values: Mapping[str, Any], path: str = "") -> P:
    """An instance of `params`; `ParamError` names the first value that does not fit."""
    known = fields(params)
    for name in values:
        if name not in known:
            raise ParamError(_join(path, name), "there is no such parameter")
    for name, (_, required) in known.items():
        if required and name not in values:
            raise ParamError(_join(path, name), "is missing")
    return params(**{n: convert(known[n][0], v, _join(path, n)) for n, v in values.items()})


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def convert(kind: Any, value: Any, path: str) -> Any:  # noqa: C901 - one case a type
    """`value` as `kind`; `ParamError` when it does not fit. Texts from YAML become numbers only here."""
    origin = get_origin(kind)
    if kind is Any or kind is object:
        return value
    if kind is Seconds:
        try:
            return parse_seconds(value)
        except ValueError as error:
            raise ParamError(path, str(error)) from None
    if kind is SecretRef:
        if isinstance(value, str) and _SECRET_REF.fullmatch(value):
            return SecretRef(value)
        raise ParamError(path, "must say where the secret lies: env:NAME, file:/path or aws:NAME#key")
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in get_args(kind):
            return None
        kinds = [k for k in get_args(kind) if k is not type(None)]
        for each in kinds[:-1]:
            try:
                return convert(each, value, path)
            except ParamError:
                continue
        return convert(kinds[-1], value, path)
    if origin is Literal:
        if value in get_args(kind):
            return value
        raise ParamError(path, f"{value!r} is not one of {', '.join(map(str, get_args(kind)))}")
    if origin in (tuple, list, Sequence) or (origin and issubclass(origin, Sequence)):
        if isinstance(value, str) or not isinstance(value, Sequence):
            raise ParamError(path, "must be a list")
        element = get_args(kind)[0] if get_args(kind) else Any
        return tuple(convert(element, v, f"{path}[{i}]") for i, v in enumerate(value))
    if origin and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise ParamError(path, "must be a mapping")
        return {str(k): convert(get_args(kind)[1], v, _join(path, str(k))) for k, v in value.items()}
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        if not isinstance(value, Mapping):
            raise ParamError(path, "must be a mapping")
        return build(kind, value, path)
    return _scalar(kind, value, path)


_TRUE, _FALSE = {"true", "yes", "on"}, {"false", "no", "off"}


def _scalar(kind: Any, value: Any, path: str) -> Any:
    if kind is bool:
        if isinstance(value, bool):
            return value
        text = str(value).lower()
        if text in _TRUE or text in _FALSE:
            return text in _TRUE
        raise ParamError(path, f"{value!r} is not true or false")
    if kind is int:
        if (isinstance(value, int) and not isinstance(value, bool)) or _is_text_of(int, value):
            return int(value)
        if isinstance(value, float) and value.is_integer():
            return int(value)
        raise ParamError(path, f"{value!r} is not a whole number")
    if kind is float:
        if not isinstance(value, bool) and (isinstance(value, int | float) or _is_text_of(float, value)):
            found = float(value)
            if math.isfinite(found):
                return found
        raise ParamError(path, f"{value!r} is not a number")
    if kind is str and isinstance(value, str | int | float) and not isinstance(value, bool):
        return str(value)
    raise ParamError(path, f"{value!r} is not a {'text' if kind is str else getattr(kind, '__name__', kind)}")


def _is_text_of(kind: type[int | float], value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        kind(value)
    except ValueError:
        return False
    return True
