"""The words of the screens: states, lengths of time, sizes. Each state has a glyph, a word and a tone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from migrator.model.state import StepStatus
from migrator.tui.paint import Tone


@dataclass(frozen=True)
class Look:
    """How a state is shown: never by colour alone."""

    glyph: str
    word: str
    tone: Tone


LOOKS: dict[StepStatus, Look] = {
    StepStatus.PENDING: Look("·", "to do", "dim"),
    StepStatus.RUNNING: Look("▶", "at work", "busy"),
    StepStatus.WAITING: Look("◷", "waits", "ask"),
    StepStatus.IN_DOUBT: Look("?", "IN DOUBT", "bad"),
    StepStatus.DONE: Look("✓", "done", "good"),
    StepStatus.FAILED: Look("✗", "FAILED", "bad"),
    StepStatus.BLOCKED: Look("■", "BLOCKED", "bad"),
    StepStatus.SKIPPED: Look("»", "skipped", "ask"),
    StepStatus.UNDOING: Look("◀", "undoing", "busy"),
    StepStatus.UNDONE: Look("○", "undone", "dim"),
    StepStatus.UNDO_FAILED: Look("✗", "NO UNDO", "bad"),
}
DECISION = Look("◆", "ASKS YOU", "ask")
"""A gate that waits for a person."""

RUN_WORDS: dict[str, Look] = {
    "running": Look("▶", "running", "busy"),
    "waiting": Look("◷", "waiting", "ask"),
    "paused": Look("‖", "paused", "ask"),
    "blocked": Look("■", "BLOCKED", "bad"),
    "in_doubt": Look("?", "IN DOUBT", "bad"),
    "done": Look("✓", "done", "good"),
    "failed": Look("✗", "FAILED", "bad"),
    "rolled_back": Look("○", "rolled back", "dim"),
    "aborted": Look("○", "aborted", "dim"),
    "damaged": Look("✗", "DAMAGED", "bad"),
}


def run_look(word: str) -> Look:
    """How a run's state is shown."""
    return RUN_WORDS.get(word, Look("·", word, "dim"))


def moment(text: str) -> datetime | None:
    """A time of the journal; none when it is empty or not a time."""
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        return None


def clock(at: datetime | None, now: datetime) -> str:
    """Hours and minutes in the viewer's zone, with the day when it is another one."""
    if at is None:
        return ""
    here = at.astimezone(now.tzinfo)
    return f"{here:%H:%M}" if here.date() == now.date() else f"{here:%a %d %b %H:%M}"


def clock_seconds(text: str, now: datetime) -> str:
    """A journal's time with seconds, in the viewer's zone."""
    at = moment(text)
    if at is None:
        return ""
    here = at.astimezone(now.tzinfo)
    return f"{here:%H:%M:%S}" if here.date() == now.date() else f"{here:%d %b %H:%M:%S}"


def duration(seconds: float) -> str:
    """A length of time in at most eight characters: 0.4 s, 12 s, 3:07, 1:04:09, 2 d 03 h."""
    seconds = max(0.0, seconds)
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = int(seconds + 0.5)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}:{rest:02d}"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours}:{minutes:02d}:{rest:02d}"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours:02d} h"


def stopwatch(seconds: float) -> str:
    """A running clock of constant width: 0:00:42."""
    whole = int(max(0.0, seconds))
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def age(text: str, now: datetime) -> str:
    """How long ago a time of the journal was."""
    at = moment(text)
    return "" if at is None else f"{duration((now - at).total_seconds())} old"


def size(count: float) -> str:
    """Bytes in a short form."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024 or unit == "GiB":
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return ""


def number(value: float) -> str:
    """A whole number with separators."""
    return f"{int(value):,}"


def plural(count: int, one: str, many: str = "") -> str:
    """A count with its noun."""
    return f"{count} {one if count == 1 else many or one + 's'}"
