"""A journal and its fold, kept together: what is appended is at once part of the state."""

from __future__ import annotations

import threading
from typing import Any

from migrator.contracts.journal import Journal
from migrator.errors import MigratorError
from migrator.model.records import Kind, Record
from migrator.model.state import RunState, StepState, fold


class Book:
    """Thread-safe. `state` may be read at any time; only `append` changes it."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self._lock = threading.RLock()
        self.state: RunState = fold(journal.records())

    def append(self, kind: Kind, **body: Any) -> Record:
        """Durably appends a record and folds it in."""
        with self._lock:
            record = self.journal.append(kind, body)
            fold([record], self.state)
            return record

    def step(self, step_id: str) -> StepState:
        """The state of one step."""
        with self._lock:
            return self.state.step(step_id)


def describe(error: BaseException) -> dict[str, str]:
    """An error as journal fields: its kind, what happened, where, what next, and the tool's own words."""
    if isinstance(error, MigratorError):
        kind = next(
            (c.__name__ for c in type(error).__mro__ if c.__module__ == MigratorError.__module__),
            "MigratorError",
        )
        return {
            "kind": kind,
            "what": error.what,
            "where": error.where,
            "next": error.next,
            "detail": error.detail,
        }
    return {
        "kind": "Unclassified",
        "what": f"{type(error).__name__}: {error}",
        "where": "",
        "next": "look at the step's log, mend the cause, then retry: the step is probed before anything is sent",
        "detail": "",
    }
