"""The parts of the page that are tables and lists. Each gives None when there is nothing to say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from migrator.report.markup import Child, Markup, breakable, element, join, table
from migrator.report.words import (
    KIND_WORDS,
    PONR_WORDS,
    STATUSES,
    count,
    difference,
    length,
    moment,
    one_line,
    plural,
    share,
    status_word,
    unproven,
)

_CALM = ("done", "pending")


def times(report: Mapping[str, Any]) -> Markup:
    """The whole beside Terraform, PostgreSQL and the rest, and what the engine itself took."""
    found = report["shares"]
    total = found["total_seconds"]
    rows: list[tuple[Child, Child, Child]] = [("Whole run", length(total), _bar(total, total, "whole"))]
    both = found["terraform_and_database_seconds"]
    rows.append(
        (element("b", "Terraform and PostgreSQL together"), length(both), _bar(both, total, "terraform"))
    )
    rows += [
        (KIND_WORDS[kind], length(seconds), _bar(seconds, total, kind))
        for kind, seconds in found["work_seconds"].items()
        if seconds
    ]
    if found["lab_seconds"] is not None:
        rows.append(
            (
                "Start and end of the twin",
                length(found["lab_seconds"]),
                _bar(found["lab_seconds"], total, "other"),
            )
        )
    own = "No step at work" if found["engine_includes_lab"] else "The engine's own"
    rows.append(
        (element("b", own), length(found["engine_seconds"]), _bar(found["engine_seconds"], total, "waits"))
    )
    notes = [
        "Kinds of work overlap where steps ran side by side, so the lines add up to more than the whole."
    ]
    if found["engine_seconds"] is None:
        notes.append(
            "The run was continued, or stood still until a person acted: that time cannot be told from the engine's."
        )
    elif found["engine_includes_lab"]:
        notes.append(
            "The time without a step includes the start and end of the twin: "
            f"{length(found['before_first_step_seconds'])} lay before the first step and "
            f"{length(found['after_last_step_seconds'])} after the last. The reading of a gate's evidence is in it too."
        )
    return join([table(("", "Time", "Share of the whole"), rows, "shares"), element("p", " ".join(notes))])


def _bar(seconds: float | None, total: float, shape: str) -> Markup:
    if seconds is None or not total:
        return element("span", "not measured")
    part = seconds / total
    rect = element("rect", x=0, y=1, width=f"{100 * part:.2f}%", height=10, class_=f"bar {shape}")
    return element(
        "span", element("svg", rect, width="100%", height=12, aria_hidden="true"), share(part), class_="part"
    )


def database(report: Mapping[str, Any]) -> Markup | None:
    """Tables, rows, the freeze, and every check of the comparison."""
    found = report["database"]
    if found["tables"] is None and not found["checks"]:
        return None
    facts = (
        f"Tables: {count(found['tables'])}. Rows: {count(found['rows'])}. "
        f"Writes fenced until the comparison was done: {length(found['freeze_seconds'])}."
    )
    red = [check for check in found["checks"] if not check["ok"]]
    said = f"{plural(len(red), 'check')} not ok." if red else "Every check is ok."
    return join([element("p", facts, " ", element("b", said)), checks(found["checks"])])


def checks(found: list[Mapping[str, Any]]) -> Markup:
    """Checks with mark and word, the red ones first."""
    items = []
    for check in sorted(found, key=lambda c: bool(c["ok"])):
        detail = one_line(check.get("detail"))
        mark = element("b", "✓ ok" if check["ok"] else "✗ NOT OK")
        items.append(
            element(
                "li",
                mark,
                " ",
                one_line(check["name"]),
                element("span", f": {detail}", class_="quiet") if detail else None,
                class_="good" if check["ok"] else "bad",
            )
        )
    return element("ul", items, class_="checks")


def dns(report: Mapping[str, Any]) -> Markup | None:
    """Records before and after."""
    rows = [(element("b", d["name"]), d["before"], d["after"]) for d in report["dns"]]
    return table(("Name", "Before", "After"), rows, "cards dns") if rows else None


def terraform(report: Mapping[str, Any]) -> Markup | None:
    """What each stack's apply changed."""
    rows: list[tuple[Child, ...]] = [
        (
            element("b", breakable(str(s["stack"]))),
            f"+ {count(s['added'])}",
            f"~ {count(s['changed'])}",
            f"− {count(s['destroyed'])}",
            length(s.get("seconds")),
        )
        for s in report["terraform"]
    ]
    if not rows:
        return None
    sums = [sum(int(s[name] or 0) for s in report["terraform"]) for name in ("added", "changed", "destroyed")]
    rows.append(
        (element("b", "Together"), *(f"{m} {count(n)}" for m, n in zip("+~−", sums, strict=True)), "")
    )
    return table(("Stack", "Added", "Changed", "Destroyed", "Apply took"), rows)


def images(report: Mapping[str, Any]) -> Markup | None:
    """Digests, and whether what lies in the registry is proven to be what was pushed."""
    rows = [
        (
            element("b", i["name"]),
            element("code", i["digest"]),
            "✓ proven" if i["verified"] else "✗ NOT PROVEN",
        )
        for i in report["images"]
    ]
    return table(("Image", "Digest", "Equal"), rows, "cards images") if rows else None


def decisions(report: Mapping[str, Any]) -> Markup | None:
    """Who decided what and why, and when each point of no return was passed."""
    titles = {step["id"]: step for phase in report["phases"] for step in phase["steps"]}
    rows = []
    for d in report["decisions"]:
        asked = titles.get(str(d.get("step", "")), {})
        what = f"{d['command']}{' (REFUSED)' if d.get('refused') else ''}"
        who = f"{d.get('who') or 'nobody known'}{' at ' + str(d['host']) if d.get('host') else ''}"
        why = (
            d.get("refused") or d.get("reason") or ("the policy allows it" if d.get("by") == "policy" else "")
        )
        green = [c for c in asked.get("checks", []) if c["ok"]] if asked.get("question") else []
        seen = f"{len(green)} of {plural(len(asked['checks']), 'check')} ok" if green else ""
        rows.append(
            (
                moment(d["at"]),
                element("b", what),
                join(
                    [
                        asked.get("title", d.get("step", "")),
                        element("span", f" {asked.get('question', '')}", class_="quiet"),
                    ]
                ),
                f"{who}{', by policy' if d.get('by') == 'policy' else ''}",
                "; ".join(part for part in (str(why), seen) if part),
            )
        )
    passed = [
        element("li", f"{moment(at)}: {PONR_WORDS.get(which, which)}")
        for which, at in report["point_of_no_return"].items()
    ]
    if not rows and not passed:
        return None
    return join(
        [
            table(("When", "What", "About", "Who", "Why"), rows, "cards decisions") if rows else None,
            element("h3", "Points of no return"),
            element("ul", passed) if passed else element("p", "None was passed."),
        ]
    )


def all_steps(report: Mapping[str, Any]) -> Markup:
    """Every step with its status, tries, time and checks; phases that are not calm lie open."""
    found = []
    for phase in report["phases"]:
        mark, _ = STATUSES.get(str(phase["status"]), ("?", ""))
        took = "" if phase["seconds"] is None else f", {length(phase['seconds'])}"
        summary = element("summary", mark, " ", element("b", phase["title"]), f" {status_word(phase)}{took}")
        found.append(
            element(
                "details",
                summary,
                [_step(step) for step in phase["steps"]],
                open=phase["status"] not in _CALM,
            )
        )
    return join(found)


def _step(step: Mapping[str, Any]) -> Markup:
    mark, _ = STATUSES.get(str(step["status"]), ("?", ""))
    facts = [status_word(step)]
    if step["seconds"] is not None:
        facts.append(length(step["seconds"]))
    if step["attempts"] > 1:
        facts.append(f"{step['attempts']} attempts")
    error = step.get("error") or {}
    said = [
        ("Why", step.get("reason")),
        ("Seen", step.get("evidence") if step["status"] not in _CALM else None),
        ("Error", error.get("what")),
        ("Where", error.get("where")),
        ("In the tool's words", error.get("detail")),
        ("Next", error.get("next")),
    ]
    return element(
        "article",
        element("h4", mark, " ", step["title"]),
        element(
            "p", ", ".join(facts), " · ", element("code", step["id"]), " ", element("code", step["action"])
        ),
        [element("p", element("b", f"{name}: "), one_line(text)) for name, text in said if text],
        checks(step["checks"]) if step["checks"] else None,
        class_=None if step["status"] in _CALM else "loud",
    )


def limits(report: Mapping[str, Any]) -> Markup | None:
    """What a rehearsal cannot know, and every value that was otherwise than it will be."""
    if report["mode"] != "rehearse":
        return None
    rows = [(d["kind"], element("b", d["name"]), *difference(d)) for d in report["differences"]]
    return join(
        [
            element("ul", [element("li", line) for line in unproven(report)]),
            element("h3", "Values and waits that differ from the real run"),
            table(("Kind", "Name", "Real", "Rehearsal"), rows, "cards differences")
            if rows
            else _none(report, "differences"),
        ]
    )


def remains(report: Mapping[str, Any]) -> Markup | None:
    """What the twin left behind and what it tried to reach."""
    if report["mode"] != "rehearse":
        return None
    parts = []
    for name, title in (("leftovers", "Left behind"), ("outside_contacts", "Contacts with the outside")):
        items = [element("li", "✗ ", one_line(item)) for item in report[name]]
        parts.append(element("h3", title))
        parts.append(element("ul", items) if items else _none(report, name))
    return join(parts)


def _none(report: Mapping[str, Any], name: str) -> Markup:
    return element("p", "✓ None." if name in report["measured"] else "Not measured.")


def cost(report: Mapping[str, Any]) -> Markup | None:
    """The runbook's cost table with its sums."""
    if not report["cost"]:
        return None
    rows: list[tuple[Child, Child, Child]] = [
        (c["component"], f"{c['old_usd']:.2f}", f"{c['new_usd']:.2f}") for c in report["cost"]
    ]
    old, new = (sum(float(c[side]) for c in report["cost"]) for side in ("old_usd", "new_usd"))
    rows.append((element("b", "Together"), element("b", f"{old:.2f}"), element("b", f"{new:.2f}")))
    note = "US dollars, as the runbook estimates them. While both platforms stand, both are paid."
    return join([table(("Component", "Before", "After"), rows, "numbers"), element("p", note)])


def versions(report: Mapping[str, Any]) -> Markup | None:
    """Programs and libraries that did the work."""
    rows = [(name, one_line(value)) for name, value in report["versions"].items()]
    return table(("Program", "Version"), rows) if rows else None
