"""The report as one self-contained HTML file: no scripts, no fetches, readable on paper and on a phone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from migrator.report import sections
from migrator.report.gantt import gantt
from migrator.report.markup import Child, Markup, element
from migrator.report.traffic import traffic
from migrator.report.words import NOT_MEASURED, count, headline, length, mode_words, moment, share, trouble

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_HATCH = "M-1,1 l2,-2 M0,6 l6,-6 M5,7 l2,-2"


def to_html(report: Mapping[str, Any]) -> str:
    """The whole page. It is well-formed XML too. Text from outside is cleaned and escaped."""
    parts: list[tuple[str, str, Child]] = [
        ("trouble", "Not as it should be", _trouble(report)),
        ("traffic", "What users would have felt", traffic(report)),
        ("timeline", "Timeline", gantt(report)),
        ("times", "Where the time went", sections.times(report)),
        ("database", "Database", sections.database(report)),
        ("dns", "DNS before and after", sections.dns(report)),
        ("terraform", "Terraform", sections.terraform(report)),
        ("images", "Images", sections.images(report)),
        ("decisions", "Decisions", sections.decisions(report)),
        ("steps", "Steps and their checks", sections.all_steps(report)),
        ("limits", "What this rehearsal could not prove", sections.limits(report)),
        ("leftovers", "Left behind, and contacts with the outside", sections.remains(report)),
        ("cost", "Cost a month", sections.cost(report)),
        ("versions", "Versions", sections.versions(report)),
    ]
    shown = [(name, title, content) for name, title, content in parts if content]
    body = element(
        "body",
        _patterns(),
        _header(report),
        element("main", _tiles(report), _contents(shown), [_section(*part) for part in shown]),
        _footer(report),
    )
    return "<!DOCTYPE html>\n" + element(
        "html", _head(report), body, lang="en", xmlns="http://www.w3.org/1999/xhtml"
    )


def _head(report: Mapping[str, Any]) -> Markup:
    style = files("migrator.report").joinpath("page.css").read_text(encoding="utf-8")
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", f"{headline(report)[1]}: {report['title']} ({report['run_id']})"),
        element("style", Markup(style)),
    )


def _header(report: Mapping[str, Any]) -> Markup:
    mark, word = headline(report)
    rehearsal = report["mode"] == "rehearse"
    until = (
        f"to {moment(report['ended'])}" if report["ended"] else f"as of {moment(report['as_of'])}, not ended"
    )
    return element(
        "header",
        element(
            "p",
            element("strong", "◇ REHEARSAL" if rehearsal else "◆ LIVE", class_="mode"),
            f" {mode_words(report)} · account {report['account'] or 'of the twin'} · {report['region']}",
        ),
        element("h1", report["title"]),
        element("p", element("span", f"{mark} {word}", class_=f"outcome {_tone(report)}")),
        element(
            "p",
            "Run ",
            element("code", report["run_id"]),
            f", led by {report['who'] or 'nobody known'}, {moment(report['started'])} {until} UTC"
            f" ({length(report['seconds'])})",
        ),
        class_="rehearsal" if rehearsal else "live",
    )


def _tone(report: Mapping[str, Any]) -> str:
    if report["outcome"] in ("failed", "aborted"):
        return "bad"
    return "good" if report["outcome"] == "done" and not trouble(report) else "care"


def _tiles(report: Mapping[str, Any]) -> Markup:
    service, writes = report["service"], report["writes"]
    found = report["shares"]
    checks = [check for phase in report["phases"] for step in phase["steps"] for check in step["checks"]]
    green = sum(1 for check in checks if check["ok"])
    tiles = [
        _tile("Service unavailable", length(service["unavailable_seconds"]), ""),
        _tile("Longest interruption", length(service["unavailable_longest_seconds"]), ""),
        _tile(
            "Failed requests",
            count(service["failed"]),
            f"of {count(service['requests'])}" if service["requests"] is not None else "",
        ),
        _tile("Writes acknowledged", count(writes["acknowledged"]), _found(writes)),
        _tile("Writes lost", count(writes["lost"]), "", _zero(writes["lost"])),
        _tile("Writes duplicated", count(writes["duplicated"]), "", _zero(writes["duplicated"])),
        _tile("Writes fenced", length(report["database"]["freeze_seconds"]), "until the comparison was done"),
        _tile("Checks", f"{green:,} of {len(checks):,} ok", "", _zero(len(checks) - green) if checks else ""),
        _tile("Left behind", _left(report), "", _zero(_left_count(report))),
        _tile("Whole run", length(report["seconds"]), ""),
        _tile(
            "Terraform and PostgreSQL",
            length(found["terraform_and_database_seconds"]),
            "at least one of them at work",
        ),
        _tile(
            "No step at work" if found["engine_includes_lab"] else "The engine's own share",
            share(found["engine_share"]),
            "start and end of the twin included" if found["engine_includes_lab"] else "",
        ),
    ]
    return element("div", tiles, class_="tiles")


def _left_count(report: Mapping[str, Any]) -> int | None:
    return len(report["leftovers"]) if "leftovers" in report["measured"] else None


def _left(report: Mapping[str, Any]) -> str:
    return count(_left_count(report))


def _found(writes: Mapping[str, Any]) -> str:
    return "" if writes["found"] is None else f"{count(writes['found'])} found in the new database"


def _zero(value: Any) -> str:
    """Nothing is good, something is bad, not measured is neither."""
    return "" if value is None else "bad" if value else "good"


def _tile(name: str, value: str, more: str, tone: str = "") -> Markup:
    if value == NOT_MEASURED:
        tone = "unknown"
    mark = {"good": "✓ ", "bad": "✗ "}.get(tone, "")
    return element(
        "div",
        element("span", name, class_="name"),
        element("b", mark + value),
        element("span", more, class_="more") if more else None,
        class_=f"tile {tone}".strip(),
    )


def _trouble(report: Mapping[str, Any]) -> Markup | None:
    found = trouble(report)
    return element("ul", [element("li", "✗ ", line) for line in found], class_="trouble") if found else None


def _contents(shown: Sequence[tuple[str, str, Child]]) -> Markup:
    return element(
        "nav", [element("a", title, href=f"#{name}") for name, title, _ in shown], aria_label="Contents"
    )


def _section(name: str, title: str, content: Child) -> Markup:
    return element("section", element("h2", title), content, id=name)


def _patterns() -> Markup:
    hatch = element(
        "pattern",
        element("path", d=_HATCH, class_="hatch-line"),
        id="hatch",
        width=6,
        height=6,
        patternUnits="userSpaceOnUse",
    )
    return element("svg", element("defs", hatch), width=0, height=0, class_="patterns", aria_hidden="true")


def _footer(report: Mapping[str, Any]) -> Markup:
    return element(
        "footer",
        element("p", "All times are UTC. What was not measured is called so, and is never a zero."),
        element("p", f"migrator report {report['run_id']} --format json gives the same as data."),
    )
