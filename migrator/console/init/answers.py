"""Answers as a person types them: checked by the loader's own code, written as YAML that reads back alike."""

from __future__ import annotations

import json
import re
from typing import Any

from migrator.errors import InvalidRunbook
from migrator.loading.problems import WHOLE_FILE, Problems
from migrator.loading.reader import plain_value
from migrator.loading.values import as_node, resolve_values
from migrator.loading.yaml_positions import Items, Node, Table, Text, parse
from migrator.model.runbook import Json, Runbook, Variable

MAX_CHARACTERS = 4_096
SECRET_HINT = "env:NAME, file:/path or aws:NAME#key"  # noqa: S105 - says where one may lie
_PLAIN = re.compile(r"(?:[A-Za-z0-9/]|\.{1,2}/)[A-Za-z0-9_./:@+#-]*(?<!:)")
_NUMBER_LIKE = re.compile(r"[0-9][0-9_.:eExX+-]*")
_YAML_WORDS = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"}
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))


def value_of(variable: Variable, text: str) -> Any:
    """The typed value that loading would give; `InvalidRunbook` with every problem otherwise."""
    return _resolved(variable, _node(variable, text))


def problem_with(variable: Variable, text: str) -> str:
    """What is wrong with an answer, in one line; empty when it can be taken."""
    if len(text) > MAX_CHARACTERS:
        return f"This is longer than {MAX_CHARACTERS} characters."
    if not text.isprintable():
        return "This holds a line break, or a control or invisible character."
    if not text.strip():
        return f"A value is needed: {_wanted(variable)}." if variable.required else ""
    try:
        value = value_of(variable, text)
        problems = Problems("")
        again = parse(f"value: {yaml_of(variable, text)}\n".encode(), problems)
        problems.raise_if_any()
        if not isinstance(again, Table) or _resolved(variable, again.entries["value"]) != value:
            return "This cannot be written to the file so that it reads back the same."
    except InvalidRunbook as error:
        return "; ".join(problem.message for problem in error.problems)
    return ""


def yaml_of(variable: Variable, text: str) -> str:
    """An answer as one YAML value on one line."""
    text = text.strip()
    if variable.type in ("list", "map"):
        return json.dumps(value_of(variable, text), ensure_ascii=False)
    quoted = not _PLAIN.fullmatch(text) or " #" in text
    if variable.type in ("string", "choice", "domain", "secret_ref"):
        quoted = quoted or text.lower() in _YAML_WORDS or bool(_NUMBER_LIKE.fullmatch(text))
    return json.dumps(text, ensure_ascii=False) if quoted else text


def text_of(variable: Variable, value: Json) -> str:
    """A value as a person would type it: a default, or one from an existing file."""
    if value is None:
        return ""
    if variable.type == "boolean":
        return "true" if value is True or str(value).lower() in ("true", "yes", "on") else "false"
    if variable.type == "duration" and isinstance(value, int | float):
        return _duration(float(value))
    if variable.type == "list" and isinstance(value, list | tuple):
        simple = ", ".join(str(each) for each in value)
        if value and not problem_with(variable, simple) and value_of(variable, simple) == list(value):
            return simple
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def text_of_node(variable: Variable, node: Node) -> str:
    """A value of an existing migration file as a person would type it; it need not fit."""
    return node.value if isinstance(node, Text) else text_of(variable, _json(node))


def _json(node: Node) -> Json:
    match node:
        case Text():
            return plain_value(node)
        case Items():
            return [_json(item) for item in node.items]
        case Table():
            return {name: _json(item) for name, item in node.entries.items()}
        case _:
            return None


def how_to_answer(variable: Variable) -> str:
    """How a value of this type is typed; empty where it goes without saying."""
    match variable.type:
        case "secret_ref":
            return f"The place of the secret, never the secret itself: {SECRET_HINT}."
        case "list":
            return "Values with commas between them, or [] for none."
        case "map":
            return "name=value pairs with commas between them, or {} for none."
        case "duration":
            return "A duration such as 90s, 5m, 24h or 3d."
        case _:
            return ""


def _wanted(variable: Variable) -> str:
    names = {
        "integer": "a whole number",
        "number": "a number",
        "boolean": "true or false",
        "duration": "a duration such as 90s or 5m",
        "domain": "a domain name such as example.com",
        "secret_ref": SECRET_HINT,
        "choice": "one of the choices",
        "list": "values with commas between them, or []",
        "map": "name=value pairs, or {}",
    }
    return names.get(variable.type, "a text")


def _duration(seconds: float) -> str:
    for unit, letter in _UNITS:
        if seconds >= unit and seconds % unit == 0:
            return f"{int(seconds) // unit}{letter}"
    return f"{seconds:g}s" if f"{seconds:g}".replace(".", "").isdecimal() else str(seconds)


def _node(variable: Variable, text: str) -> Node:
    text = text.strip()
    if variable.type not in ("list", "map"):
        return Text(WHOLE_FILE, text, plain=False)
    if text.startswith(("[", "{")):
        problems = Problems("")
        node = parse(text.encode(), problems)
        problems.raise_if_any()
        return node if node is not None else Text(WHOLE_FILE, text, plain=False)
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if variable.type == "list":
        return Items(WHOLE_FILE, tuple(Text(WHOLE_FILE, part) for part in parts))
    pairs = [part.partition("=") for part in parts]
    if any(not equals or not name.strip() for name, equals, _ in pairs):
        return Text(WHOLE_FILE, text, plain=False)
    return Table(WHOLE_FILE, {name.strip(): Text(WHOLE_FILE, item.strip()) for name, _, item in pairs})


def _resolved(variable: Variable, node: Node) -> Any:
    alone = Runbook(
        name="",
        title="",
        summary="",
        variables=(variable,),
        phases=(),
        lab={},
        cost=(),
        digest="",
        file="",
    )
    values, _ = resolve_values(alone, {variable.name: as_node(node)}, "run")
    return values.get(variable.name)
