"""The door for faces: runs are listed, begun, continued, watched, and given orders."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from migrator.contracts.control import RunSummary, ShippedRunbook, StartOptions
from migrator.contracts.params import ParamError
from migrator.engine.status import run_status
from migrator.errors import MigratorError, UsageError
from migrator.journal import SqliteJournal
from migrator.loading.migration import find_runbook, load_migration, shipped_runbooks
from migrator.loading.runbook import load_runbook
from migrator.loading.values import resolve_values
from migrator.model.downtime import downtime
from migrator.model.records import Kind, Record
from migrator.model.runbook import Runbook
from migrator.model.state import RunState, fold
from migrator.resources import shipped
from migrator.runner import compose, lease
from migrator.runner.folders import RunFolder, all_runs, find_run, hostname, new_run, whoami
from migrator.runner.reports import render_report
from migrator.tools.detached import start_detached

_START_SECONDS = 20.0
DEFAULT_REGION = "us-west-2"


class LiveView:
    """A look at one run through a journal connection of its own."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder.path
        self._run = folder
        self._journal = SqliteJournal(folder.journal)
        self.runbook: Runbook = load_pinned(folder)

    def records(self, after: int = 0) -> Sequence[Record]:
        """Records above a sequence number."""
        return self._journal.records(after)

    def progress(self) -> Mapping[str, Mapping[str, Any]]:
        """The newest progress by step."""
        return self._journal.progress()

    def alive(self) -> bool:
        """Whether a runner is at work."""
        return lease.held(self._run.lease)

    def log_path(self, step: str) -> Path:
        """A step's log."""
        return self._run.log(step)

    def expected_seconds(self) -> Mapping[str, tuple[float, float]]:
        """From reports of earlier runs beside this one; for a real run else the author's estimate.

        The author speaks of AWS; a twin has other times, so a first rehearsal knows none.
        """
        mode = fold(self._journal.records()).mode
        found: dict[str, list[float]] = {}
        for run in all_runs(self._run.path.parent.parent.parent):
            for step, seconds in _timings(run, self.runbook.name, mode):
                found.setdefault(step, []).append(seconds)
        estimates = {
            s.id: (s.expected_seconds, s.expected_seconds)
            for s in self.runbook.steps()
            if s.expected_seconds and mode != "rehearse"
        }
        return {**estimates, **{step: (min(seconds), max(seconds)) for step, seconds in found.items()}}

    def close(self) -> None:
        """Lets go of the journal."""
        self._journal.close()


def _timings(run: RunFolder, runbook: str, mode: str) -> list[tuple[str, float]]:
    try:
        report = json.loads(run.report("json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    if report.get("runbook") != runbook or report.get("mode") != mode or report.get("outcome") != "done":
        return []
    return [
        (s["id"], float(s["seconds"])) for p in report["phases"] for s in p["steps"] if s["status"] == "done"
    ]


def load_pinned(folder: RunFolder) -> Runbook:
    """The runbook as it was when the run began."""
    return load_runbook(folder.runbook, compose.catalogue(), shipped("terraform") / "stacks")


class LocalControl:
    """Runs below one base folder of this machine."""

    def __init__(self, base: Path) -> None:
        self._base = base

    def runs(self) -> Sequence[RunSummary]:
        """Unfinished first, newest first."""
        rows = [_summary(folder) for folder in all_runs(self._base)]
        return sorted(rows, key=lambda row: bool(row.ended))

    def runbooks(self) -> Sequence[ShippedRunbook]:
        """The shipped runbooks."""
        found = [
            load_runbook(find_runbook(name), compose.catalogue(), shipped("terraform") / "stacks")
            for name in shipped_runbooks()
        ]
        return [ShippedRunbook(r.name, r.title, r.summary) for r in found]

    def runbook(self, name: str) -> Runbook:
        """A shipped runbook, or one in a file."""
        path, _, _ = locate(name, self._base)
        return load_runbook(path, compose.catalogue(), shipped("terraform") / "stacks")

    def check(self, target: str) -> str:
        """One line about a valid file; `InvalidRunbook` with every problem otherwise."""
        path, given, _ = locate(target, self._base)
        runbook = load_runbook(path, compose.catalogue(), shipped("terraform") / "stacks")
        if given:
            resolve_values(runbook, given, "run", file=target)
        steps = sum(1 for _ in runbook.steps())
        return f"{target}: valid ({runbook.name}: {len(runbook.phases)} phases, {steps} steps)"

    def mode(self, folder: Path) -> str:
        """rehearse or run."""
        with SqliteJournal(RunFolder(folder).journal) as journal:
            return fold(journal.records()).mode

    def status(self, folder: Path) -> dict[str, Any]:
        """status --json of a run."""
        state, runbook, alive = state_of(RunFolder(folder))
        window = downtime(state, runbook, compose.SystemClock().now())
        return {
            **run_status(state, runbook, alive=alive),
            "downtime": dataclasses.asdict(window) if window else None,
        }

    def begin(self, target: str, mode: Literal["rehearse", "run"], options: StartOptions) -> Path:
        """Creates a run and starts its runner."""
        path, given, base = locate(target, self._base)
        runbook = load_runbook(path, compose.catalogue(), shipped("terraform") / "stacks")
        given = {**given, **options.values}
        values, _ = resolve_values(runbook, given, mode, file=str(path))
        account, region = "", str(values.get("region") or os.environ.get("AWS_REGION") or DEFAULT_REGION)
        if mode == "run":
            account = compose.real_surroundings(region, base).account
        folder = new_run(base, runbook.name)
        _write_private(folder.runbook, path.read_bytes())
        if mode == "rehearse":
            spec = lab_spec(runbook, options)
            account, region = (
                str(spec.get("account", "111122223333")),
                str(spec.get("region", DEFAULT_REGION)),
            )
            _write_private(folder.lab_spec, json.dumps(spec).encode())
        with SqliteJournal(folder.journal, create=True) as journal:
            journal.append(
                Kind.RUN_CREATED,
                {
                    "run_id": folder.run_id,
                    "runbook": runbook.name,
                    "runbook_digest": runbook.digest,
                    "mode": mode,
                    "account": account,
                    "region": region,
                    "values": values,
                    "who": whoami(),
                    "host": hostname(),
                    "created": _now(),
                    "versions": {"migrator": _version()},
                },
            )
        self._start(folder, options)
        return folder.path

    def resume(self, folder: Path, options: StartOptions) -> bool:
        """Starts a runner unless one is alive or the run has ended."""
        run = RunFolder(folder)
        if lease.held(run.lease):
            return False
        with SqliteJournal(run.journal) as journal:
            state = fold(journal.records())
        if state.outcome and state.stopped:
            raise UsageError(
                f"run {state.run_id} has ended: {state.outcome}",
                next=f"`migrator report {state.run_id}` shows it",
            )
        self._start(run, options)
        return True

    def _start(self, folder: RunFolder, options: StartOptions) -> None:
        before = _last_seq(folder)
        argv = [sys.executable, "-m", "migrator.runner", str(folder.path)]
        argv += ["--attended"] * options.attended + ["--yes"] * options.yes
        argv += ["--look"] * options.only_look
        argv += [f"--confirm={options.confirm}"] if options.confirm else []
        log = folder.logs / "runner.log"
        start_detached(argv, log, folder.path)
        until = time.monotonic() + _START_SECONDS
        while time.monotonic() < until:
            with SqliteJournal(folder.journal) as journal:
                if any(r.kind is Kind.RUNNER_STARTED for r in journal.records(before)):
                    return
            time.sleep(0.05)
        raise MigratorError(
            "the runner did not start", where=str(log), next="read the runner's log, then `migrator resume`"
        )

    def open(self, folder: Path) -> LiveView:
        """A look at a run."""
        return LiveView(RunFolder(folder))

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
        """Leaves a command for the runner."""
        with SqliteJournal(RunFolder(folder).journal) as journal:
            return journal.order(
                command,
                step=step,
                who=whoami(),
                host=hostname(),
                reason=reason,
                confirm=confirm,
                shown=shown,
            )

    def answer(self, folder: Path, order_id: int) -> str | None:
        """None until the runner took the command; then empty, or why it was refused."""
        with SqliteJournal(RunFolder(folder).journal) as journal:
            for record in journal.records():
                if record.kind is Kind.DECISION and record.body.get("order") == order_id:
                    return str(record.body.get("refused", ""))
        return None

    def report(self, folder: Path, form: Literal["md", "html", "json"]) -> str:
        """The report as it stands now."""
        run = RunFolder(folder)
        with SqliteJournal(run.journal) as journal:
            return render_report(fold(journal.records()), load_pinned(run), form)


def find_or_latest(base: Path, name: str, *, unfinished: bool = False) -> RunFolder:
    """The named run, or the latest (unfinished) one below a folder; `UsageError` when there is none."""
    if name:
        return find_run(base, name)
    for run in all_runs(base):
        with SqliteJournal(run.journal) as journal:
            ended = any(record.kind is Kind.FINISHED for record in journal.records())
        if not (unfinished and ended):
            return run
    kind = "unfinished run" if unfinished else "run"
    raise UsageError(
        f"there is no {kind} here", where=str(base), next="`migrator rehearse habitcraft` begins one"
    )


def locate(target: str, base: Path) -> tuple[Path, dict[str, Any], Path]:
    """A runbook's file, the values given for it, and the folder its runs belong to.

    `target` is a shipped runbook's name, a migration file, or a runbook file of the operator's own.
    """
    path = Path(target)
    if "/" not in target and not path.suffix:
        return find_runbook(target), {}, base
    if not path.is_file():
        raise UsageError(
            f"there is no file {target}", next="name a shipped runbook (`migrator runbook list`) or a file"
        )
    if _is_runbook(path):
        return path, {}, path.resolve().parent
    migration = load_migration(path)
    return migration.runbook, dict(migration.values), path.resolve().parent


def _is_runbook(path: Path) -> bool:
    """A runbook has phases; a migration file names a runbook."""
    return any(
        line.startswith("phases:") for line in path.read_text(encoding="utf-8", errors="replace").splitlines()
    )


def lab_spec(runbook: Runbook, options: StartOptions) -> dict[str, Any]:
    """What the twin is to look like: the runbook's `lab` block and what the operator asked for."""
    spec: dict[str, Any] = json.loads(json.dumps(dict(runbook.lab)))
    database = spec.setdefault("database", {})
    if options.rows is not None:
        database["rows"] = options.rows
    if options.source_dump:
        database["source_dump"] = str(Path(options.source_dump).resolve())
    if options.source_url:
        database["source_url"] = options.source_url
    return spec


def state_of(folder: RunFolder) -> tuple[RunState, Runbook, bool]:
    """The folded state, the runbook, and whether a runner lives."""
    with SqliteJournal(folder.journal) as journal:
        state = fold(journal.records())
    return state, load_pinned(folder), lease.held(folder.lease)


def _summary(folder: RunFolder) -> RunSummary:
    try:
        state, runbook, alive = state_of(folder)
    except (MigratorError, ParamError, OSError, LookupError) as error:
        return RunSummary(
            folder.run_id, folder.path, "", "", "damaged", "", "", "", "", False, "", "", "", str(error)
        )
    status = run_status(state, runbook, alive=alive)
    return RunSummary(
        run_id=state.run_id,
        folder=folder.path,
        runbook=state.runbook,
        mode=state.mode,
        state=status["state"],
        phase=status["phase"],
        step=status["step"],
        created=state.created,
        ended=state.ended,
        alive=alive,
        waiting_for=status["waiting"]["for"],
        waiting_until=status["waiting"]["until"],
        next=status["next"],
        problem=status["problem"],
    )


def _last_seq(folder: RunFolder) -> int:
    with SqliteJournal(folder.journal) as journal:
        records = journal.records()
    return records[-1].seq if records else 0


def _write_private(path: Path, data: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)


def _now() -> str:
    return compose.SystemClock().now().isoformat()


def _version() -> str:
    from migrator import __version__

    return __version__
