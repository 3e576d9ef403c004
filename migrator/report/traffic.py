"""The traffic picture: what clients sent and lived through, second by second."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from migrator.report.markup import Markup, element, table
from migrator.report.scale import clock, nice_step
from migrator.report.words import count, length

_BUCKETS = 240


@dataclass(frozen=True)
class Bucket:
    """Some seconds together: means a second, but `failed` is the worst second of them.

    `shut`: in one of the seconds writes were tried and none succeeded.
    """

    old: float
    new: float
    failed: float
    milliseconds: float
    shut: bool


def traffic(report: Mapping[str, Any]) -> Markup:
    """Pictures and figures of the traffic; a sentence when none was measured."""
    if not report["timeline"]:
        why = "A real run sends no traffic of its own: see your own monitoring for what users felt."
        return element("p", "Traffic was not measured. ", why if report["mode"] != "rehearse" else None)
    buckets, width, first = in_buckets(report["timeline"])
    failed = [(b.failed, "failed") for b in buckets]
    note = f" Each step of the picture is {width} seconds; failures are those of its worst second." * (
        width > 1
    )
    return element(
        "div",
        _chart(
            "Requests a second",
            [("area old", "old platform"), ("area new", "new platform")],
            buckets,
            max(b.old + b.new for b in buckets),
            lambda top: [
                _area([b.old for b in buckets], [0.0] * len(buckets), top, "area old"),
                _area([b.new for b in buckets], [b.old for b in buckets], top, "area new"),
            ],
        ),
        _chart(
            "Failed requests a second",
            [("area failed", "failed")],
            buckets,
            max(value for value, _ in failed),
            lambda top: [_area([b.failed for b in buckets], [0.0] * len(buckets), top, "area failed")],
        ),
        _chart(
            "Answer time, mean of each second, in milliseconds",
            [("latency", "milliseconds")],
            buckets,
            max(b.milliseconds for b in buckets),
            lambda top: [_line([b.milliseconds for b in buckets], top)],
        ),
        _axis(first, len(buckets) * width),
        element("p", "Time since the clients began. Shaded: writes were tried and none succeeded.", note),
        _figures(report),
        class_="traffic",
    )


def in_buckets(timeline: Sequence[Mapping[str, Any]]) -> tuple[list[Bucket], int, int]:
    """At most 240 buckets, the seconds in each, and the first second. Seconds without a request count as zero."""
    seconds = {int(row["second"]): row for row in timeline}
    first, last = min(seconds), max(seconds)
    width = max(1, math.ceil((last - first + 1) / _BUCKETS))
    found = [
        _bucket(
            [seconds[s] for s in range(start, start + width) if s in seconds], min(width, last + 1 - start)
        )
        for start in range(first, last + 1, width)
    ]
    return found, width, first


def _bucket(rows: Sequence[Mapping[str, Any]], width: int) -> Bucket:
    def mean(name: str) -> float:
        return sum(float(row.get(name) or 0) for row in rows) / width

    busy = [row for row in rows if row.get("ok") or row.get("failed")]
    return Bucket(
        old=mean("old"),
        new=mean("new"),
        failed=max((float(row.get("failed") or 0) for row in rows), default=0.0),
        milliseconds=sum(float(row.get("milliseconds") or 0) for row in busy) / max(1, len(busy)),
        shut=any(row.get("writes_failed") and not row.get("writes") for row in rows),
    )


def _chart(
    title: str,
    keys: Sequence[tuple[str, str]],
    buckets: Sequence[Bucket],
    highest: float,
    shapes: Callable[[float], list[Markup]],
) -> Markup:
    top = _round_up(highest)
    shut = [
        element("rect", x=at, y=0, width=1, height=100, class_="shut")
        for at, b in enumerate(buckets)
        if b.shut
    ]
    picture = element(
        "svg",
        shapes(top),
        shut,
        viewbox=f"0 0 {len(buckets)} 100",
        preserveaspectratio="none",
        width="100%",
        height=90,
        role="img",
        aria_label=f"{title}: at most {highest:.0f}",
    )
    legend = [
        element(
            "span",
            element("svg", element("rect", x=1, y=1, width=16, height=10, class_=shape), width=18, height=12),
            " ",
            word,
            class_="key",
        )
        for shape, word in keys
    ]
    scale = element("span", f"0 to {top:g}", class_="range")
    return element("figure", element("figcaption", element("b", title), " ", scale, " ", legend), picture)


def _round_up(value: float) -> float:
    if value <= 1:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if value <= step * power)


def _area(values: Sequence[float], below: Sequence[float], top: float, shape: str) -> Markup:
    if not any(values):
        return Markup("")
    upper = _steps([low + value for low, value in zip(below, values, strict=True)], top)
    lower = [f"{x:g},{y:.2f}" for x, y in reversed(_points(below, top))]
    return element("path", d=Markup(f"M{upper} L{' L'.join(lower)}Z"), class_=shape)


def _points(values: Sequence[float], top: float) -> list[tuple[int, float]]:
    return [(at + side, 100 - 100 * value / top) for at, value in enumerate(values) for side in (0, 1)]


def _steps(values: Sequence[float], top: float) -> str:
    return " L".join(f"{x:g},{y:.2f}" for x, y in _points(values, top))


def _line(values: Sequence[float], top: float) -> Markup:
    return element(
        "path", d=Markup(f"M{_steps(values, top)}"), class_="latency", vector_effect="non-scaling-stroke"
    )


def _axis(first: int, seconds: int) -> Markup:
    step = nice_step(seconds)
    texts = []
    for second in range(0, seconds + 1, step):
        place = 100 * second / seconds
        anchor = "start" if place < 3 else "end" if place > 95 else "middle"
        texts.append(element("text", clock(first + second), x=f"{place:.2f}%", y=12, text_anchor=anchor))
    return element("svg", texts, width="100%", height=16, class_="axis", aria_hidden="true")


def _figures(report: Mapping[str, Any]) -> Markup:
    service = report["service"]
    served, latency = service.get("served_by", {}), service.get("latency_milliseconds", {})
    rows = []
    for side in ("old", "new"):
        took = latency.get(side, {})
        rows.append(
            (f"{side} platform", count(served.get(side)), *(_ms(took.get(p)) for p in ("p50", "p95", "max")))
        )
    failures = service.get("failures") or {}
    said = ", ".join(f"{count(number)} × {what}" for what, number in failures.items())
    return element(
        "div",
        table(("Answered by", "Requests", "Half within", "95 % within", "Longest"), rows),
        element("p", f"Failures: {said}." if said else "No request failed."),
        element("p", f"No write succeeded for {length(service['unavailable_seconds'])} in all."),
    )


def _ms(value: Any) -> str:
    return f"{value:g} ms" if isinstance(value, int | float) else "–"
