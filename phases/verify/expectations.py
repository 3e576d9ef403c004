"""What an answer must be like, and what of an answer may be shown."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from migrator.contracts.action import Check
from migrator.contracts.http import HttpResponse
from migrator.sanitize import clean_line
from migrator.secrets import MASK, REDACTOR, Secret

_SHOWN_CHARACTERS = 200
_SECRET_NAME = re.compile(r"token|secret|passw|session|cookie|credential|api_?key|hash", re.IGNORECASE)


def is_secret_name(name: str) -> bool:
    """Whether a value of this name is taken for a secret without being told."""
    return bool(_SECRET_NAME.search(name))


def find(document: Any, path: str) -> Any:
    """The value at a dotted path such as `data.habits.0.id` (`$`: the whole); `LookupError` when there is none."""
    here = document
    for part in [] if path in ("", "$") else path.removeprefix("$.").split("."):
        if isinstance(here, Mapping) and part in here:
            here = here[part]
        elif isinstance(here, Sequence) and not isinstance(here, str) and part.isdecimal():
            here = here[int(part)]
        else:
            raise LookupError(f"there is no {path}")
    return here


def matches(expected: Any, seen: Any) -> bool:
    """Whether a value is as expected; a text also matches the number or truth value that it spells."""
    if isinstance(expected, str) and isinstance(seen, bool | int | float):
        return expected == json.dumps(seen)
    if isinstance(expected, Mapping) and isinstance(seen, Mapping):
        return expected.keys() == seen.keys() and all(matches(v, seen[k]) for k, v in expected.items())
    if isinstance(expected, list | tuple) and isinstance(seen, list):
        return len(expected) == len(seen) and all(map(matches, expected, seen))
    return bool(expected == seen) and isinstance(expected, bool) == isinstance(seen, bool)


def check_json(response: HttpResponse, expected: Mapping[str, Any]) -> tuple[Check, ...]:
    """One check a path."""
    if not expected:
        return ()
    try:
        document = response.json()
    except ValueError as error:
        return (Check("the answer is JSON", False, clean_line(str(error), _SHOWN_CHARACTERS)),)
    checks = []
    for path, value in expected.items():
        label = f"{clean_line(path)} is {show(value)}"
        try:
            seen = find(document, path)
        except LookupError:
            checks.append(Check(label, False, "not in the answer"))
        else:
            hidden = is_secret_name(path)
            checks.append(Check(label, matches(value, seen), MASK if hidden else show(seen)))
    return tuple(checks)


def check_headers(response: HttpResponse, expected: Mapping[str, str]) -> tuple[Check, ...]:
    """One check a header; an expectation that ends with `*` is a beginning."""
    checks = []
    for name, value in expected.items():
        seen = response.headers.get(name.lower())
        ok = seen is not None and (seen.startswith(value[:-1]) if value.endswith("*") else seen == value)
        checks.append(Check(f"header {name} is {value}", ok, "not sent" if seen is None else show(seen)))
    return tuple(checks)


def check_status(response: HttpResponse, expected: int, label: str) -> Check:
    """The status; on another one, the beginning of what was said."""
    milliseconds = f"{response.seconds * 1000:.0f} ms"
    if response.status == expected:
        return Check(f"{label} answers {expected}", True, milliseconds)
    return Check(
        f"{label} answers {expected}", False, f"{response.status} in {milliseconds}: {excerpt(response)}"
    )


def excerpt(response: HttpResponse) -> str:
    """The beginning of a body, in one line; values that look secret by their name are masked."""
    try:
        text = json.dumps(_masked(response.json()), ensure_ascii=False)
    except ValueError:
        text = response.text
    return show(text)


def show(value: Any) -> str:
    """A value for people: one short, sanitised and scrubbed line."""
    if isinstance(value, Secret):
        return MASK
    text = value if isinstance(value, str) else json.dumps(_masked(value), default=str, ensure_ascii=False)
    return clean_line(REDACTOR.scrub(text), _SHOWN_CHARACTERS)


def _masked(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): MASK if is_secret_name(str(k)) else _masked(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(each) for each in value]
    return value
