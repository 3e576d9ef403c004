"""The journal as the engine and the faces see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from migrator.model.records import Kind, Record


@dataclass(frozen=True)
class Order:
    """A command left in the inbox by a viewer. `command` is approve, pause, continue, retry, skip, abort,
    interrupt or undo."""

    id: int
    at: str
    command: str
    step: str
    who: str
    host: str
    reason: str
    confirm: str
    shown: str


class Journal(Protocol):
    """Append-only records, one run. `append` returns only when the record is durable."""

    def append(self, kind: Kind, body: Mapping[str, Any]) -> Record:
        """Adds one record durably."""
        ...

    def records(self, after: int = 0) -> Sequence[Record]:
        """Records with a sequence number above `after`, in order."""
        ...

    def orders(self) -> Sequence[Order]:
        """Inbox rows not yet taken."""
        ...

    def take(self, order: Order) -> None:
        """Marks an inbox row as taken; its DECISION record was appended before."""
        ...

    def set_progress(self, step: str, progress: Mapping[str, Any]) -> None:
        """Replaces the newest progress of a step, its `detail` only by another; not durable, not a record."""
        ...
