"""One connection through psycopg."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg

from migrator.contracts.postgres import Row, Tick, identifier, literal
from migrator.secrets import Secret
from migrator.tools.postgres.errors import running

_TICK_SECONDS = 0.2

PINNED = (
    "SET TimeZone = 'UTC'",
    "SET DateStyle = 'ISO, YMD'",
    "SET IntervalStyle = 'postgres'",
    "SET extra_float_digits = 3",
    "SET bytea_output = 'hex'",
    "SET search_path = ''",
    "SET row_security = off",
    "SET standard_conforming_strings = on",
    "SET client_min_messages = warning",
    "SET idle_in_transaction_session_timeout = 0",
)


class PostgresSession:
    """A psycopg connection with pinned settings; implements `contracts.postgres.Session`."""

    def __init__(self, connection: psycopg.Connection[Row], where: str) -> None:
        self._connection = connection
        self._where = where

    @property
    def server_version(self) -> int:
        """As PostgreSQL counts: 150018 is 15.18."""
        return self._connection.info.server_version

    @property
    def backend_pid(self) -> int:
        """The server's process of this session."""
        return self._connection.info.backend_pid

    def query(
        self, statement: str, parameters: Sequence[Any] | None = None, tick: Tick | None = None
    ) -> list[Row]:
        """All rows; a statement without rows gives none."""
        cursor = self._run(statement, parameters, tick)
        with cursor, running(self._connection, self._where):
            return cursor.fetchall() if cursor.description else []

    def execute(
        self, statement: str, parameters: Sequence[Any] | None = None, tick: Tick | None = None
    ) -> int:
        """Runs a statement; the number of rows it touched."""
        with self._run(statement, parameters, tick) as cursor:
            return cursor.rowcount

    @contextmanager
    def transaction(self, *, snapshot: str = "", frozen: bool = False) -> Iterator[None]:
        """One transaction; a lost connection at COMMIT is in doubt."""
        frozen = frozen or bool(snapshot)
        self.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" if frozen else "BEGIN")
        try:
            if snapshot:
                self.execute(f"SET TRANSACTION SNAPSHOT {literal(snapshot)}")
            yield
        except BaseException:
            if not self._connection.closed:
                self.execute("ROLLBACK")
            raise
        self.execute("COMMIT")

    def export_snapshot(self) -> str:
        """The name of the current transaction's snapshot."""
        return str(self.query("SELECT pg_catalog.pg_export_snapshot()")[0][0])

    def set_password(self, role: str, password: Secret) -> None:
        """Sends only the SCRAM verifier."""
        with running(self._connection, self._where):
            verifier = self._connection.pgconn.encrypt_password(
                password.reveal().encode(), role.encode(), b"scram-sha-256"
            )
        self.execute(f"ALTER ROLE {identifier(role)} PASSWORD {literal(verifier.decode())}")

    def _run(
        self, statement: str, parameters: Sequence[Any] | None, tick: Tick | None
    ) -> psycopg.Cursor[Row]:
        def work() -> psycopg.Cursor[Row]:
            return self._connection.execute(statement.encode(), parameters)

        with running(self._connection, self._where):
            return work() if tick is None else self._watched(work, tick)

    def _watched(self, work: Any, tick: Tick) -> psycopg.Cursor[Row]:
        """Runs `work` beside `tick`; when `tick` raises, the statement is cancelled first."""
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="postgres") as pool:
            future: Future[psycopg.Cursor[Row]] = pool.submit(work)
            while True:
                try:
                    return future.result(timeout=_TICK_SECONDS)
                except TimeoutError:
                    if future.done():
                        raise
                try:
                    tick()
                except BaseException:
                    self._connection.cancel_safe(timeout=10)
                    future.exception()
                    raise
