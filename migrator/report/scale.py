"""Time as a place between 0 and 100 per cent, with long stretches in which nothing worked drawn short."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from migrator.report.shares import Interval

_NICE_SECONDS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 28_800, 86_400)
_TICKS = 6
_SQUEEZED_SHARE = 0.15
_SQUEEZED_SECONDS = 20.0


@dataclass(frozen=True)
class Stretch:
    """A part of the axis. `squeezed`: drawn shorter than it was. Places in per cent, length in seconds."""

    begun: datetime
    ended: datetime
    left: float
    right: float
    squeezed: bool

    @property
    def seconds(self) -> float:
        """Its real length."""
        return (self.ended - self.begun).total_seconds()


class TimeScale:
    """Places of moments on an axis from `begun` to `ended`. `busy` are the intervals that are drawn to scale."""

    def __init__(self, begun: datetime, ended: datetime, busy: Iterable[Interval]) -> None:
        self.begun, self.ended = begun, max(ended, begun + timedelta(seconds=1))
        self.stretches = self._lay_out(_merged(busy, self.begun, self.ended))

    def _lay_out(self, busy: Sequence[Interval]) -> list[Stretch]:
        worked = sum((end - start).total_seconds() for start, end in busy)
        longest = max(_SQUEEZED_SECONDS, worked * _SQUEEZED_SHARE)
        edges = sorted({self.begun, self.ended, *(moment for pair in busy for moment in pair)})
        starts = {start for start, _ in busy}
        drawn: list[tuple[datetime, datetime, float, bool]] = []
        for start, end in itertools.pairwise(edges):
            seconds = (end - start).total_seconds()
            squeezed = start not in starts and seconds > longest
            drawn.append((start, end, longest if squeezed else seconds, squeezed))
        self.drawn_seconds = sum(width for _, _, width, _ in drawn)
        stretches, left = [], 0.0
        for start, end, width, squeezed in drawn:
            right = left + 100.0 * width / self.drawn_seconds
            stretches.append(Stretch(start, end, left, right, squeezed))
            left = right
        return stretches

    def place(self, moment: datetime) -> float:
        """Per cent from the left; a moment outside is put at the edge."""
        for stretch in self.stretches:
            if moment <= stretch.ended:
                share = (moment - stretch.begun).total_seconds() / max(stretch.seconds, 1e-9)
                return stretch.left + (stretch.right - stretch.left) * min(1.0, max(0.0, share))
        return 100.0

    def ticks(self) -> list[tuple[float, str]]:
        """Places with the time since the start, none inside a squeezed stretch, none too near to another."""
        every = nice_step(self.drawn_seconds)
        found: list[tuple[float, str]] = []
        for stretch in self.stretches:
            if stretch.squeezed:
                continue
            first = (stretch.begun - self.begun).total_seconds()
            last = (stretch.ended - self.begun).total_seconds()
            number = -int(-first // every)
            while number * every <= last:
                place = self.place(self.begun + timedelta(seconds=number * every))
                if not found or place - found[-1][0] >= 50 / _TICKS:
                    found.append((place, clock(number * every)))
                number += 1
        return found


def _merged(busy: Iterable[Interval], begun: datetime, ended: datetime) -> list[Interval]:
    found: list[Interval] = []
    for start, end in sorted((max(s, begun), min(e, ended)) for s, e in busy):
        if end <= start:
            continue
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found


def nice_step(seconds: float) -> int:
    """A round distance in seconds that gives about six ticks."""
    return next((step for step in _NICE_SECONDS if seconds / step <= _TICKS), _days(seconds))


def _days(seconds: float) -> int:
    return 86_400 * max(1, round(seconds / 86_400 / _TICKS))


def clock(seconds: float) -> str:
    """Time since the start: `0:30`, `1:02:00`, `2 d 3:00:00`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    tail = f"{minutes:02}:{rest:02}" if days or hours else f"{minutes}:{rest:02}"
    return (f"{days} d " if days else "") + (f"{hours}:" if days or hours else "") + tail
