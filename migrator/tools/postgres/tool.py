"""The door to PostgreSQL: sessions, and command lines of the client programs."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from migrator.contracts.params import SecretRef
from migrator.contracts.postgres import (
    Database,
    DumpRequest,
    PostgresRefused,
    Programs,
    RestoreRequest,
    Row,
    Session,
)
from migrator.contracts.process import Command, Processes
from migrator.contracts.surroundings import Reach, SecretStore
from migrator.errors import Refused
from migrator.secrets import Secret
from migrator.tools.postgres.errors import connecting, running
from migrator.tools.postgres.files import SERVICE, remove_client_files, write_client_files
from migrator.tools.postgres.programs import choose_programs, find_programs
from migrator.tools.postgres.session import PINNED, PostgresSession

CONNECT_SECONDS = 10
_SHORT_SECONDS = 300.0
_SILENCE_SECONDS = 0.0  # pg_dump and pg_restore are silent by nature; the deadline ends them


class PostgresTool:
    """Implements `contracts.postgres.Postgres` for one run's surroundings."""

    def __init__(
        self, reach: Reach, secrets: SecretStore, processes: Processes, application_name: str = "migrator"
    ) -> None:
        self._reach = reach
        self._secrets = secrets
        self._processes = processes
        self._application_name = application_name
        self._found: list[Programs] = []

    @contextmanager
    def connect(
        self,
        database: Database,
        *,
        read_only: bool = False,
        statement_timeout_seconds: float = 60.0,
        lock_timeout_seconds: float = 5.0,
        password: Secret | None = None,
    ) -> Iterator[Session]:
        """A session with pinned settings; see the contract."""
        secret = password or self._password(database.password)
        address = make_conninfo("", **self._parameters(database))
        with connecting(database.address):
            connection: psycopg.Connection[Row] = psycopg.connect(
                address, autocommit=True, password=secret.reveal(), prepare_threshold=None
            )
        try:
            settings = [
                *PINNED,
                f"SET statement_timeout = {round(statement_timeout_seconds * 1000)}",
                f"SET lock_timeout = {round(lock_timeout_seconds * 1000)}",
                f"SET default_transaction_read_only = {'on' if read_only else 'off'}",
            ]
            with running(connection, database.address):
                connection.execute("; ".join(settings).encode())
            yield PostgresSession(connection, database.address)
        finally:
            connection.close()

    def programs(self, minimum_major: int = 0) -> Programs:
        """The oldest client programs that fit; looked for once."""
        if not self._found:
            self._found = find_programs(self._processes)
        return choose_programs(self._found, minimum_major)

    def dump(self, request: DumpRequest, folder: Path) -> Command:
        """pg_dump in directory format with zlib level 1: the archive is read back soon, time counts most."""
        argv = (
            str(request.programs.pg_dump),
            "--format=directory",
            f"--file={request.archive}",
            f"--jobs={request.jobs}",
            f"--snapshot={request.snapshot}",
            "--compress=1",
            "--no-password",
            "--lock-wait-timeout=10000",
            f"--dbname=service={SERVICE}",
        )
        return self._command(argv, "pg_dump", request.database, folder, request.deadline_seconds)

    def restore(self, request: RestoreRequest, folder: Path) -> Command:
        """pg_restore of the listed items, without owners, as `owner_role`, until the first error."""
        argv = (
            str(request.programs.pg_restore),
            "--format=directory",
            f"--jobs={request.jobs}",
            f"--use-list={request.list_file}",
            "--no-owner",
            f"--role={request.owner_role}",
            "--exit-on-error",
            "--no-password",
            f"--dbname=service={SERVICE}",
            str(request.archive),
        )
        return self._command(argv, "pg_restore", request.database, folder, request.deadline_seconds)

    def archive_list(self, programs: Programs, archive: Path, list_file: Path) -> list[str]:
        """The lines of the table of contents; through a file, as it may be long."""
        list_file.unlink(missing_ok=True)
        command = Command(
            argv=(str(programs.pg_restore), "--list", f"--file={list_file}", str(archive)),
            label="pg_restore --list",
            cwd=archive.parent,
            environment=_environment(),
            deadline_seconds=_SHORT_SECONDS,
        )
        done, _, err = self._processes.run(command)
        if not done.ok:
            raise Refused("the archive's table of contents could not be read", where=str(archive), detail=err)
        list_file.chmod(0o600)
        return list_file.read_text(encoding="utf-8").splitlines()

    def check_archive(
        self, programs: Programs, archive: Path, deadline_seconds: float, folder: Path
    ) -> Command:
        """`pg_restore -f /dev/null`: finds what `-l` passes."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return Command(
            argv=(str(programs.pg_restore), "--file=/dev/null", str(archive)),
            label="pg_restore --file=/dev/null",
            cwd=folder,
            environment=_environment(),
            deadline_seconds=deadline_seconds,
        )

    def forget(self, folder: Path) -> None:
        """Removes password and service files."""
        remove_client_files(folder)

    def _command(
        self, argv: tuple[str, ...], label: str, database: Database, folder: Path, deadline_seconds: float
    ) -> Command:
        files = write_client_files(folder, self._parameters(database), self._password(database.password))
        return Command(
            argv=argv,
            label=label,
            cwd=folder,
            environment={**_environment(), **files},
            deadline_seconds=deadline_seconds,
            silence_seconds=_SILENCE_SECONDS,
        )

    def _password(self, reference: SecretRef) -> Secret:
        return self._secrets.resolve(reference)

    def _parameters(self, database: Database) -> dict[str, str]:
        """libpq's parameters: the host's own name for TLS, the routed address for the connection."""
        host, port = self._reach.route(database.host, database.port)
        parameters = {
            "host": database.host,
            "port": str(port),
            "dbname": database.name,
            "user": database.user,
            "sslmode": database.sslmode,
            "connect_timeout": str(CONNECT_SECONDS),
            "keepalives": "1",
            "keepalives_idle": "30",
            "keepalives_interval": "10",
            "keepalives_count": "3",
            "application_name": self._application_name,
        }
        if host != database.host:
            parameters["hostaddr"] = _numeric(host, database.address)
        if database.sslrootcert:
            parameters["sslrootcert"] = database.sslrootcert
        return parameters


def _numeric(host: str, where: str) -> str:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        pass
    try:
        return str(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0])
    except OSError as error:
        raise PostgresRefused(
            f"the route to the database leads to {host}, which has no address", where=where, detail=str(error)
        ) from None


def _environment() -> dict[str, str]:
    kept = {
        name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH") if name in os.environ
    }
    return {**kept, "LC_ALL": "C", "PGTZ": "UTC"}
