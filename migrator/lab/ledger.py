"""What clients were promised, kept outside both databases, and how it compares with what a database holds."""

from __future__ import annotations

import json
import os
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Reconciliation:
    """Writes acknowledged, and of those found, lost and duplicated; and the writes that nobody was promised.

    `unknown` were sent and never acknowledged; `unknown_found` of them are in the database, which is allowed.
    `duplicated` counts ids that are there more than once, acknowledged or not.
    """

    acknowledged: int
    found: int
    lost: int
    duplicated: int
    unknown: int
    unknown_found: int
    lost_ids: list[str]

    def document(self) -> dict[str, Any]:
        """As JSON data."""
        return asdict(self)


class Ledger:
    """An append-only file of write ids: `sent` before the request leaves, `acknowledged` on disk before it counts."""

    def __init__(self, file: Path) -> None:
        self._descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._lock = threading.Lock()

    def sent(self, reference: str) -> None:
        """A write is about to leave for the first time."""
        self._write({"sent": reference})

    def acknowledged(self, reference: str, by: str) -> None:
        """The application has promised this write; `by` is old or new."""
        self._write({"acknowledged": reference, "by": by})
        os.fsync(self._descriptor)

    def _write(self, entry: dict[str, str]) -> None:
        with self._lock:
            os.write(self._descriptor, json.dumps(entry).encode() + b"\n")


def reconcile(file: Path, present: dict[str, int]) -> Reconciliation:
    """Compare a ledger with how often each id is in the database."""
    sent: set[str] = set()
    acknowledged: set[str] = set()
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    for line in text.splitlines():
        entry = json.loads(line)
        if "sent" in entry:
            sent.add(entry["sent"])
        else:
            acknowledged.add(entry["acknowledged"])
    lost = sorted(acknowledged - set(present))
    unknown = sent - acknowledged
    return Reconciliation(
        acknowledged=len(acknowledged),
        found=len(acknowledged & set(present)),
        lost=len(lost),
        duplicated=sum(1 for reference in sent | acknowledged if present.get(reference, 0) > 1),
        unknown=len(unknown),
        unknown_found=len(unknown & set(present)),
        lost_ids=lost[:20],
    )
