"""Follows one run on a thread of its own and tells a screen what is new."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from textual.message import Message
from textual.message_pump import MessagePump

from migrator.contracts.control import Control, RunView
from migrator.errors import MigratorError
from migrator.model.records import Record
from migrator.model.runbook import Runbook

POLL_SECONDS = 0.2
Where = Path | Callable[[], Path]
"""A run's folder, or what finds or begins the run: then the screen stands before the run does."""


class Opened(Message):
    """A run was opened."""

    def __init__(self, view: RunView, runbook: Runbook, expected: Mapping[str, tuple[float, float]]) -> None:
        super().__init__()
        self.view = view
        self.runbook = runbook
        self.expected = expected


class NotThere(Message):
    """There is no such run, or it could not be begun."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error


class Fetched(Message):
    """New records, progress, or a runner that came or went."""

    def __init__(
        self, records: Sequence[Record], progress: Mapping[str, Mapping[str, Any]], alive: bool
    ) -> None:
        super().__init__()
        self.records = records
        self.progress = progress
        self.alive = alive


class Lost(Message):
    """The run cannot be read (any more)."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error


class Feed:
    """A thread that polls a run a few times a second. It never writes."""

    def __init__(self, control: Control, where: Where, target: MessagePump) -> None:
        self._control = control
        self._where = where
        self._target = target
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="run feed", daemon=True)

    def start(self) -> None:
        """Begins to follow."""
        self._thread.start()

    def stop(self) -> None:
        """Ends; returns when the thread has let go of the journal, or after two seconds."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(2.0)

    def _follow(self) -> None:
        try:
            folder = self._where if isinstance(self._where, Path) else self._where()
        except Exception as error:  # noqa: BLE001 - told after the screen is gone
            self._target.post_message(NotThere(error))
            return
        try:
            view = self._control.open(folder)
        except Exception as error:  # noqa: BLE001 - shown to the operator
            self._target.post_message(Lost(error))
            return
        try:
            self._poll(view)
        except Exception as error:  # noqa: BLE001 - shown to the operator
            self._target.post_message(Lost(error))
        finally:
            view.close()

    def _poll(self, view: RunView) -> None:
        after, known, first = 0, None, True
        self._target.post_message(Opened(view, view.runbook, view.expected_seconds()))
        while not self._stopped.is_set():
            alive = view.alive()
            records = view.records(after)
            progress = view.progress()
            if first or records or (progress, alive) != known:
                self._target.post_message(Fetched(records, progress, alive))
            if records:
                after = records[-1].seq
            known, first = (dict(progress), alive), False
            self._stopped.wait(POLL_SECONDS)


def words_of(error: BaseException) -> tuple[str, str, str]:
    """An error as what happened, the tool's own words, and what to do next."""
    if isinstance(error, MigratorError):
        what = f"{error.where}: {error.what}" if error.where else error.what
        return what, error.detail, error.next
    return f"{type(error).__name__}: {error}", "", ""
