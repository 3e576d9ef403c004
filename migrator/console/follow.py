"""Follows a run to its end in lines of text or JSON events. Reads only; the run does not depend on it."""

# ruff: noqa: T201 - this face prints

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from migrator.console.words import Words
from migrator.contracts.control import Control, RunView
from migrator.engine.status import run_status
from migrator.errors import ExitCode
from migrator.model.downtime import downtime
from migrator.model.records import Record
from migrator.model.state import RunState, StepStatus, fold
from migrator.sanitize import clean_line

_POLL_SECONDS = 0.2
_PROGRESS_SECONDS = 5.0
_STILL_SECONDS = 30.0
"""What has not moved for this long is told again."""


def follow(control: Control, folder: Path, *, as_json: bool, ended: tuple[str, ...] = ()) -> int:
    """Prints what happens until no runner is at work; gives the exit code of the run's state.

    A state in `ended` is what was asked for, and counts as done.
    """
    view = control.open(folder)
    try:
        face: _Face = _JsonFace() if as_json else _PlainFace(view)
        return _Follower(view, face, ended).run()
    except KeyboardInterrupt:
        if view.alive():
            print(f"migrator: the run goes on without this view. Next: {_again(folder)}", file=sys.stderr)
        raise
    finally:
        view.close()


def _again(folder: Path) -> str:
    return f"migrator attach {folder.name}"


class _Follower:
    def __init__(self, view: RunView, face: _Face, ended: tuple[str, ...]) -> None:
        self._view = view
        self._ended = ended
        self._face = face
        self._state = RunState()

    def run(self) -> int:
        quiet_since = None
        while True:
            alive = self._view.alive()
            fresh = self._view.records(self._state.last_seq)
            for record in fresh:
                fold([record], self._state)
                self._face.record(record, self._state)
            self._face.progress(self._state, self._view.progress())
            sys.stdout.flush()
            if not alive and not fresh:
                # A runner that was just killed or has just stopped: its last records may still come.
                if quiet_since is not None:
                    break
                quiet_since = time.monotonic()
            else:
                quiet_since = None
            time.sleep(_POLL_SECONDS)
        status = run_status(self._state, self._view.runbook, alive=False)
        window = downtime(self._state, self._view.runbook, datetime.now(UTC))
        more = {"measured": self._state.measured, "downtime": asdict(window) if window else None}
        self._face.end({**status, **more}, self._view.folder)
        sys.stdout.flush()
        as_asked = status["state"] in self._ended and not _found_changed(self._state)
        return int(ExitCode.DONE) if as_asked else int(_exit_code(self._state, status))


def _found_changed(state: RunState) -> bool:
    """Whether a runner that only looked found something no longer as it was left."""
    looked = state.stopped.get("reason") == "looked"
    return looked and any(step.reproved and not step.reproved["ok"] for step in state.steps.values())


def _exit_code(state: RunState, status: Mapping[str, Any]) -> int:
    if _found_changed(state):
        return int(ExitCode.FAILED)
    match status["state"]:
        case "done" | "rolled_back":
            return int(ExitCode.DONE)
        case "waiting" | "paused":
            return int(ExitCode.WAITING)
    if state.with_status(StepStatus.UNDO_FAILED):
        return int(ExitCode.ROLLBACK_FAILED)
    kind = (state.stopped.get("error") or {}).get("kind", "")
    if kind == "CredentialsError":
        return int(ExitCode.CREDENTIALS)
    if kind in ("Locked", "StateLocked"):
        return int(ExitCode.LOCKED)
    if any(s.error.get("kind") == "CredentialsError" for s in state.steps.values()):
        return int(ExitCode.CREDENTIALS)
    return int(ExitCode.FAILED)


class _Face(Protocol):
    """What a follower tells."""

    def record(self, record: Record, state: RunState) -> None:
        """A new record was folded in."""

    def progress(self, state: RunState, progress: Mapping[str, Mapping[str, Any]]) -> None:
        """The newest progress; called several times a second."""

    def end(self, status: Mapping[str, Any], folder: Path) -> None:
        """No runner is at work any more."""


class _JsonFace:
    def __init__(self) -> None:
        self._shown: dict[str, Any] = {}

    def record(self, record: Record, state: RunState) -> None:  # noqa: ARG002 - the faces' common shape
        event = {"event": record.kind.value, "seq": record.seq, "at": record.at, **record.body}
        print(json.dumps(event))

    def progress(self, state: RunState, progress: Mapping[str, Mapping[str, Any]]) -> None:  # noqa: ARG002
        for step, row in progress.items():
            if self._shown.get(step) != row.get("at"):
                self._shown[step] = row.get("at")
                print(json.dumps({"event": "progress", "step": step, **row}))

    def end(self, status: Mapping[str, Any], folder: Path) -> None:
        shown = {key: value for key, value in status.items() if key != "measured"}
        print(json.dumps({"event": "end", **shown, "folder": str(folder)}))


class _PlainFace:
    def __init__(self, view: RunView) -> None:
        self._words = Words(view.runbook, view.expected_seconds())
        self._last: dict[str, tuple[float, str]] = {}

    def record(self, record: Record, state: RunState) -> None:
        for line in self._words.record(record, state):
            print(clean_line(line))

    def progress(self, state: RunState, progress: Mapping[str, Mapping[str, Any]]) -> None:
        now = time.monotonic()
        for about, since, line in self._words.progress(state, progress, datetime.now(UTC)):
            told, before = self._last.get(about, (-_STILL_SECONDS, ""))
            if now - told >= (_PROGRESS_SECONDS if since != before else _STILL_SECONDS):
                self._last[about] = (now, since)
                print(clean_line(line))

    def end(self, status: Mapping[str, Any], folder: Path) -> None:
        for line in self._words.end(status, folder, Path.cwd()):
            print(clean_line(line))
