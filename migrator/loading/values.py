"""Values of a runbook's variables: typed, with defaults, and with what a rehearsal replaces."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from migrator.loading.format import VALUE_KINDS
from migrator.loading.kinds import Choice, Kind
from migrator.loading.problems import WHOLE_FILE, Place, Problems, nearest, shown
from migrator.loading.reader import UNREAD, Reader
from migrator.loading.yaml_positions import Hole, Items, Node, Table, Text
from migrator.model.runbook import Runbook, Variable

Mode = Literal["run", "rehearse"]


@dataclass(frozen=True)
class Difference:
    """Something that a rehearsal has otherwise than the real run. `kind`: variable or wait (in seconds)."""

    kind: Literal["variable", "wait"]
    name: str
    real: Any
    rehearsal: Any


def as_node(value: Any, place: Place = WHOLE_FILE) -> Node:
    """A JSON value as a node, so that it is read like one from a file."""
    if isinstance(value, Text | Items | Table | Hole):
        return value
    if isinstance(value, str):
        return Text(place, value, plain=False)
    if isinstance(value, Mapping):
        return Table(place, {str(key): as_node(item, place) for key, item in value.items()})
    if isinstance(value, Sequence):
        return Items(place, tuple(as_node(item, place) for item in value))
    return Text(place, json.dumps(value))


def is_null(node: Node) -> bool:
    """Whether the node says that there is no value."""
    return isinstance(node, Text) and node.plain and node.value in ("", "null", "~")


def read_value(
    reader: Reader, type_name: str, node: Node, choices: Sequence[str] = (), pattern: str = ""
) -> Any:
    """A variable's value of that type, None for null, or `UNREAD` with the problem noted."""
    if is_null(node):
        return None
    kind: Kind = Choice(tuple(choices)) if type_name == "choice" else VALUE_KINDS[type_name]
    value = reader.read(kind, node)
    if pattern and isinstance(value, str) and not re.fullmatch(pattern, value):
        reader.problems.add(node.place, f"{shown(value)} does not match the pattern {pattern}")
        return UNREAD
    return value


def resolve_values(
    runbook: Runbook,
    given: Mapping[str, Any],
    mode: Mode,
    *,
    lab: Mapping[str, Any] | None = None,
    file: str = "",
) -> tuple[dict[str, Any], dict[str, str]]:
    """Every variable's value and where it came from: given, default, rehearsal, lab or none.

    `given` and `lab` hold JSON values or nodes (`Migration.values`). With mode `rehearse` and no `lab`, values
    that only the twin knows are left out. `InvalidRunbook` lists every value that is missing, unknown or unfit.
    """
    problems = Problems(file or runbook.file)
    reader = Reader(problems)
    known = {variable.name: variable for variable in runbook.variables}
    for name, value in given.items():
        if name not in known:
            problems.add(as_node(value).place, f"there is no variable {shown(name)}{nearest(name, known)}")
    values: dict[str, Any] = {}
    provenance: dict[str, str] = {}
    for variable in runbook.variables:
        raw, source = _choose(variable, given, mode, lab)
        if source == "later":
            continue
        node = as_node(raw)
        value = read_value(reader, variable.type, node, variable.choices, variable.pattern)
        if value in (None, "") and variable.required:
            problems.add(node.place, _missing(variable, mode))
        elif value is not UNREAD:
            values[variable.name], provenance[variable.name] = value, source if value is not None else "none"
    problems.raise_if_any()
    return values, provenance


def _choose(
    variable: Variable, given: Mapping[str, Any], mode: Mode, lab: Mapping[str, Any] | None
) -> tuple[Any, str]:
    if mode == "rehearse":
        if variable.from_lab:
            return (None, "later") if lab is None else (lab.get(variable.name), "lab")
        if variable.rehearsal is not None:
            return variable.rehearsal, "rehearsal"
    if variable.name in given and not is_null(as_node(given[variable.name])):
        return given[variable.name], "given"
    return variable.default, "default"


def _missing(variable: Variable, mode: Mode) -> str:
    if mode == "rehearse" and variable.from_lab:
        return f"the twin did not give a value for '{variable.name}': {variable.description}"
    return f"a value for '{variable.name}' is missing: {variable.description}"


def differences(
    runbook: Runbook, values: Mapping[str, Any], given: Mapping[str, Any] | None = None
) -> tuple[Difference, ...]:
    """Every value and wait that a rehearsal replaces. `values` are the rehearsal's, `given` the real run's."""
    return (*_variable_differences(runbook, values, given or {}), *_wait_differences(runbook))


def _variable_differences(
    runbook: Runbook, values: Mapping[str, Any], given: Mapping[str, Any]
) -> Iterator[Difference]:
    quiet = Reader(Problems(runbook.file))
    for variable in runbook.variables:
        if not variable.from_lab and variable.rehearsal is None:
            continue
        raw, _ = _choose(variable, given, "run", None)
        real = read_value(quiet, variable.type, as_node(raw), variable.choices, variable.pattern)
        used = values.get(variable.name)
        if real != used:
            yield Difference("variable", variable.name, None if real is UNREAD else real, used)


def _wait_differences(runbook: Runbook) -> Iterator[Difference]:
    for step in runbook.steps():
        wait = step.wait
        if wait is None or wait.rehearsal_seconds is None:
            continue
        real = wait.seconds
        if isinstance(real, str) and wait.at_least_seconds:
            real = f"{real}, at least {wait.at_least_seconds:g}"
        elif not isinstance(real, str):
            real = max(real, wait.at_least_seconds)
        yield Difference("wait", step.id, real, wait.rehearsal_seconds)
