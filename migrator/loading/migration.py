"""Reads `migration.yaml`: which runbook, and one application's values for it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from migrator.errors import UsageError
from migrator.loading.files import read_document
from migrator.loading.format import MIGRATION
from migrator.loading.problems import Place, Problems, nearest
from migrator.loading.reader import UNREAD, Reader
from migrator.loading.values import Difference, Mode, differences, resolve_values
from migrator.loading.yaml_positions import Node, Table
from migrator.resources import shipped

__all__ = [
    "Difference",
    "Migration",
    "Mode",
    "differences",
    "find_runbook",
    "load_migration",
    "resolve_values",
    "shipped_runbooks",
]


@dataclass(frozen=True)
class Migration:
    """A runbook's file and the values given for it, untyped and with their places (see `resolve_values`)."""

    file: str
    runbook: Path
    values: Mapping[str, Node]
    digest: str


def shipped_runbooks() -> list[str]:
    """Names of the shipped runbooks, sorted."""
    return sorted(file.stem for file in shipped("runbooks").glob("*.yaml"))


def find_runbook(name: str) -> Path:
    """The file of a shipped runbook; `UsageError` names the nearest when there is none."""
    names = shipped_runbooks()
    if name not in names:
        raise UsageError(
            f"there is no runbook '{name}'{nearest(name, names)}",
            next="name a shipped runbook (`migrator runbook list`) or the path of a file",
        )
    return shipped("runbooks") / f"{name}.yaml"


def load_migration(path: Path, find_runbook: Callable[[str], Path] = find_runbook) -> Migration:
    """The migration in `path`; `InvalidRunbook` lists every problem of the file itself."""
    problems = Problems(str(path))
    data, node = read_document(path, problems)
    values = Reader(problems).record(MIGRATION, node, ignore=("values",)) if node is not None else {}
    given: dict[str, Node] = {}
    runbook = Path()
    if isinstance(node, Table):
        entry = node.entries.get("values")
        if entry is not None and Reader(problems).read(MIGRATION.keys["values"].kind, entry) is not UNREAD:
            given = dict(entry.entries) if isinstance(entry, Table) else {}
        if isinstance(values, dict) and "runbook" in values:
            runbook = _runbook_file(path, str(values["runbook"]), node, problems, find_runbook)
    problems.raise_if_any()
    return Migration(str(path), runbook, given, hashlib.sha256(data).hexdigest())


def _runbook_file(
    path: Path, name: str, node: Table, problems: Problems, find: Callable[[str], Path]
) -> Path:
    place: Place = node.entries["runbook"].place
    if "/" in name or name.endswith((".yaml", ".yml")):
        file = path.parent / name
        if not file.is_file():
            problems.add(place, f"there is no file {file}")
        return file
    try:
        return find(name)
    except UsageError as error:
        problems.add(place, error.what)
        return Path()
