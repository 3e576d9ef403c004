"""Brings the operator's own data into the lab: from a dump file, or from another server."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import psycopg
from psycopg import conninfo, sql

from migrator.errors import MigratorError, UsageError
from migrator.sanitize import clean

_SECONDS = 4 * 3_600.0
_ROLE = re.compile(
    r'^(?:GRANT|REVOKE|ALTER DEFAULT|ALTER .* OWNER|CREATE POLICY)\b.*?\b(?:TO|FROM|ROLE)\s+("(?:[^"]|"")+"|\w+)',
    re.M,
)
_RESERVED = {"public", "current_user", "session_user", "current_role", "row", "select"}


def restore_own(
    connect: Callable[..., psycopg.Connection],
    database: str,
    owner: str,
    dump: Path | None,
    url: str | None,
    binaries: Path,
    work: Path,
) -> None:
    """Fills `database` so that `owner` owns all of it. Dumps: custom, directory, tar, or plain SQL."""
    if dump is None:
        dump = _fetch(url or "", binaries, work)
    elif not dump.exists():
        raise UsageError("there is no such dump", where=str(dump), next="name an existing file")
    plain = dump.is_file() and not _is_archive(dump)
    with connect() as server:
        owner_name, name = sql.Identifier(owner), sql.Identifier(database)
        # While it loads, the owner may do what the dump's superuser did (event triggers, extensions).
        server.execute(sql.SQL("ALTER ROLE {} SUPERUSER").format(owner_name))
        try:
            made = _make_roles(server, dump, plain, binaries, work)
            server.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(name, owner_name))
            _load(server, database, owner, dump, plain, binaries, work)
            with connect(database) as inside:
                for role in made:  # a plain dump names its owners itself
                    inside.execute(sql.SQL("REASSIGN OWNED BY {} TO {}").format(role, owner_name))
        finally:
            server.execute(sql.SQL("ALTER ROLE {} NOSUPERUSER").format(owner_name))


def _is_archive(path: Path) -> bool:
    """Whether the file is of pg_dump's custom or tar format."""
    with path.open("rb") as file:
        start = file.read(262)
    return start.startswith(b"PGDMP") or start[257:] == b"ustar"


def _fetch(url: str, binaries: Path, work: Path) -> Path:
    """A dump of another server; read-only there. The address's password goes to a 0600 file, not to argv."""
    try:
        parts = conninfo.conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        raise UsageError("the source's address is not a PostgreSQL URL", where="--source-url") from None
    environment = _service(work, "own", {key: str(value) for key, value in parts.items() if value})
    target = work / "own.dump"
    target.unlink(missing_ok=True)
    argv = [str(binaries / "pg_dump"), "--format=custom", f"--file={target}", "--dbname=service=own"]
    _run(argv, environment)
    target.chmod(0o600)
    return target


def _make_roles(
    server: psycopg.Connection, dump: Path, plain: bool, binaries: Path, work: Path
) -> list[sql.Identifier]:
    """Roles that the dump's grants name, as NOLOGIN roles: a dump of one database does not carry them."""
    if plain:
        text = dump.read_text(encoding="utf-8", errors="replace")
    else:
        out = work / "own-schema.sql"
        _run([str(binaries / "pg_restore"), "--schema-only", f"--file={out}", str(dump)], _environment())
        text = out.read_text(encoding="utf-8", errors="replace")
        out.unlink()
    made: list[sql.Identifier] = []
    for found in sorted(set(_ROLE.findall(text))):
        role = found[1:-1].replace('""', '"') if found.startswith('"') else found
        if role.lower() in _RESERVED or role.startswith("pg_"):
            continue
        if not server.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone():
            made.append(sql.Identifier(role))
            server.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(made[-1]))
    return made


def _load(
    server: psycopg.Connection,
    database: str,
    owner: str,
    dump: Path,
    plain: bool,
    binaries: Path,
    work: Path,
) -> None:
    info = server.info
    environment = _service(
        work,
        "lab",
        {
            "host": info.host,
            "port": str(info.port),
            "dbname": database,
            "user": info.user,
            "password": info.password,
        },
    )
    if plain:
        environment["PGOPTIONS"] = f"-c role={owner}"
        options = ["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--single-transaction"]
        argv = [str(binaries / "psql"), *options, f"--file={dump}", "--dbname=service=lab"]
    else:
        options = ["--no-owner", f"--role={owner}", "--exit-on-error", "--single-transaction"]
        argv = [str(binaries / "pg_restore"), *options, "--dbname=service=lab", str(dump)]
    _run(argv, environment)


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}


def _service(work: Path, name: str, parts: dict[str, str]) -> dict[str, str]:
    """Environment that leads a client program to a service file and a password file, both 0600."""
    password = parts.pop("password", "")
    service, passfile = work / f"{name}.service", work / f"{name}.pgpass"
    escaped = password.replace("\\", "\\\\").replace(":", "\\:")
    lines = [f"[{name}]", *(f"{key}={value}" for key, value in parts.items())]
    for path, text in ((service, "\n".join(lines)), (passfile, f"*:*:*:*:{escaped}")):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text + "\n")
    return {**_environment(), "PGSERVICEFILE": str(service), "PGPASSFILE": str(passfile)}


def _run(argv: Sequence[str], environment: dict[str, str]) -> None:
    done = subprocess.run(
        argv,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=_SECONDS,
        check=False,
        umask=0o077,
    )
    if done.returncode != 0:
        raise MigratorError(
            f"{Path(argv[0]).name} could not bring in the data", detail=clean(done.stderr.strip())[-2_000:]
        )
