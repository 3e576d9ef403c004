"""Commands that print and end: lists, status, orders."""

# ruff: noqa: T201 - this face prints

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from migrator.console.follow import follow
from migrator.contracts.control import Control, StartOptions
from migrator.errors import ExitCode, UsageError
from migrator.sanitize import clean_line

_ANSWER_SECONDS = 10.0
_ENDED = ("done", "rolled_back", "aborted")


class StatusControl(Control, Protocol):
    """What these commands need beside a face's usual door."""

    def status(self, folder: Path) -> dict[str, Any]:
        """status --json of a run."""
        ...

    def check(self, target: str) -> str:
        """One line about a valid file; `InvalidRunbook` with every problem otherwise."""
        ...


def print_runs(control: Control, *, as_json: bool) -> int:
    """All runs here, unfinished first."""
    rows = control.runs()
    if as_json:
        for row in rows:
            print(json.dumps({**asdict(row), "folder": str(row.folder)}))
        return int(ExitCode.DONE)
    if not rows:
        print("No runs here yet. Next: migrator rehearse habitcraft")
    for row in rows:
        where = f" at {row.phase}/{row.step}" if row.step else ""
        if row.state == "damaged":
            print(f"{row.run_id}  damaged")
            print(f"    {clean_line(row.problem)}")
            continue
        print(f"{row.run_id}  {row.mode:8}  {row.state}{where}  started {row.created[:19]}Z")
        if not row.ended:
            print(f"    next: {row.next}")
    return int(ExitCode.DONE)


def print_status(control: StatusControl, folder: Path, *, as_json: bool) -> int:
    """Where a run stands."""
    status = control.status(folder)
    if as_json:
        print(json.dumps(status, indent=2))
        return int(ExitCode.DONE)
    side = {"before": "before the point of no return", "after": "AFTER the point of no return"}
    runner = f"runner {status['runner']['pid']} at work" if status["runner"]["alive"] else "no runner at work"
    mode = "REHEARSAL" if status["mode"] == "rehearse" else f"LIVE in {status['account']} {status['region']}"
    print(f"{status['run_id']}: {status['state']} ({mode}, {runner})")
    if status["step"]:
        print(f"  at        {status['phase']} / {status['step']}")
    print(f"  side      {side.get(status['point_of_no_return'], 'no point of no return in this runbook')}")
    if status["downtime"]:
        word = "users wait" if status["downtime"]["running"] else "users waited"
        print(f"  downtime  {word} for {status['downtime']['seconds']:.0f} s in the maintenance window")
    if status["in_doubt"]:
        print(f"  in doubt  {', '.join(status['in_doubt'])}: probed before anything is sent again")
    if status["waiting"]["for"]:
        until = f" until {status['waiting']['until']}" if status["waiting"]["until"] else ""
        print(f"  waits for {status['waiting']['for']}{until}")
    if status["problem"]:
        print(f"  problem   {clean_line(status['problem'])}")
    print(f"  next      {status['next']}")
    return int(ExitCode.DONE)


def give_order(
    control: StatusControl, folder: Path, command: str, step: str, reason: str, confirm: str
) -> int:
    """Leaves an order; waits for the runner's answer when one is alive."""
    status = control.status(folder)
    if status["state"] in _ENDED and not status["runner"]["alive"]:
        raise UsageError(
            f"run {status['run_id']} has ended: {status['state']}; {command} does not apply",
            next=str(status["next"]),
        )
    shown = json.dumps(status)
    order = control.order(folder, command, step=step, reason=reason, confirm=confirm, shown=shown)
    view = control.open(folder)
    try:
        until = time.monotonic() + _ANSWER_SECONDS
        while view.alive() and time.monotonic() < until:
            answer = control.answer(folder, order)
            if answer == "":
                print(f"{command}: taken by the runner")
                return int(ExitCode.DONE)
            if answer:
                print(f"migrator: {command} was refused: {answer}", file=sys.stderr)
                return int(ExitCode.USAGE)
            time.sleep(0.1)
        alive = view.alive()
    finally:
        view.close()
    if command == "abort" and not alive:
        control.resume(folder, StartOptions(attended=False))
        return follow(control, folder, as_json=False, ended=("aborted",))
    if alive:
        print(f"{command}: left for the runner, which has not taken it yet")
    else:
        print(f"{command}: left for the next runner. Next: migrator resume {folder.name}")
    return int(ExitCode.DONE)


def print_runbooks(control: Control) -> int:
    """Names and purposes of the shipped runbooks."""
    for runbook in control.runbooks():
        print(f"{runbook.name}  {runbook.title}")
        print(f"    {runbook.summary.strip()}")
    return int(ExitCode.DONE)


def print_valid(control: StatusControl, target: str) -> int:
    """Says that a file is valid; problems come as an error."""
    print(control.check(target))
    return int(ExitCode.DONE)
