"""The report for people, in Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from migrator.report.words import (
    KIND_WORDS,
    PONR_WORDS,
    count,
    difference,
    headline,
    length,
    mode_words,
    moment,
    one_line,
    share,
    status_word,
    trouble,
    unproven,
)
from migrator.sanitize import clean_line

# What Markdown would read as its own, wherever it stands; an underscore only beside a word's edge.
_SPECIAL = re.compile(r"[\\`*\[\]|~]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_AT_START = re.compile(r"^(?:[#+=:-]|\d+(?=[.)](?:\s|$)))")


def to_markdown(report: Mapping[str, Any]) -> str:
    """One page: the outcome first, then what proves it, then what was done and decided."""
    blocks = [
        _heading(report),
        _trouble(report),
        _proof(report),
        _times(report),
        _phases(report),
        _database(report),
        _terraform(report),
        _images_and_dns(report),
        _decisions(report),
        _limits(report),
        _cost_and_versions(report),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _heading(report: Mapping[str, Any]) -> str:
    until = (
        f"to {moment(report['ended'])}" if report["ended"] else f"as of {moment(report['as_of'])}, not ended"
    )
    mark, word = headline(report)
    return (
        f"# {_text(report['title'])}\n\n"
        f"{mark} **{_text(word)}** · {mode_words(report)} · account {_text(report['account']) or 'of the twin'}"
        f" · {_text(report['region'])}\n\n"
        f"Run {_code(report['run_id'])}, led by {_text(report['who'])}, {moment(report['started'])} {until} UTC"
        f" ({length(report['seconds'])})."
    )


def _trouble(report: Mapping[str, Any]) -> str:
    found = trouble(report)
    return "## Not as it should be\n\n" + "\n".join(f"- {_text(line)}" for line in found) if found else ""


def _proof(report: Mapping[str, Any]) -> str:
    service, writes = report["service"], report["writes"]
    rows = [
        ("Service unavailable", length(service["unavailable_seconds"])),
        ("Longest interruption", length(service["unavailable_longest_seconds"])),
        ("Requests", count(service["requests"])),
        ("Failed requests", count(service["failed"])),
        ("Writes acknowledged", count(writes["acknowledged"])),
        ("Found in the new database", count(writes["found"])),
        ("Lost", count(writes["lost"])),
        ("Duplicated", count(writes["duplicated"])),
        (
            "Window, from the first step of the downtime to the end of its last",
            length(report["window"]["seconds"]),
        ),
    ]
    return "## What users would have felt\n\n" + _table(("", ""), rows)


def _times(report: Mapping[str, Any]) -> str:
    found = report["shares"]
    rows = [("Whole run", length(found["total_seconds"]), share(1.0))]
    rows += [
        (KIND_WORDS.get(kind, kind), length(seconds), _of(seconds, found["total_seconds"]))
        for kind, seconds in found["work_seconds"].items()
    ]
    both = found["terraform_and_database_seconds"]
    rows.append(("Terraform and PostgreSQL together", length(both), _of(both, found["total_seconds"])))
    if found["lab_seconds"] is not None:
        twin = found["lab_seconds"]
        rows.append(("Start and end of the twin", length(twin), _of(twin, found["total_seconds"])))
    own = "No step at work" if found["engine_includes_lab"] else "The engine's own"
    rows.append((own, length(found["engine_seconds"]), share(found["engine_share"])))
    note = "Kinds of work overlap where steps ran side by side."
    if found["engine_includes_lab"]:
        note += " The time without a step includes the start and end of the twin."
    return "## Where the time went\n\n" + _table(("", "Time", "Share"), rows) + "\n\n" + note


def _of(seconds: float, total: float) -> str:
    return share(seconds / total) if total else ""


def _phases(report: Mapping[str, Any]) -> str:
    rows = []
    for phase in report["phases"]:
        rows.append((f"**{_text(phase['title'])}**", status_word(phase), "", _took(phase)))
        for step in phase["steps"]:
            note = f" ({_text(step['reason'])})" if step.get("reason") else ""
            again = str(step["attempts"]) if step["attempts"] > 1 else ""
            rows.append((_text(step["title"]), f"{status_word(step)}{note}", again, _took(step)))
    return "## Phases and steps\n\n" + _table(("Step", "Status", "Attempts", "Time"), rows)


def _took(row: Mapping[str, Any]) -> str:
    return "" if row["seconds"] is None else length(row["seconds"])


def _database(report: Mapping[str, Any]) -> str:
    database = report["database"]
    if database["tables"] is None and not database["checks"]:
        return ""
    facts = (
        f"Tables: {count(database['tables'])}. Rows: {count(database['rows'])}. "
        f"Writes fenced until the comparison was done: {length(database['freeze_seconds'])}."
    )
    rows = [
        (_text(c["name"]), "ok" if c["ok"] else "**NOT OK**", _text(c.get("detail", "")))
        for c in database["checks"]
    ]
    return "## Database\n\n" + facts + ("\n\n" + _table(("Check", "", "Seen"), rows) if rows else "")


def _terraform(report: Mapping[str, Any]) -> str:
    rows = [
        (
            _text(s["stack"]),
            count(s["added"]),
            count(s["changed"]),
            count(s["destroyed"]),
            length(s.get("seconds")),
        )
        for s in report["terraform"]
    ]
    if not rows:
        return ""
    return "## Terraform\n\n" + _table(("Stack", "Added", "Changed", "Destroyed", "Apply took"), rows)


def _images_and_dns(report: Mapping[str, Any]) -> str:
    images = [
        (_text(i["name"]), _code(i["digest"]), "proven" if i["verified"] else "**not proven**")
        for i in report["images"]
    ]
    records = [(_text(d["name"]), _text(d["before"]), _text(d["after"])) for d in report["dns"]]
    blocks = []
    if images:
        blocks.append("## Images\n\n" + _table(("Image", "Digest", ""), images))
    if records:
        blocks.append("## DNS\n\n" + _table(("Name", "Before", "After"), records))
    return "\n\n".join(blocks)


def _decisions(report: Mapping[str, Any]) -> str:
    rows = [
        (
            moment(d["at"]),
            _text(d["command"]) + (" (refused)" if d.get("refused") else ""),
            _text(d.get("step", "")),
            _text(d.get("who", "")) + (", by policy" if d.get("by") == "policy" else ""),
            _text(d.get("refused") or d.get("reason", "")),
        )
        for d in report["decisions"]
    ]
    passed = [
        f"- {moment(at)}: {_text(PONR_WORDS.get(which, which))}"
        for which, at in report["point_of_no_return"].items()
    ]
    blocks = []
    if rows:
        blocks.append("## Decisions\n\n" + _table(("When", "What", "Step", "Who", "Why"), rows))
    if passed:
        blocks.append("## Points of no return\n\n" + "\n".join(passed))
    return "\n\n".join(blocks)


def _limits(report: Mapping[str, Any]) -> str:
    if report["mode"] != "rehearse":
        return ""
    rows = [
        (_text(d["kind"]), _text(d["name"]), *(_text(text) for text in difference(d)))
        for d in report["differences"]
    ]
    return "\n\n".join(
        [
            "## What this rehearsal could not prove",
            "\n".join(f"- {_text(line)}" for line in unproven(report)),
            "### Values and waits that differ from the real run",
            _table(("Kind", "Name", "Real", "Rehearsal"), rows) if rows else _none(report, "differences"),
            "### Left behind",
            _list(report, "leftovers"),
            "### Contacts with the outside",
            _list(report, "outside_contacts"),
        ]
    )


def _list(report: Mapping[str, Any], name: str) -> str:
    lines = [f"- {_text(one_line(item))}" for item in report[name]]
    return "\n".join(lines) or _none(report, name)


def _none(report: Mapping[str, Any], name: str) -> str:
    return "None." if name in report["measured"] else "Not measured."


def _cost_and_versions(report: Mapping[str, Any]) -> str:
    rows = [(_text(c["component"]), f"{c['old_usd']:.2f}", f"{c['new_usd']:.2f}") for c in report["cost"]]
    blocks = []
    if rows:
        old, new = (sum(c[side] for c in report["cost"]) for side in ("old_usd", "new_usd"))
        rows.append(("**Together**", f"{old:.2f}", f"{new:.2f}"))
        blocks.append(
            "## Cost a month, in US dollars\n\n"
            + _table(("Component", "Before", "After"), rows)
            + "\n\nThe runbook's own estimate."
        )
    versions = [(_text(name), _text(one_line(value))) for name, value in report["versions"].items()]
    if versions:
        blocks.append("## Versions\n\n" + _table(("", ""), versions))
    return "\n\n".join(blocks)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)


def _text(value: Any) -> str:
    """Text from outside as plain text: no markup, no table cell, no HTML of its own."""
    line = clean_line(str(value if value is not None else "")).strip()
    line = _SPECIAL.sub(lambda found: "\\" + found.group(), line)
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _AT_START.sub(lambda found: _escaped_start(found.group()), line)


def _escaped_start(found: str) -> str:
    return f"{found}\\" if found.isdigit() else f"\\{found}"


def _code(value: Any) -> str:
    """Text from outside in a code span: it cannot end the span or the table's cell."""
    return f"`{clean_line(str(value)).replace('`', '').replace('|', '¦').strip() or ' '}`"
