"""Where a run lives: `.migrator/runs/<run id>/` next to the migration file. Folders 0700, files 0600."""

from __future__ import annotations

import getpass
import secrets
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from migrator.errors import UsageError

PRIVATE_UMASK = 0o077


@dataclass(frozen=True)
class RunFolder:
    """The files of one run."""

    path: Path

    @property
    def run_id(self) -> str:
        """The run's id is the folder's name."""
        return self.path.name

    @property
    def journal(self) -> Path:
        """The journal."""
        return self.path / "journal.db"

    @property
    def runbook(self) -> Path:
        """The runbook as it was when the run began."""
        return self.path / "runbook.yaml"

    @property
    def lease(self) -> Path:
        """The lock file that a living runner holds."""
        return self.path / "runner.lock"

    @property
    def lab(self) -> Path:
        """The twin's folder, in a rehearsal."""
        return self.path / "lab"

    @property
    def lab_spec(self) -> Path:
        """What the twin is to look like."""
        return self.path / "lab.json"

    @property
    def logs(self) -> Path:
        """Step logs and the runner's own."""
        return self.path / "logs"

    def log(self, step: str) -> Path:
        """A step's log."""
        return self.logs / f"{step}.log"

    def work(self, step: str) -> Path:
        """A step's own folder, made when asked for."""
        folder = self.path / "work" / step
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder

    def report(self, form: str) -> Path:
        """The report in one of its forms."""
        return self.path / f"report.{form}"


def runs_folder(base: Path) -> Path:
    """The folder of all runs beside a migration file, or below the present folder."""
    return base / ".migrator" / "runs"


def new_run(base: Path, runbook: str) -> RunFolder:
    """Makes an empty run folder with a new id such as `habitcraft-20260103-020000-3f9a`."""
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    runs = runs_folder(base)
    runs.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = runs / f"{runbook}-{stamp}-{secrets.token_hex(2)}"
    folder.mkdir(mode=0o700)
    (folder / "logs").mkdir(mode=0o700)
    return RunFolder(folder)


def all_runs(base: Path) -> Sequence[RunFolder]:
    """Every run below a base folder, newest first."""
    runs = runs_folder(base)
    found = (
        [RunFolder(path) for path in runs.iterdir() if (path / "journal.db").exists()]
        if runs.is_dir()
        else []
    )
    return sorted(
        found, key=lambda run: run.journal.stat().st_ctime if run.journal.exists() else 0, reverse=True
    )


def find_run(base: Path, name: str) -> RunFolder:
    """The run with this id, an unambiguous beginning of it, or a path to its folder; `UsageError` otherwise."""
    if "/" in name and (Path(name) / "journal.db").exists():
        return RunFolder(Path(name).resolve())
    matching = [run for run in all_runs(base) if run.run_id.startswith(name)]
    exact = [run for run in matching if run.run_id == name]
    if len(exact or matching) == 1:
        return (exact or matching)[0]
    what = f"{name!r} fits {len(matching)} runs" if matching else f"there is no run {name!r} here"
    raise UsageError(what, where=str(runs_folder(base)), next="`migrator runs` lists the runs")


def whoami() -> str:
    """The operator's login name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def hostname() -> str:
    """This machine's name."""
    return socket.gethostname()
