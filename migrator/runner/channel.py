"""How a step speaks: records to the journal, lines to its log, progress a few times a second."""

from __future__ import annotations

import os
import shlex
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from migrator.contracts.process import Child
from migrator.engine.book import Book
from migrator.errors import DeadlineExceeded, Interrupted
from migrator.model.records import Kind
from migrator.sanitize import clean, clean_line
from migrator.secrets import REDACTOR

_PROGRESS_SECONDS = 0.2


class StepLog:
    """A step's log file, 0600: one sanitised and scrubbed line a call, with its time (UTC)."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()

    def write(self, line: str) -> None:
        """Appends one line."""
        stamp = datetime.now(UTC).strftime("%H:%M:%S.%f")[:-3]
        text = f"{stamp} {clean_line(REDACTOR.scrub(clean(line)))}\n".encode()
        with self._lock:
            handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                os.write(handle, text)
            finally:
                os.close(handle)


class StepChannel:
    """The channel of one attempt. `deadline_seconds` counts from now."""

    def __init__(
        self,
        book: Book,
        step: str,
        attempt: int,
        log: StepLog,
        interrupted: threading.Event,
        deadline_seconds: float,
    ) -> None:
        self._book = book
        self._step = step
        self._attempt = attempt
        self._log = log
        self._interrupted = interrupted
        self._deadline = time.monotonic() + deadline_seconds
        self._deadline_seconds = deadline_seconds
        self._last_progress = 0.0
        self._last_message = ""

    def remember(self, values: Mapping[str, Any]) -> None:
        """Keeps facts durably."""
        self._book.append(Kind.NOTED, step=self._step, values=dict(values))

    def spawned(self, child: Child) -> None:
        """Records a child process durably."""
        self._book.append(Kind.SPAWNED, step=self._step, attempt=self._attempt, child=child_to_json(child))

    def log(self, line: str) -> None:
        """One line for the log."""
        self._log.write(line)

    def command(self, argv: Sequence[str]) -> None:
        """A real command, as a person would type it."""
        self._log.write("$ " + shlex.join(argv))

    def progress(
        self,
        message: str,
        done: float | None = None,
        total: float | None = None,
        unit: str = "",
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """The newest progress; at most five a second reach the journal's table, the last of a message always."""
        now = time.monotonic()
        complete = total is not None and done is not None and done >= total
        if now - self._last_progress < _PROGRESS_SECONDS and message == self._last_message and not complete:
            return
        self._last_progress, self._last_message = now, message
        body: dict[str, Any] = {"message": clean_line(message), "done": done, "total": total, "unit": unit}
        if detail is not None:
            body["detail"] = dict(detail)
        self._book.journal.set_progress(self._step, body)

    def check_cancelled(self) -> None:
        """Raises when the operator interrupted or the deadline passed."""
        if self._interrupted.is_set():
            raise Interrupted(
                "interrupted by the operator",
                where=f"step {self._step}",
                next="continue: the step is probed before anything is sent again",
            )
        if time.monotonic() > self._deadline:
            raise DeadlineExceeded(
                f"not done within its {self._deadline_seconds:.0f} s",
                where=f"step {self._step}",
                next="look at the step's log, then retry",
            )

    def sleep(self, seconds: float) -> None:
        """Waits; wakes up at once when interrupted."""
        self._interrupted.wait(max(0.0, min(seconds, self._deadline - time.monotonic() + 0.01)))
        self.check_cancelled()


def child_to_json(child: Child) -> dict[str, Any]:
    """A child as the journal keeps it."""
    return {
        "pid": child.pid,
        "start_time": child.start_time,
        "boot_id": child.boot_id,
        "folder": str(child.folder),
        "label": child.label,
        "argv": list(child.argv),
    }


def child_from_json(row: Mapping[str, Any]) -> Child:
    """A child as the journal kept it."""
    return Child(
        pid=int(row["pid"]),
        start_time=str(row["start_time"]),
        boot_id=str(row["boot_id"]),
        folder=Path(row["folder"]),
        label=str(row["label"]),
        argv=tuple(row["argv"]),
    )
