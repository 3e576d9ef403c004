"""PostgreSQL: sessions for queries, and commands for its client programs.

Dump and restore are plain data (`DumpRequest`, `RestoreRequest`) that become a `Command`: today it runs on the
operator's machine; the same command can be run on an instance inside the network where the data are too large
to be pulled through one machine.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from migrator.contracts.params import SecretRef
from migrator.contracts.process import Command
from migrator.errors import InDoubt, Refused
from migrator.secrets import Secret

Row = tuple[Any, ...]
Tick = Callable[[], None]
"""Called several times a second while something long runs; what it raises cancels the work and goes on."""


@dataclass(frozen=True)
class Database:
    """A database, as the world names it; how it is reached is the tool's concern.

    `sslrootcert` is a file with the authorities that may sign the server's certificate, for verify-full.
    """

    host: str
    port: int
    name: str
    user: str
    password: SecretRef
    sslmode: str = "verify-full"
    sslrootcert: str = ""

    def named(self, name: str) -> Database:
        """Another database of the same server, as the same user."""
        return dataclasses.replace(self, name=name)

    @property
    def address(self) -> str:
        """For people: host, port and name."""
        return f"{self.host}:{self.port}/{self.name}"


class PostgresRefused(Refused):
    """The server said no, or was not reached before anything was sent. `sqlstate` is empty without an answer."""

    def __init__(
        self,
        what: str,
        *,
        sqlstate: str = "",
        where: str = "",
        next: str = "",  # noqa: A002
        detail: str = "",
    ) -> None:
        super().__init__(what, where=where, next=next, detail=detail)
        self.sqlstate = sqlstate


class PostgresInDoubt(InDoubt):
    """The connection was lost, or the server went down, after a statement was sent."""


def identifier(name: str) -> str:
    """`name` quoted as an SQL identifier."""
    if not name or "\0" in name:
        raise ValueError("an SQL identifier cannot be empty or hold a zero byte")
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """`text` quoted as an SQL literal; sessions pin `standard_conforming_strings`."""
    if "\0" in text:
        raise ValueError("an SQL text cannot hold a zero byte")
    return "'" + text.replace("'", "''") + "'"


class Session(Protocol):
    """One connection, autocommit outside of `transaction`.

    Pinned: TimeZone UTC, DateStyle ISO, IntervalStyle postgres, extra_float_digits 3, bytea_output hex, an empty
    search_path, row_security off, standard_conforming_strings on. `PostgresRefused` and `PostgresInDoubt`.
    """

    @property
    def server_version(self) -> int:
        """As PostgreSQL counts: 150018 is 15.18."""
        ...

    @property
    def backend_pid(self) -> int:
        """The server's process of this session."""
        ...

    def query(
        self, statement: str, parameters: Sequence[Any] | None = None, tick: Tick | None = None
    ) -> list[Row]:
        """All rows. `%s` stands for a parameter when there are parameters; with a `tick` it can be cancelled."""
        ...

    def execute(
        self, statement: str, parameters: Sequence[Any] | None = None, tick: Tick | None = None
    ) -> int:
        """Runs a statement; the number of rows it touched, -1 where that has no meaning."""
        ...

    def transaction(self, *, snapshot: str = "", frozen: bool = False) -> AbstractContextManager[None]:
        """Commits at the end, rolls back when something is raised.

        `frozen`: repeatable read and read only; `snapshot`: that exported snapshot's view, frozen too.
        """
        ...

    def export_snapshot(self) -> str:
        """The name of the current transaction's snapshot; valid while that transaction is open."""
        ...

    def set_password(self, role: str, password: Secret) -> None:
        """Gives a role its password, hashed here, so that the clear one reaches neither the server nor its log."""
        ...


@dataclass(frozen=True)
class Programs:
    """The client programs; `version` such as "15.18"."""

    pg_dump: Path
    pg_restore: Path
    psql: Path
    version: str

    @property
    def major(self) -> int:
        """Major version."""
        return int(self.version.split(".")[0])


@dataclass(frozen=True)
class DumpRequest:
    """One database into an archive folder, as `snapshot` sees it, with `jobs` workers."""

    programs: Programs
    database: Database
    archive: Path
    snapshot: str
    jobs: int
    deadline_seconds: float


@dataclass(frozen=True)
class RestoreRequest:
    """The items of `list_file` of an archive into an empty database, all owned by `owner_role`."""

    programs: Programs
    database: Database
    archive: Path
    list_file: Path
    owner_role: str
    jobs: int
    deadline_seconds: float


class Postgres(Protocol):
    """PostgreSQL: queries, dump and restore."""

    def connect(
        self,
        database: Database,
        *,
        read_only: bool = False,
        statement_timeout_seconds: float = 60.0,
        lock_timeout_seconds: float = 5.0,
        password: Secret | None = None,
    ) -> AbstractContextManager[Session]:
        """A session, closed at the end. `password` stands in for the reference. 0 seconds: no limit."""
        ...

    def programs(self, minimum_major: int = 0) -> Programs:
        """The oldest client programs that are at least of this major version; `Refused` when there are none.

        pg_dump refuses a newer server; pg_restore from 17 on sends settings that a server before 17 refuses.
        Without a minimum: the newest.
        """
        ...

    def dump(self, request: DumpRequest, folder: Path) -> Command:
        """pg_dump in directory format. Password and service file are written to `folder`, 0600."""
        ...

    def restore(self, request: RestoreRequest, folder: Path) -> Command:
        """pg_restore that stops at the first error. Password and service file go to `folder`, 0600."""
        ...

    def archive_list(self, programs: Programs, archive: Path, list_file: Path) -> list[str]:
        """The lines of an archive's table of contents, which is written to `list_file` too."""
        ...

    def check_archive(
        self, programs: Programs, archive: Path, deadline_seconds: float, folder: Path
    ) -> Command:
        """Reads all of an archive, data too, and throws the SQL away: fails on a truncated or altered one."""
        ...

    def forget(self, folder: Path) -> None:
        """Removes password and service files from `folder`."""
        ...
