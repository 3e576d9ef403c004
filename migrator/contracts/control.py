"""What a face may do: look at runs, start them, and leave commands. The same for screen and plain lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from migrator.model.records import Record
from migrator.model.runbook import Runbook


@dataclass(frozen=True)
class RunSummary:
    """One run as a list shows it. `state` is one of status --json's; `next` the exact command to go on."""

    run_id: str
    folder: Path
    runbook: str
    mode: str
    state: str
    phase: str
    step: str
    created: str
    ended: str
    alive: bool
    waiting_for: str
    waiting_until: str
    next: str
    problem: str = ""


@dataclass(frozen=True)
class ShippedRunbook:
    """A runbook that comes with the program."""

    name: str
    title: str
    summary: str


@dataclass(frozen=True)
class StartOptions:
    """How to start or go on. `attended` keeps the runner alive for decisions; `yes` is `--yes`,
    `confirm` a typed confirmation given in advance. `only_look` asks the world whether what is done still holds,
    and then stops."""

    attended: bool = True
    only_look: bool = False
    yes: bool = False
    confirm: str = ""
    rows: int | None = None
    source_dump: str | None = None
    source_url: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)


class RunView(Protocol):
    """A live, read-only look at one run."""

    folder: Path
    runbook: Runbook

    def records(self, after: int = 0) -> Sequence[Record]:
        """Records above a sequence number."""
        ...

    def progress(self) -> Mapping[str, Mapping[str, Any]]:
        """The newest progress by step id (and `@traffic`): message, done, total, unit, detail, at, commands."""
        ...

    def alive(self) -> bool:
        """Whether a runner is at work on this run."""
        ...

    def log_path(self, step: str) -> Path:
        """The log file of a step; it may not exist yet."""
        ...

    def expected_seconds(self) -> Mapping[str, tuple[float, float]]:
        """Shortest and longest seconds of each step in earlier runs of this runbook and mode.

        A real run has the author's estimates where there was none.
        """
        ...

    def close(self) -> None:
        """Lets go of the journal."""
        ...


class Control(Protocol):
    """Everything a face can cause. Errors are `MigratorError`s."""

    def runs(self) -> Sequence[RunSummary]:
        """All runs here, unfinished first, newest first."""
        ...

    def runbooks(self) -> Sequence[ShippedRunbook]:
        """The shipped runbooks."""
        ...

    def begin(self, target: str, mode: Literal["rehearse", "run"], options: StartOptions) -> Path:
        """Creates a run of a runbook's name or a migration file and starts its runner; gives the run's folder."""
        ...

    def resume(self, folder: Path, options: StartOptions) -> bool:
        """Starts a runner on an unfinished run; false when one is alive already."""
        ...

    def open(self, folder: Path) -> RunView:
        """A look at a run."""
        ...

    def order(
        self,
        folder: Path,
        command: str,
        *,
        step: str = "",
        reason: str = "",
        confirm: str = "",
        shown: str = "",
    ) -> int:
        """Leaves a command (approve, pause, continue, retry, skip, abort, interrupt, undo) for the runner."""
        ...

    def answer(self, folder: Path, order_id: int) -> str | None:
        """None until the runner took the command; then empty, or why it was refused."""
        ...

    def report(self, folder: Path, form: Literal["md", "html", "json"]) -> str:
        """The report as it stands now."""
        ...
