"""One SQLite file a run: WAL, synchronous=FULL, append-only by triggers, every record chained by SHA-256."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from migrator.contracts.journal import Order
from migrator.errors import JournalDamaged, MigratorError, UsageError
from migrator.model.records import Kind, Record
from migrator.secrets import REDACTOR

FORMAT = 1
_BUSY_MILLISECONDS = 15_000

_SCHEMA = """
CREATE TABLE records (
  seq INTEGER PRIMARY KEY, at TEXT NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL, digest TEXT NOT NULL
) STRICT;
CREATE TABLE head (only INTEGER PRIMARY KEY CHECK (only = 1), seq INTEGER NOT NULL, digest TEXT NOT NULL) STRICT;
CREATE TABLE inbox (
  id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, command TEXT NOT NULL, step TEXT NOT NULL,
  who TEXT NOT NULL, host TEXT NOT NULL, reason TEXT NOT NULL, confirm TEXT NOT NULL, shown TEXT NOT NULL,
  taken INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE progress (step TEXT PRIMARY KEY, at TEXT NOT NULL, body TEXT NOT NULL) STRICT;
CREATE TRIGGER records_keep BEFORE DELETE ON records BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER records_hold BEFORE UPDATE ON records BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
"""

# Names of the runbook and the run, never taken from outside: a password spelled like one of them must not hide it.
_NAMES = ("step", "run_id", "runbook", "name", "which", "command", "outcome")

_GENESIS = hashlib.sha256(b"migrator journal, format 1").hexdigest()


def utc_now() -> datetime:
    """The present, in UTC."""
    return datetime.now(UTC)


def canonical(value: Any) -> str:
    """JSON with one spelling: sorted keys, no spaces. `TypeError` for anything that is not JSON, a Secret too."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def chain(previous: str, seq: int, at: str, kind: str, body: str) -> str:
    """Digest of a record, bound to the one before."""
    return hashlib.sha256("\x00".join((previous, str(seq), at, kind, body)).encode()).hexdigest()


_SET_PROGRESS = """
INSERT INTO progress VALUES (?, ?, ?) ON CONFLICT (step) DO UPDATE SET at = excluded.at, body = CASE
  WHEN json_extract(excluded.body, '$.detail') IS NULL AND json_extract(body, '$.detail') IS NOT NULL
  THEN json_set(excluded.body, '$.detail', json(json_extract(body, '$.detail'))) ELSE excluded.body END
"""


class SqliteJournal:
    """The journal in a file. One writer (the runner, many threads); any number of readers and inbox writers."""

    def __init__(self, path: Path, *, create: bool = False, now: Callable[[], datetime] = utc_now) -> None:
        """Opens and checks the whole chain. `JournalDamaged` when it does not hold."""
        if not create and not path.exists():
            raise UsageError(
                "there is no journal here", where=str(path), next="`migrator runs` lists the runs"
            )
        if create:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        self.path = path
        self._now = now
        self._lock = threading.RLock()
        self._db = sqlite3.connect(
            path, timeout=_BUSY_MILLISECONDS / 1000, check_same_thread=False, isolation_level=None
        )
        try:
            self._db.execute(f"PRAGMA busy_timeout={_BUSY_MILLISECONDS}")
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            if create:
                with self._write():
                    for statement in _statements(_SCHEMA):
                        self._db.execute(statement)
                    self._db.execute("INSERT INTO head VALUES (1, 0, ?)", (_GENESIS,))
                    self._db.execute(f"PRAGMA user_version={FORMAT}")
                _sync_folder(path.parent)
            self._seq, self._digest = self._check()
        except sqlite3.DatabaseError as error:
            self._db.close()
            raise _damaged(path, str(error)) from error
        except BaseException:
            self._db.close()
            raise

    def close(self) -> None:
        """Closes the file."""
        with self._lock:
            self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def append(self, kind: Kind, body: Mapping[str, Any]) -> Record:
        """Adds one record durably: it is on the disk when this returns."""
        text = canonical({k: v if k in _NAMES else REDACTOR.scrub_values(v) for k, v in body.items()})
        with self._lock:
            at = self._now().isoformat(timespec="microseconds")
            seq = self._seq + 1
            digest = chain(self._digest, seq, at, kind.value, text)
            with self._write():
                self._db.execute(
                    "INSERT INTO records VALUES (?,?,?,?,?)", (seq, at, kind.value, text, digest)
                )
                self._db.execute("UPDATE head SET seq=?, digest=?", (seq, digest))
            self._seq, self._digest = seq, digest
        return Record(seq, at, kind, json.loads(text), digest)

    def records(self, after: int = 0) -> Sequence[Record]:
        """Records above `after`, in order."""
        with self._lock:
            rows = self._db.execute("SELECT * FROM records WHERE seq > ? ORDER BY seq", (after,)).fetchall()
        return [Record(seq, at, Kind(kind), json.loads(body), digest) for seq, at, kind, body, digest in rows]

    def order(
        self,
        command: str,
        *,
        step: str = "",
        who: str,
        host: str,
        reason: str = "",
        confirm: str = "",
        shown: str = "",
    ) -> int:
        """Leaves a command in the inbox for the runner; gives its row id."""
        row = (utc_now().isoformat(), command, step, who, host, reason, confirm, shown)
        with self._lock, self._write():
            cursor = self._db.execute(
                "INSERT INTO inbox (at, command, step, who, host, reason, confirm, shown) VALUES (?,?,?,?,?,?,?,?)",
                row,
            )
        return int(cursor.lastrowid or 0)

    def orders(self) -> Sequence[Order]:
        """Inbox rows not yet taken, oldest first."""
        with self._lock:
            rows = self._db.execute(
                "SELECT id, at, command, step, who, host, reason, confirm, shown FROM inbox WHERE taken=0 ORDER BY id"
            ).fetchall()
        return [Order(*row) for row in rows]

    def take(self, order: Order) -> None:
        """Marks an inbox row as taken."""
        with self._lock, self._write():
            self._db.execute("UPDATE inbox SET taken=1 WHERE id=?", (order.id,))

    def taken(self, order_id: int) -> bool:
        """Whether the runner has taken this inbox row."""
        with self._lock:
            row = self._db.execute("SELECT taken FROM inbox WHERE id=?", (order_id,)).fetchone()
        return bool(row and row[0])

    def set_progress(self, step: str, progress: Mapping[str, Any]) -> None:
        """Replaces the newest progress of a step; a detail stays until there is another.

        Not synced: losing it loses nothing.
        """
        text = canonical(REDACTOR.scrub_values(progress))
        at = self._now().isoformat(timespec="milliseconds")
        with self._lock:
            self._db.execute("PRAGMA synchronous=NORMAL")
            try:
                self._db.execute(_SET_PROGRESS, (step, at, text))
            finally:
                self._db.execute("PRAGMA synchronous=FULL")

    def progress(self) -> dict[str, dict[str, Any]]:
        """The newest progress of every step, with its time under `at`."""
        with self._lock:
            rows = self._db.execute("SELECT step, at, body FROM progress").fetchall()
        return {step: {**json.loads(body), "at": at} for step, at, body in rows}

    @contextmanager
    def _write(self) -> Iterator[None]:
        """One transaction; `MigratorError` when it cannot be made durable. What failed leaves nothing behind."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except BaseException as error:
            with suppress(sqlite3.Error):  # SQLite may have rolled back by itself
                self._db.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise MigratorError(
                    "the journal cannot be written",
                    where=str(self.path),
                    detail=str(error),
                    next="make room on the disk, or the file writable, then `migrator resume`",
                ) from error
            raise

    def _check(self) -> tuple[int, str]:
        """Walks the whole chain; gives its last sequence number and digest."""
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version != FORMAT:
            raise _damaged(self.path, f"format {version}, this migrator reads format {FORMAT}")
        self._db.execute("BEGIN")
        try:
            head = self._db.execute("SELECT seq, digest FROM head").fetchone()
            previous, expected = _GENESIS, 0
            for seq, at, kind, body, digest in self._db.execute("SELECT * FROM records ORDER BY seq"):
                expected += 1
                if seq != expected or chain(previous, seq, at, kind, body) != digest:
                    raise _damaged(self.path, f"record {expected} does not fit the one before it")
                previous = digest
        finally:
            self._db.execute("COMMIT")
        if head != (expected, previous):
            raise _damaged(self.path, f"it ends at record {expected}, but its head names another")
        return expected, previous


def _statements(script: str) -> Iterator[str]:
    pending = ""
    for line in script.splitlines():
        pending += line + "\n"
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _damaged(path: Path, detail: str) -> JournalDamaged:
    return JournalDamaged(
        "the journal is damaged or was edited; it is not continued",
        where=str(path),
        detail=detail,
        next="keep the file as it is, and compare the world with `migrator report` of an older copy before acting",
    )
