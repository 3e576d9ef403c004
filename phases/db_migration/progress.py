"""Rows and bytes of each table while it is copied, from the server's own progress view."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from typing import Any, Literal

from migrator.contracts.context import StepContext
from migrator.contracts.postgres import Session
from migrator.contracts.progress import DatabaseDetail, TableProgress
from migrator.errors import StepError

_EVERY_SECONDS = 0.5
_SPEED_SECONDS = 5.0
_SHOWN_TABLES = 200

Stage = Literal["dump", "restore", "compare", "analyze", "swap"]


class CopyProgress:
    """Follows COPY in one database through `session`; `tick` is called often and looks twice a second."""

    def __init__(
        self,
        ctx: StepContext[Any],
        session: Session | None,
        stage: Stage,
        sizes: Mapping[str, tuple[int, int]],
    ) -> None:
        self._ctx, self._session, self._stage = ctx, session, stage
        self._tables = {
            name: TableProgress(name=name, state="pending", rows_total=rows, bytes_total=size)
            for name, (rows, size) in sizes.items()
        }
        self._next = 0.0
        self._seen: deque[tuple[float, int]] = deque()

    def tick(self) -> None:
        """Checks for an interruption, and looks at the server when it is time."""
        self._ctx.channel.check_cancelled()
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + _EVERY_SECONDS
        try:
            self._look()
        except StepError:
            self._session = None  # the picture is lost, not the copy
        self._report(now)

    def done(self, name: str, rows: int) -> None:
        """One table is whole."""
        if table := self._tables.get(name):
            table["state"], table["rows_done"], table["bytes_done"] = "done", rows, table["bytes_total"]

    def all_done(self) -> None:
        """Every table is whole."""
        for name, table in self._tables.items():
            self.done(name, table["rows_total"])
        self._report(time.monotonic())

    def _look(self) -> None:
        if self._session is None:
            return
        rows = self._session.query(
            "SELECT format('\"%s\".\"%s\"', replace(n.nspname, '\"', '\"\"'), replace(c.relname, '\"', '\"\"')), "
            "p.tuples_processed, p.bytes_processed FROM pg_stat_progress_copy p JOIN pg_class c ON c.oid = p.relid "
            "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE p.datname = current_database()"
        )
        running = {str(name): (int(count), int(size)) for name, count, size in rows}
        for name, table in self._tables.items():
            if name in running:
                table["state"] = "running"
                table["rows_done"], table["bytes_done"] = running[name]
            elif table["state"] == "running":
                self.done(name, table["rows_total"])

    def _report(self, now: float) -> None:
        done = sum(table.get("rows_done", 0) for table in self._tables.values())
        total = sum(table["rows_total"] for table in self._tables.values())
        size = sum(table.get("bytes_done", 0) for table in self._tables.values())
        self._seen.append((now, size))
        while self._seen and now - self._seen[0][0] > _SPEED_SECONDS:
            self._seen.popleft()
        first, first_size = self._seen[0]
        speed = max(0.0, (size - first_size) / (now - first)) if now > first else 0.0
        largest = sorted(self._tables.values(), key=lambda table: -table["bytes_total"])[:_SHOWN_TABLES]
        detail = DatabaseDetail(
            kind="database",
            stage=self._stage,
            tables=[table.copy() for table in largest],
            bytes_per_second=speed,
        )
        self._ctx.channel.progress(self._stage, float(done), float(total), "rows", detail)
