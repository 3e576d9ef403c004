"""What the tabs show: Terraform's resources, the database copy, traffic, and the journal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from migrator.model.records import Kind, Record
from migrator.tui.paint import Line, Tone, bar, fit, folded, line, sparkline
from migrator.tui.watch import Watch
from migrator.tui.words import clock_seconds, duration, number, size

_STATES: dict[str, tuple[str, str, Tone]] = {
    "pending": ("·", "to do", "dim"),
    "running": ("▶", "at work", "busy"),
    "done": ("✓", "done", "good"),
    "failed": ("✗", "FAILED", "bad"),
}


def _details(watch: Watch, kind: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Progress details of one kind, in the runbook's order."""
    for step in watch.runbook.steps():
        detail = watch.progress.get(step.id, {}).get("detail")
        if isinstance(detail, Mapping) and detail.get("kind") == kind:
            yield step.id, detail


def terraform_lines(watch: Watch, chosen: str, width: int) -> list[Line]:
    """Each stack with its resources; the chosen step's stack first."""
    stacks = sorted(_details(watch, "terraform"), key=lambda found: found[0] != chosen)
    if not stacks:
        return [line(("No Terraform step has begun.", "dim"))]
    rows: list[Line] = []
    for step, detail in stacks:
        resources = list(detail.get("resources", []))
        done = sum(r.get("state") == "done" for r in resources)
        total = len(resources)
        head = f"{detail.get('stack', step)}  {done} of {total}"
        rows.append(
            line((head, "head"), (f"  {bar(done, total, 16)}" if total else "", "busy"), (f"  {step}", "dim"))
        )
        rows += [_resource(r, width) for r in resources]
        rows.append(line())
    return rows[:-1]


def _resource(resource: Mapping[str, Any], width: int) -> Line:
    glyph, word, tone = _STATES.get(str(resource.get("state")), ("·", "", "dim"))
    seconds = float(resource.get("seconds") or 0.0)
    action = str(resource.get("action", ""))
    hard: Tone = "bad" if action in ("delete", "replace") else "dim"
    shown = action if width >= 70 or hard == "bad" else ""
    wide = 9 if width >= 70 else len(shown) + bool(shown)
    room = max(10, width - 20 - wide)
    return line(
        (f"{glyph} {word:<8}", tone),
        (f"{shown:<{wide}}", hard),
        fit(str(resource.get("address", "")), room),
        (f" {duration(seconds) if seconds else '':>8}", "dim"),
    )


def database_lines(watch: Watch, width: int) -> list[Line]:
    """The copy, table by table, then what was compared."""
    rows: list[Line] = []
    for step, detail in _details(watch, "database"):
        rows += [*_copy(step, detail, width), line()]
    checks = [c for s in watch.runbook.steps() for c in _database_checks(watch, s.id)]
    if checks:
        green = sum(bool(c.get("ok")) for c in checks)
        tone: Tone = "good" if green == len(checks) else "bad"
        rows.append(line(("Compared  ", "head"), (f"{green} of {len(checks)} green", tone)))
        for check in checks:
            ok = bool(check.get("ok"))
            rows.append(
                line(("✓ green " if ok else "✗ RED   ", "good" if ok else "bad"), str(check.get("name", "")))
            )
    return rows or [line(("The database has not been touched yet.", "dim"))]


def _database_checks(watch: Watch, step: str) -> Sequence[Mapping[str, Any]]:
    report = watch.step(step).report.get("database", {})
    return list(report.get("checks", [])) if isinstance(report, Mapping) else []


def _copy(step: str, detail: Mapping[str, Any], width: int) -> list[Line]:
    tables = list(detail.get("tables", []))
    rate = float(detail.get("bytes_per_second") or 0.0)
    total = sum(int(t.get("bytes_total") or 0) for t in tables)
    done = sum(_bytes_done(t) for t in tables)
    left = f"{duration((total - done) / rate)} left" if rate > 0 and total > done else ""
    speed = f"{size(rate)}/s" if rate > 0 else ""
    narrow = width < 60
    told = ", ".join(part for part in (speed, left) if part)
    first = line((f"{str(detail.get('stage', step)).capitalize()}  {size(done)} of {size(total)}", "head"))
    rows = [first, line(told)] if narrow and told else [(*first, *line(f"  {told}", (f"  {step}", "dim")))]
    room = max(12, width - (25 if narrow else 44))
    sizes = "" if narrow else f"{'size':>11}"
    rows.append(line((f"{'':<10}{'table':<{room}}{'rows':>14}{sizes}", "dim")))
    for table in tables:
        glyph, word, tone = _STATES.get(str(table.get("state")), ("·", "", "dim"))
        rows_done, rows_total = table.get("rows_done"), int(table.get("rows_total") or 0)
        counted = number(rows_total) if rows_done is None else f"{number(rows_done)}/{_short(rows_total)}"
        big = "" if narrow else f"{size(int(table.get('bytes_total') or 0)):>11}"
        rows.append(line((f"{glyph} {word:<8}", tone), fit(_short_name(table), room), f"{counted:>14}{big}"))
    return rows


def _short_name(table: Mapping[str, Any]) -> str:
    """A table as people call it: without quotes, and without the schema that most are in."""
    return str(table.get("name", "")).replace('"', "").removeprefix("public.")


def _short(count: int) -> str:
    if count >= 1_000_000:
        return f"{count / 1_000_000:.1f}M"
    return f"{count / 1_000:.0f}k" if count >= 10_000 else str(count)


def _bytes_done(table: Mapping[str, Any]) -> int:
    if table.get("state") == "done":
        return int(table.get("bytes_total") or 0)
    return int(table.get("bytes_done") or 0)


def traffic_lines(watch: Watch, width: int) -> list[Line]:
    """What users live through, now and in the last two minutes."""
    found = watch.progress.get("@traffic", {})
    traffic = found.get("detail", found)
    measured = watch.state.measured.get("traffic", {})
    if not traffic or not traffic.get("series"):
        rows = [line(("No traffic has been seen yet.", "dim"))]
        if watch.state.mode != "rehearse":
            rows.append(line(("In a real run the application's own traffic is not measured here.", "dim")))
        return [*_proof(measured), *([] if measured else rows)]
    unavailable = float(traffic.get("unavailable_seconds") or 0.0)
    failed = int(traffic.get("failed") or 0)
    asked: Line = line(
        ("requests ", "dim"), (number(traffic.get("requests", 0)), "strong"),
        ("  failed ", "dim"), (number(failed), "bad" if failed else "good"),
    )  # fmt: skip
    written = line(("writes acknowledged ", "dim"), (number(traffic.get("writes_acknowledged", 0)), "strong"))
    rows = [(*asked, *line("  "), *written)] if width >= _ONE_LINE else [asked, written]
    rows += [
        line(
            ("users could not write for ", "dim"), (duration(unavailable), "bad" if unavailable else "good")
        ),
        line(),
    ]
    series = traffic["series"]
    room = max(10, min(120, width - 34))
    for name, title, tone in _SERIES:
        values = [float(v) for v in series.get(name, [])]
        last = f"{values[-1]:,.0f}" if values else ""
        top = f"max {max(values, default=0):,.0f}"
        rows.append(
            line((f"{title:<13}", "dim"), (sparkline(values, room), tone), f"{last:>7}", (f"  {top}", "dim"))
        )
    rows.append(line((f"{'':<13}{'the last ' + duration(min(room, 120)):>{room}}", "dim")))
    rows += [line(), *folded((_side(name, traffic.get(name, {})) for name in ("old", "new")), width)]
    return [*rows, line(), *_proof(measured)] if measured else rows


_ONE_LINE = 60
_SERIES: tuple[tuple[str, str, Tone], ...] = (
    ("requests_old", "old  req/s", "busy"),
    ("requests_new", "new  req/s", "good"),
    ("failed", "failed /s", "bad"),
    ("latency_ms_p95", "slowest 5% ms", "ask"),
)


def _side(name: str, side: Mapping[str, Any]) -> Line:
    failed = int(side.get("failed") or 0)
    return line(
        (f"{name} platform  ", "head"),
        f"{number(side.get('requests', 0))} requests, ",
        (f"{number(failed)} failed", "bad" if failed else "good"),
        f", half within {float(side.get('latency_ms_p50') or 0):.0f} ms, "
        f"95 of 100 within {float(side.get('latency_ms_p95') or 0):.0f} ms",
    )


def _proof(measured: Mapping[str, Any]) -> list[Line]:
    """The rehearsal's proof at its end."""
    writes = measured.get("writes", {})
    if not isinstance(writes, Mapping) or not writes:
        return []
    lost = writes.get("lost", 0)
    count = len(lost) if isinstance(lost, list) else int(lost or 0)
    return [
        line(
            ("Proof  ", "head"),
            f"writes acknowledged {writes.get('acknowledged')}, found {writes.get('found')}",
        ),
        line((f"{'✓' if not count else '✗'} {count} lost", "good" if not count else "bad")),
    ]


_KINDS: dict[Kind, tuple[str, Tone]] = {
    Kind.INTENT: ("will do", "busy"),
    Kind.SPAWNED: ("program", "dim"),
    Kind.NOTED: ("noted", "dim"),
    Kind.OUTCOME: ("did", ""),
    Kind.PROBED: ("asked world", ""),
    Kind.VERIFIED: ("proof", ""),
    Kind.DONE: ("done", "good"),
    Kind.FAILED: ("FAILED", "bad"),
    Kind.BLOCKED: ("BLOCKED", "bad"),
    Kind.UNDO_FAILED: ("NO UNDO", "bad"),
    Kind.DECISION: ("decision", "ask"),
    Kind.GATE_OPENED: ("asks", "ask"),
    Kind.PONR_PASSED: ("NO RETURN", "bad"),
    Kind.REPROVED: ("re-proven", "good"),
}


def journal_lines(records: Sequence[Record], now: datetime) -> list[Line]:
    """The records, one line each, oldest first."""
    return [_record(record, now) for record in records]


def _record(record: Record, now: datetime) -> Line:
    word, tone = _KINDS.get(record.kind, (record.kind.value.replace("_", " "), "dim"))
    return line(
        (f"{record.seq:>5} ", "dim"),
        f"{clock_seconds(record.at, now)} ",
        (f"{word:<15}", tone),
        f"{record.step}  ",
        (_told(record), "dim"),
    )


def _told(record: Record) -> str:
    body = record.body
    error = body.get("error") or {}
    match record.kind:
        case Kind.OUTCOME:
            return "ended well" if body.get("ok") else str(error.get("what", ""))
        case Kind.FAILED | Kind.UNDO_FAILED:
            return str(error.get("what", ""))
        case Kind.BLOCKED:
            return f"{body.get('reason', '')}; {body.get('evidence', '')}"
        case Kind.PROBED | Kind.REPROVED:
            return f"{body.get('verdict', '')}: {body.get('evidence', '')}"
        case Kind.VERIFIED:
            checks = list(body.get("checks", []))
            return f"{sum(bool(c['ok']) for c in checks)} of {len(checks)} green"
        case Kind.INTENT:
            return f"attempt {body.get('attempt')}, key {body.get('key', '')}"
        case Kind.SPAWNED:
            return " ".join(str(part) for part in body.get("child", {}).get("argv", []))
        case Kind.DECISION:
            refused = f", refused: {body['refused']}" if body.get("refused") else ""
            return f"{body.get('command')} by {body.get('who') or body.get('by', '')}{refused}"
        case Kind.GATE_OPENED:
            return str(body.get("question", ""))
        case Kind.RUNNER_STARTED | Kind.RUN_CREATED:
            return f"by {body.get('who', '')} on {body.get('host', '')}"
        case _:
            return str(body.get("reason") or body.get("outcome") or body.get("name") or "")
