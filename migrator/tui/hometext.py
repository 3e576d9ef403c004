"""The words of the home screen."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Protocol, runtime_checkable

from migrator.contracts.control import RunSummary, ShippedRunbook
from migrator.tui.paint import Line, Tone, fit, line
from migrator.tui.words import clock, duration, moment, run_look


@runtime_checkable
class _File(Protocol):
    path: Path


HOME_HELP: tuple[Line, ...] = (
    line(("  up down      ", "key"), "choose"),
    line(("  Enter        ", "key"), "a run: open it, and go on if it stands still; else: rehearse"),
    line(("  h            ", "key"), "rehearse on a twin; nothing real is touched"),
    line(("  L            ", "key"), "the LIVE run of a migration, after its name was typed"),
    line(("  a            ", "key"), "only watch a run"),
    line(("  R            ", "key"), "the report of a run"),
    line(("  n            ", "key"), "a new migration from the chosen runbook: a few questions"),
    line(("  Ctrl-P       ", "key"), "all commands by name; themes"),
    line(("  q            ", "key"), "leave; runs go on without this screen"),
)


def _mode(run: RunSummary) -> tuple[str, Tone]:
    return (
        ("REHEARSAL", "rehearsal")
        if run.mode == "rehearse"
        else ("  LIVE   ", "live")
        if run.mode
        else ("    ?    ", "dim")
    )


def entry_line(entry: object, now: datetime, width: int, *, chosen: bool) -> Line:
    """One row of the list."""
    mark = ("▌" if chosen else " ", "key")
    match entry:
        case str():
            return line((f" {entry}", "head"))
        case RunSummary():
            look, mode = run_look(entry.state), _mode(entry)
            when = clock(moment(entry.created), now)
            wait = _wait(entry, now)
            state = f"{look.glyph} {look.word}"
            room = max(6, width - 14 - 12 - len(when) - 3)
            told = f"{entry.runbook}  {wait or entry.step}".rstrip()
            return line(
                (mark[0], "key"), " ", (mode[0], mode[1]), " ", (f"{state:<12}", look.tone), " ",
                fit(told or entry.run_id, room), (f" {when}", "dim"),
            )  # fmt: skip
        case ShippedRunbook():
            return line(
                (mark[0], "key"),
                "  ",
                (f"{entry.name:<16}", "strong"),
                (fit(entry.title, max(6, width - 20)), ""),
            )
        case _File():
            return line((mark[0], "key"), "  ", (str(entry.path), "strong"))
    return line("")


def _wait(run: RunSummary, now: datetime) -> str:
    if not run.waiting_for:
        return ""
    until = moment(run.waiting_until)
    if until is None:
        return f"waits for {run.waiting_for}"
    left = (until - now).total_seconds()
    return (
        f"waits until {clock(until, now)} (in {duration(left)})"
        if left > 0
        else f"waited until {clock(until, now)}"
    )


def choice_lines(entry: object, now: datetime) -> list[Line]:
    """What the chosen thing is."""
    match entry:
        case RunSummary():
            return _run_lines(entry, now)
        case ShippedRunbook():
            return [line((entry.title, "strong")), line(entry.summary)]
        case _File():
            return [
                line((str(entry.path), "strong")),
                line("The values of one application for one runbook."),
                line(
                    ("Enter ", "key"),
                    "rehearses it on a twin. ",
                    ("L ", "key"),
                    "starts the LIVE run; its name is asked.",
                ),
            ]
    return []


def _run_lines(run: RunSummary, now: datetime) -> list[Line]:
    look = run_look(run.state)
    rows = [
        line(
            ("run ", "dim"),
            (run.run_id, "strong"),
            f"  {run.runbook}  ",
            (f"{look.glyph} {look.word}", look.tone),
        )
    ]
    if run.step:
        rows.append(line(("at      ", "dim"), f"{run.step} in {run.phase}"))
    if wait := _wait(run, now):
        rows.append(line(("        ", "dim"), (wait, "ask")))
    if run.problem:
        rows.append(line(("problem ", "dim"), (run.problem, "bad")))
    if not run.ended:
        led = (
            "somebody leads it now"
            if run.alive
            else "nobody leads it; Enter shows where it stands before it goes on"
        )
        rows.append(line(("runner  ", "dim"), (led, "" if run.alive else "ask")))
    else:
        rows.append(line(("ended   ", "dim"), clock(moment(run.ended), now)))
    if run.next:
        rows.append(line(("same as ", "dim"), (run.next, "key")))
    return rows
