"""JSON Schema of a runbook file for editors, made from the loader's own tables and the known actions."""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Mapping
from typing import Any, get_args, get_origin

from migrator.contracts.action import ActionSpec
from migrator.contracts.params import Seconds, SecretRef
from migrator.loading.format import RUNBOOK, STEP
from migrator.loading.kinds import Choice, Free, Key, Kind, ListOf, MapOf, Record, Scalar, Words, record_of

Json = dict[str, Any]

_EXPRESSION: Json = {"type": "string", "pattern": r"\$\{"}
_DURATION = r"^[0-9]+(\.[0-9]+)?\s*(s|m|h|d)?$"
_SCALARS: dict[Any, Json] = {
    str: {"type": ["string", "number"]},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    Seconds: {"anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": _DURATION}]},
    SecretRef: {"type": "string", "pattern": "^(env:[A-Za-z_][A-Za-z0-9_]*|file:/.+|aws:.+)$"},
    type(None): {"type": "null"},
}


def schema(catalogue: Mapping[str, ActionSpec]) -> Json:
    """The schema (draft 2020-12) of runbooks that use these actions."""
    step = _record(STEP)
    step["properties"]["action"]["enum"] = sorted(catalogue)
    step["allOf"] = [_parameters(spec) for _, spec in sorted(catalogue.items())]
    whole = _record(RUNBOOK)
    whole["properties"]["phases"]["items"]["properties"]["steps"]["items"] = {"$ref": "#/$defs/step"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Runbook",
        **whole,
        "$defs": {"step": step},
    }


def _parameters(spec: ActionSpec) -> Json:
    record = record_of(spec.params)
    needed = any(key.required for key in record.keys.values())
    return {
        "if": {"properties": {"action": {"const": spec.name}}, "required": ["action"]},
        "then": {
            "properties": {"with": {"description": spec.summary, **_record(record, expressions=True)}},
            **({"required": ["with"]} if needed else {}),
        },
    }


def _of(kind: Kind, expressions: bool) -> Json:
    plain = _plain(kind, expressions)
    takes_any_text = plain.get("type") in ("string", ["string", "number"]) and "pattern" not in plain
    if not expressions or isinstance(kind, Free) or takes_any_text:
        return plain
    return {"anyOf": [plain, dict(_EXPRESSION)]}


def _plain(kind: Kind, expressions: bool) -> Json:
    match kind:
        case Free():
            return {}
        case Words(pattern=pattern):
            return {"type": "string", "minLength": 1, **({"pattern": f"^(?:{pattern})$"} if pattern else {})}
        case Choice(values=values):
            return _choice(values)
        case ListOf(element=element, at_least=at_least):
            least = {"minItems": at_least} if at_least else {}
            return {"type": "array", "items": _of(element, expressions), **least}
        case MapOf(element=element, key=key):
            names = {"propertyNames": {"pattern": f"^(?:{key.pattern})$"}} if key.pattern else {}
            return {"type": "object", "additionalProperties": _of(element, expressions), **names}
        case Record():
            return _record(kind, expressions)
        case Scalar(type=hint):
            return _scalar(hint)


def _choice(values: tuple[str, ...]) -> Json:
    # An unquoted 1 is a number to an editor, and a text to the loader.
    return {"enum": [v for value in values for v in ((int(value), value) if value.isdecimal() else (value,))]}


def _scalar(hint: Any) -> Json:
    if get_origin(hint) in (typing.Union, types.UnionType):
        return {"anyOf": [_scalar(each) for each in get_args(hint)]}
    return dict(_SCALARS.get(hint, {}))


def _record(kind: Record, expressions: bool = False) -> Json:
    required = [name for name, key in kind.keys.items() if key.required]
    made: Json = {
        "type": "object",
        "additionalProperties": False,
        "properties": {name: _property(key, expressions) for name, key in kind.keys.items()},
    }
    if required:
        made["required"] = required
    if kind.one_of:
        made["oneOf"] = [{"required": [name]} for name in kind.one_of]
    return made


def _property(key: Key, expressions: bool) -> Json:
    about = {"description": key.about} if key.about else {}
    return {**about, **_of(key.kind, expressions or key.expressions)}


def as_text(made: Json) -> str:
    """The schema as it is committed: indented, with a line end."""
    return json.dumps(made, indent=2, ensure_ascii=False) + "\n"
