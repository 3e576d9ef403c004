"""The report for people, in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from migrator.sanitize import clean_line


def to_markdown(report: Mapping[str, Any]) -> str:
    """One page: the outcome first, then what proves it, then what was done and decided."""
    blocks = [
        _heading(report),
        _proof(report),
        _phases(report),
        _database(report),
        _terraform(report),
        _images_and_dns(report),
        _decisions(report),
        _limits(report),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _heading(report: Mapping[str, Any]) -> str:
    mode = "Rehearsal on a twin" if report["mode"] == "rehearse" else "Real run"
    return (
        f"# {_text(report['title'])}\n\n"
        f"**{_text(report['outcome'])}** · {mode} · account {_text(report['account']) or 'of the twin'}"
        f" · {_text(report['region'])}\n\n"
        f"Run `{report['run_id']}`, led by {_text(report['who'])}, {report['started']} to {report['ended']}"
        f" ({_seconds(report['seconds'])})."
    )


def _proof(report: Mapping[str, Any]) -> str:
    service, writes = report["service"], report["writes"]
    if not service:
        return ""
    rows = [
        ("Service unavailable", _seconds(service.get("unavailable_seconds"))),
        ("Longest interruption", _seconds(service.get("unavailable_longest_seconds"))),
        ("Requests", f"{service.get('requests', 0):,} ({service.get('failed', 0):,} failed)"),
        ("Writes acknowledged", f"{writes.get('acknowledged', 0):,}"),
        ("Found in the new database", f"{writes.get('found', 0):,}"),
        ("Lost", str(writes.get("lost", "not measured"))),
        ("Duplicated", str(writes.get("duplicated", "not measured"))),
    ]
    return "## What users would have felt\n\n" + _table(("", ""), rows)


def _phases(report: Mapping[str, Any]) -> str:
    rows = []
    for phase in report["phases"]:
        rows.append((f"**{_text(phase['title'])}**", phase["status"], "", _seconds(phase["seconds"])))
        for step in phase["steps"]:
            note = f" ({_text(step['reason'])})" if step.get("reason") else ""
            again = str(step["attempts"]) if step["attempts"] > 1 else ""
            rows.append((_text(step["title"]), f"{step['status']}{note}", again, _seconds(step["seconds"])))
    return "## Phases and steps\n\n" + _table(("Step", "Status", "Attempts", "Time"), rows)


def _database(report: Mapping[str, Any]) -> str:
    database = report["database"]
    if not database:
        return ""
    facts = (
        f"{database.get('tables', '?')} tables, {database.get('rows', 0):,} rows; writes were fenced for "
        f"{_seconds(database.get('freeze_seconds'))} until the comparison was done."
    )
    rows = [
        (_text(c["name"]), "ok" if c["ok"] else "**NOT OK**", _text(c.get("detail", "")))
        for c in database.get("checks", [])
    ]
    return "## Database\n\n" + facts + "\n\n" + _table(("Check", "", "Seen"), rows)


def _terraform(report: Mapping[str, Any]) -> str:
    rows = [
        (
            _text(s["stack"]),
            str(s["added"]),
            str(s["changed"]),
            str(s["destroyed"]),
            _seconds(s.get("seconds")),
        )
        for s in report["terraform"]
    ]
    if not rows:
        return ""
    return "## Terraform\n\n" + _table(("Stack", "Added", "Changed", "Destroyed", "Time"), rows)


def _images_and_dns(report: Mapping[str, Any]) -> str:
    images = [
        (_text(i["name"]), f"`{_text(i['digest'])}`", "proven" if i["verified"] else "**not proven**")
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
            d["at"],
            _text(d["command"]) + (" (refused)" if d.get("refused") else ""),
            _text(d.get("step", "")),
            _text(d.get("who", "")) + (", by policy" if d.get("by") == "policy" else ""),
            _text(d.get("refused") or d.get("reason", "")),
        )
        for d in report["decisions"]
    ]
    if not rows:
        return ""
    return "## Decisions\n\n" + _table(("When", "What", "Step", "Who", "Why"), rows)


def _limits(report: Mapping[str, Any]) -> str:
    if report["mode"] != "rehearse":
        return ""
    rows = [
        (_text(d["kind"]), _text(d["name"]), _text(d["real"]), _text(d["rehearsal"]))
        for d in report["differences"]
    ]
    leftovers = [f"- {_text(item)}" for item in report["leftovers"]] or ["- none"]
    contacts = [f"- {_text(item)}" for item in report["outside_contacts"]] or ["- none"]
    return "\n\n".join(
        [
            "## What this rehearsal could not prove",
            NOT_PROVEN,
            "### Values and waits that differ from the real run",
            _table(("Kind", "Name", "Real", "Rehearsal"), rows) if rows else "None.",
            "### Left behind",
            "\n".join(leftovers),
            "### Contacts with the outside",
            "\n".join(contacts),
        ]
    )


NOT_PROVEN = """\
- AWS was an emulator: quotas, permissions, capacity, and the time that services really take are not proven.
- Instances were stand-ins on this machine: the launch template's script was read, not run.
- The database servers were local: network speed between old and new, and RDS's own parameters, are not proven.
- Resolvers on the internet may hold records longer than their TTL says."""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)


def _text(value: Any) -> str:
    return clean_line(str(value if value is not None else "")).replace("|", "\\|").replace("<", "&lt;")


def _seconds(value: Any) -> str:
    if not isinstance(value, int | float):
        return "not measured"
    if value < 120:
        return f"{value:.1f} s"
    minutes, seconds = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"
