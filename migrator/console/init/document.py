"""The migration file: every variable with what it is; given values set, defaults as comments."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path

from migrator.console.init.answers import text_of, yaml_of
from migrator.console.init.kept import write_whole
from migrator.errors import UsageError
from migrator.model.runbook import Runbook, Variable

FILE = "migration.yaml"
_WIDTH = 100


def render(runbook: Runbook, reference: str, answers: Mapping[str, str], next_commands: list[str]) -> str:
    """The whole file. `reference` names the runbook; `answers` hold checked texts by variable."""
    given = {name: text for name, text in answers.items() if text.strip()}
    lines = [
        *_comment(f"Values for this migration: {runbook.title}", ""),
        *_comment(
            "Written by `migrator init`; edit it as you like. No secret belongs in here, only its place.", ""
        ),
        "#",
        *(line for command in next_commands for line in _comment(f"  {command}", "")),
        "",
        "format: 1",
        f"runbook: {_reference(reference)}",
        "",
        "values:" if any(v.name in given for v in runbook.variables) else "values: {}",
    ]
    for variable in runbook.variables:
        lines += ["", *_variable(variable, given.get(variable.name))]
    return "\n".join(lines) + "\n"


def _variable(variable: Variable, text: str | None) -> Iterator[str]:
    yield from _comment(variable.description)
    yield from _comment(_facts(variable))
    if text is not None:
        yield f"  {variable.name}: {yaml_of(variable, text)}"
    elif variable.default is not None:
        yield f"  # {variable.name}: {yaml_of(variable, text_of(variable, variable.default))}"
    else:
        yield f"  # {variable.name}:"


def _facts(variable: Variable) -> str:
    facts = [variable.type if not variable.choices else f"one of {', '.join(variable.choices)}"]
    if variable.pattern:
        facts.append(f"pattern {variable.pattern}")
    if variable.default is not None:
        facts.append(f"default {yaml_of(variable, text_of(variable, variable.default))}")
    else:
        facts.append("needed" if variable.required else "may be left out")
    if variable.from_lab:
        facts.append("a rehearsal uses the twin's")
    elif variable.rehearsal is not None:
        facts.append(f"a rehearsal uses {text_of(variable, variable.rehearsal)}")
    return "; ".join(facts)


def _comment(text: str, indent: str = "  ") -> Iterator[str]:
    # What the loader would refuse even in a comment (control, bidi and invisible characters) is not printable.
    shown = "".join(each if each.isprintable() else " " for each in text).rstrip()
    lead = shown[: len(shown) - len(shown.lstrip())]
    for line in textwrap.wrap(shown.strip(), _WIDTH, break_on_hyphens=False) or [""]:
        yield f"{indent}# {lead}{line}".rstrip()


def _reference(reference: str) -> str:
    alone = Variable("runbook", "string", "")
    return yaml_of(alone, reference)


def runbook_reference(name: str, folder: Path, base: Path) -> str:
    """How a migration file in `folder` names a runbook that was named from `base`: by name, or by path."""
    if "/" not in name and not Path(name).suffix:
        return name
    path = os.path.relpath(base / name, folder)
    return path if path.startswith("..") else f"./{path}"


def write_migration(path: Path, text: str, *, replace: bool) -> None:
    """Writes the file (0600) whole or not at all. A replaced one is kept beside it as `.old`."""
    try:
        if replace and path.exists():
            write_whole(path.with_name(f"{path.name}.old"), path.read_text("utf-8", "replace"), replace=True)
        write_whole(path, text, replace=replace)
    except FileExistsError as error:
        raise UsageError(
            "there is a file already; it was not touched",
            where=str(path),
            next="name another folder, or give --overwrite",
        ) from error
    except OSError as error:
        raise UsageError(
            f"cannot be written: {error.strerror or error}", where=str(path), next="name another folder"
        ) from error
