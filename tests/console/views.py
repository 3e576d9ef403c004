"""A run to look at without a runner: records, progress and life as a test wants them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from migrator.model.records import Record
from migrator.model.runbook import Runbook


class RecordedRun:
    """Is both the control that opens it and the view: gives a few more records at each look."""

    def __init__(self, folder: Path, runbook: Runbook, rows: Sequence[Record], at_once: int = 1_000) -> None:
        self.folder = folder
        self.runbook = runbook
        self.rows = rows
        self.at_once = at_once
        self.shown = 0
        self.closed = False
        self.rows_of_progress: dict[str, dict[str, Any]] = {}
        self.look: Callable[[], None] = lambda: None

    def open(self, folder: Path) -> RecordedRun:
        return self

    def records(self, after: int = 0) -> Sequence[Record]:
        self.look()
        self.shown = min(len(self.rows), after + self.at_once)
        return self.rows[after : self.shown]

    def progress(self) -> Mapping[str, Mapping[str, Any]]:
        return self.rows_of_progress

    def alive(self) -> bool:
        return self.shown < len(self.rows)

    def expected_seconds(self) -> Mapping[str, tuple[float, float]]:
        return {"network": (80.0, 130.0), "load": (42.0, 42.0)}

    def log_path(self, step: str) -> Path:
        return self.folder / f"{step}.log"

    def close(self) -> None:
        self.closed = True
