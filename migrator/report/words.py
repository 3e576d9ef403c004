"""Words, marks and lengths of time that all forms of the report share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

NOT_MEASURED = "not measured"

NOT_PROVEN = (
    "AWS was an emulator: quotas, permissions, capacity, and the time that services really take are not proven.",
    "Instances were stand-ins on this machine: the launch template's script was read, not run.",
    "The database servers were local: the network between old and new, and RDS's own parameters, are not proven.",
    "Resolvers on the internet may hold records longer than their TTL says.",
)

OUTCOMES: Mapping[str, tuple[str, str]] = {
    "done": ("✓", "Done"),
    "failed": ("✗", "Failed"),
    "rolled_back": ("↶", "Rolled back"),
    "aborted": ("■", "Aborted"),
    "unfinished": ("…", "Not finished"),
}
"""Mark and word of each outcome."""

STATUSES: Mapping[str, tuple[str, str]] = {
    "done": ("✓", "done"),
    "failed": ("✗", "failed"),
    "undo_failed": ("✗", "undo failed"),
    "blocked": ("■", "blocked"),
    "in_doubt": ("?", "in doubt"),
    "skipped": ("–", "skipped"),
    "partly_skipped": ("–", "partly skipped"),
    "undone": ("↶", "undone"),
    "undoing": ("↶", "being undone"),
    "running": ("▶", "at work"),
    "waiting": ("…", "waiting"),
    "pending": ("○", "not begun"),
}
"""Mark and word of each status of a step or phase."""

KIND_WORDS: Mapping[str, str] = {
    "terraform": "Terraform",
    "database": "PostgreSQL",
    "images": "Images",
    "waits": "Waits",
    "decisions": "Decisions",
    "other": "Checks and other calls",
}
"""What a step's time was spent on, as `shares.KINDS` has it."""

PONR_WORDS: Mapping[str, str] = {
    "new_writes": "the new database takes writes",
    "deletion": "deletion on the old platform begins",
}


def length(seconds: Any) -> str:
    """A length of time in words: `8.7 s`, `3 min 24 s`, `2 h 5 min`, `1 d 4 h`; `not measured` for None."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return NOT_MEASURED
    if seconds < 120:
        return "under 0.1 s" if 0 < seconds < 0.05 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def count(value: Any) -> str:
    """A number with thousands separated, or `not measured`."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return NOT_MEASURED
    return f"{value:,}"


def moment(value: Any) -> str:
    """A UTC ISO 8601 time to the second, for people; what is not a time is given back as it is."""
    text = str(value or "")
    try:
        return datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M:%S")
    except ValueError:
        return text


def share(fraction: Any) -> str:
    """A fraction of one as per cent, or `not measured`."""
    if not isinstance(fraction, int | float):
        return NOT_MEASURED
    return "under 0.1%" if 0 < fraction < 0.0005 else f"{fraction:.1%}"


def status_word(step: Mapping[str, Any]) -> str:
    """The status of a step or phase in words; a result that was found in place says so."""
    word = STATUSES.get(str(step["status"]), ("", str(step["status"])))[1]
    return f"{word}, found in place" if step.get("adopted") and step["status"] == "done" else word


def plural(number: int, one: str, many: str = "") -> str:
    """`1 step`, `2 steps`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def headline(report: Mapping[str, Any]) -> tuple[str, str]:
    """Mark and words of the outcome. Done with skipped steps is not simply done."""
    mark, word = OUTCOMES.get(str(report["outcome"]), ("?", str(report["outcome"])))
    if report["outcome"] == "done" and report["skipped"]:
        return "–", f"Done, but {plural(len(report['skipped']), 'step')} skipped"
    return mark, word


def mode_words(report: Mapping[str, Any]) -> str:
    """Whether it was a rehearsal or the real thing."""
    return "Rehearsal on a twin" if report["mode"] == "rehearse" else "Real run"


def trouble(report: Mapping[str, Any]) -> list[str]:
    """Everything that is not as it should be, one sentence each, the worst first. Outside text is not cleaned."""
    found = []
    lost, duplicated = report["writes"].get("lost"), report["writes"].get("duplicated")
    if lost:
        found.append(f"{plural(lost, 'acknowledged write')} lost.")
    if duplicated:
        found.append(f"{plural(duplicated, 'write')} duplicated.")
    for step in steps(report):
        if step["status"] in ("failed", "blocked", "in_doubt", "undo_failed"):
            said = (step.get("error") or {}).get("what") or step.get("reason") or step.get("evidence") or ""
            found.append(f"{step['title']}: {status_word(step)}{': ' + said if said else ''}")
    found += [
        f"{s['title']}: skipped by {s['who'] or 'nobody'}, because: {s['reason']}" for s in report["skipped"]
    ]
    red = [check["name"] for check in report["database"]["checks"] if not check["ok"]]
    if red:
        found.append("Database checks not ok: " + ", ".join(red))
    found += [f"Image {i['name']} is not proven equal." for i in report["images"] if not i["verified"]]
    found += [f"Left behind: {item}" for item in report["leftovers"]]
    found += [f"Contact with the outside: {one_line(item)}" for item in report["outside_contacts"]]
    return found


def unproven(report: Mapping[str, Any]) -> list[str]:
    """What a rehearsal cannot know, and the work of people that it took for granted. Outside text is not cleaned."""
    by_policy = {
        d.get("step") for d in report["decisions"] if d.get("by") == "policy" and not d.get("refused")
    }
    granted = [s for s in steps(report) if s["action"] == "manual" and s["id"] in by_policy]
    return [*NOT_PROVEN, *(f"{s['title']}: work for a person, taken as done by policy." for s in granted)]


def steps(report: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """All steps of all phases."""
    return [step for phase in report["phases"] for step in phase["steps"]]


def difference(row: Mapping[str, Any]) -> tuple[str, str]:
    """What a value is in the real run and was in the rehearsal; a wait's seconds as a length of time."""
    real, twin = row["real"], row["rehearsal"]
    if row["kind"] == "wait":
        return _wait(real), _wait(twin)
    return ("yours to give" if real is None else one_line(real)), one_line(twin)


def _wait(value: Any) -> str:
    return length(value) if isinstance(value, int | float) else one_line(value)


def one_line(value: Any) -> str:
    """A value of any shape as one line: a mapping as `key value` pairs."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {one_line(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(one_line(item) for item in value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value)
