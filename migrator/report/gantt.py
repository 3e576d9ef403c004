"""The timeline of phases and steps: one row each, a bar from start to end, side by side where they overlapped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from migrator.report.markup import Markup, element, join
from migrator.report.scale import TimeScale
from migrator.report.shares import KINDS, Interval
from migrator.report.words import KIND_WORDS, PONR_WORDS, STATUSES, length, status_word, steps

_HEIGHT = 18
_STILL = ("waits", "decisions")
_RED = ("failed", "blocked", "in_doubt", "undo_failed")


def gantt(report: Mapping[str, Any]) -> Markup | None:
    """The timeline, and the downtime window once more and closer; None when no step has begun."""
    scale = _scale(report)
    if scale is None:
        return None
    rows = []
    for phase in report["phases"]:
        rows.append(_row("phase", phase, _phase_bar(phase, scale), scale, report))
        rows += [_row("step", step, _step_bar(step, scale), scale, report) for step in phase["steps"]]
    whole = element("div", _legend(report), _axis(scale), rows, _axis(scale), class_="gantt")
    return join([whole, _closer(report)])


def _closer(report: Mapping[str, Any]) -> Markup | None:
    """The steps of the downtime window on a scale of its own."""
    if not report["window"]["seconds"]:
        return None
    begun, ended = (datetime.fromisoformat(report["window"][edge]) for edge in ("started", "ended"))
    margin = (ended - begun) / 20
    within = [
        step for step in steps(report) if (s := span(step, report["as_of"])) and s[0] < ended and s[1] > begun
    ]
    found = [s for step in within if step["kind"] not in _STILL and (s := span(step, report["as_of"]))]
    scale = TimeScale(begun - margin, ended + margin, found)
    rows = [_row("step", step, _step_bar(step, scale), scale, report) for step in within]
    title = element("h3", f"The downtime window, closer: {length(report['window']['seconds'])}")
    return element("div", title, _axis(scale), rows, class_="gantt")


def span(row: Mapping[str, Any], until: str) -> Interval | None:
    """When a step or phase was at work; an open end is `until`. None when it was not."""
    end = row["ended"] or until
    if not row["started"] or not end or row["status"] in ("skipped", "pending"):
        return None
    begun = datetime.fromisoformat(row["started"])
    return begun, max(begun, datetime.fromisoformat(end))


def _scale(report: Mapping[str, Any]) -> TimeScale | None:
    until = report["as_of"]
    busy = [s for step in steps(report) if step["kind"] not in _STILL and (s := span(step, until))]
    every = [s for step in steps(report) if (s := span(step, until))]
    if not every or not report["started"]:
        return None
    begun = min(datetime.fromisoformat(report["started"]), *(start for start, _ in every))
    ended = max(datetime.fromisoformat(until), *(end for _, end in every))
    return TimeScale(begun, ended, busy)


def _row(
    name: str,
    row: Mapping[str, Any],
    bar: list[Markup],
    scale: TimeScale,
    report: Mapping[str, Any],
) -> Markup:
    mark, _ = STATUSES.get(str(row["status"]), ("?", ""))
    took = "" if row["seconds"] is None else length(row["seconds"])
    word = status_word(row)
    red = " red" if row["status"] in _RED else ""
    return element(
        "div",
        element(
            "span",
            element("span", mark, class_="mark", title=word),
            " ",
            row["title"],
            element("em", f" {word}") if word != "done" and name == "step" else None,
            class_="label",
        ),
        element(
            "svg",
            list(_background(scale, report)),
            bar,
            class_="track",
            width="100%",
            height=_HEIGHT,
            role="img",
            aria_label=f"{word}, {took}",
        ),
        element("span", took, class_="took"),
        class_=f"row {name}{red}",
    )


def _background(scale: TimeScale, report: Mapping[str, Any]) -> Iterator[Markup]:
    for stretch in scale.stretches:
        if stretch.squeezed:
            yield _rect(stretch.left, stretch.right, 0, _HEIGHT, "squeezed")
    window = report["window"]
    if window["started"] and window["ended"]:
        left, right = (scale.place(datetime.fromisoformat(window[edge])) for edge in ("started", "ended"))
        yield _rect(left, right, 0, _HEIGHT, "window")
    for place, _ in scale.ticks():
        yield _upright(place, 0, _HEIGHT, "tick")
    for at in map(datetime.fromisoformat, report["point_of_no_return"].values()):
        if scale.begun <= at <= scale.ended:
            yield _upright(scale.place(at), 0, _HEIGHT, "ponr")


def _phase_bar(phase: Mapping[str, Any], scale: TimeScale) -> list[Markup]:
    found = [
        s
        for step in phase["steps"]
        if (s := span(step, scale.ended.isoformat())) and step["status"] != "waiting"
    ]
    if not found:
        return []
    left, right = scale.place(min(s for s, _ in found)), scale.place(max(e for _, e in found))
    return [_rect(left, right, 7, 4, "whole"), _upright(left, 5, 8, "end"), _upright(right, 5, 8, "end")]


def _step_bar(step: Mapping[str, Any], scale: TimeScale) -> list[Markup]:
    found = span(step, scale.ended.isoformat())
    if not found:
        return []
    left, right = scale.place(found[0]), scale.place(found[1])
    red = " red" if step["status"] in _RED else ""
    title = element("title", f"{step['title']}: {status_word(step)}, {KIND_WORDS[step['kind']]}")
    shape = f"bar {step['kind']}{red}"
    # A line of fixed width keeps the shortest step visible.
    return [_upright(left, 3, 12, f"{shape} least"), _rect(left, right, 3, 12, shape, title)]


def _axis(scale: TimeScale) -> Markup:
    texts = [
        element("text", text, x=f"{place:.2f}%", y=12, text_anchor=_anchor(place))
        for place, text in scale.ticks()
    ]
    for stretch in scale.stretches:
        if stretch.squeezed:
            middle = (stretch.left + stretch.right) / 2
            label = f"⋯ {length(stretch.seconds)} ⋯"
            texts.append(element("text", label, x=f"{middle:.2f}%", y=26, text_anchor="middle", class_="gap"))
    height = 30 if any(stretch.squeezed for stretch in scale.stretches) else 16
    picture = element("svg", texts, class_="track", width="100%", height=height, aria_hidden="true")
    return element(
        "div", element("span", class_="label"), picture, element("span", class_="took"), class_="row axis"
    )


def _anchor(place: float) -> str:
    return "start" if place < 3 else "end" if place > 97 else "middle"


def _legend(report: Mapping[str, Any]) -> Markup:
    used = {step["kind"] for step in steps(report)}
    items = [_key(f"bar {kind}", KIND_WORDS[kind]) for kind in KINDS if kind in used]
    if report["window"]["seconds"] is not None:
        items.append(_key("window", f"downtime window by the steps, {length(report['window']['seconds'])}"))
    for which in report["point_of_no_return"]:
        items.append(_key("ponr-key", f"point of no return: {PONR_WORDS.get(which, which)}"))
    return element("p", items, class_="legend")


def _key(shape: str, word: str) -> Markup:
    box = element("rect", x="1", y="1", width="16", height="10", class_=shape)
    return element(
        "span", element("svg", box, width=18, height=12, aria_hidden="true"), " ", word, class_="key"
    )


def _rect(
    left: float, right: float, top: float, height: float, shape: str, inside: Markup | None = None
) -> Markup:
    place = {"x": f"{left:.3f}%", "width": f"{max(0.0, right - left):.3f}%"}
    return element("rect", inside, **place, y=top, height=height, class_=shape)


def _upright(place: float, top: float, height: float, shape: str) -> Markup:
    x = f"{place:.3f}%"
    return element("line", x1=x, x2=x, y1=top, y2=top + height, class_=shape)
