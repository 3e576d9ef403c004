"""What the clients lived through: counts, latencies and the seconds in which nobody could write."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

LATENCIES_KEPT = 20_000


@dataclass
class Outage:
    """Time without a successful write.

    An interval opens at the start of a write that failed, closes at the end of the next write of any client that
    succeeded; intervals never overlap. `seconds` is their sum, `longest` the longest; both in seconds, resolved to
    one request (about 0.1 s at the usual rate).
    """

    seconds: float = 0.0
    longest: float = 0.0
    intervals: int = 0
    open_since: float | None = None
    _closed_at: float = 0.0

    def write(self, succeeded: bool, started: float, ended: float) -> None:
        """Count one write attempt (times in seconds of one clock)."""
        if not succeeded:
            if self.open_since is None:
                self.open_since = max(started, self._closed_at)
            return
        if self.open_since is None or started < self.open_since:
            return
        length = ended - self.open_since
        self.seconds += length
        self.longest = max(self.longest, length)
        self.intervals += 1
        self.open_since, self._closed_at = None, ended

    def until(self, now: float) -> float:
        """The sum so far, an open interval included."""
        return self.seconds + (max(0.0, now - self.open_since) if self.open_since is not None else 0.0)


@dataclass
class _Second:
    ok: int = 0
    failed: int = 0
    writes: int = 0
    writes_failed: int = 0
    milliseconds: float = 0.0
    old: int = 0
    new: int = 0


@dataclass
class Figures:
    """All clients' figures; safe to use from many threads."""

    began: float
    requests: int = 0
    failed: int = 0
    writes_sent: int = 0
    writes_acknowledged: int = 0
    outage: Outage = field(default_factory=Outage)
    failures: dict[str, int] = field(default_factory=dict)
    _latencies: dict[str, list[float]] = field(default_factory=dict)
    _served: dict[str, int] = field(default_factory=dict)
    _failed_at: dict[str, int] = field(default_factory=dict)
    _timeline: dict[int, _Second] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def request(self, *, write: bool, failure: str, served_by: str, started: float, ended: float) -> None:
        """Count one request; `failure` is empty when it succeeded."""
        with self._lock:
            self.requests += 1
            second = self._timeline.setdefault(int(ended - self.began), _Second())
            second.milliseconds += (ended - started) * 1000
            if failure:
                self.failed += 1
                second.failed += 1
                self.failures[failure] = self.failures.get(failure, 0) + 1
            else:
                second.ok += 1
            if write:
                second.writes += not failure
                second.writes_failed += bool(failure)
                self.outage.write(not failure, started, ended)
            if served_by in ("old", "new"):
                self._served[served_by] = self._served.get(served_by, 0) + 1
                self._failed_at[served_by] = self._failed_at.get(served_by, 0) + bool(failure)
                second.old += served_by == "old"
                second.new += served_by == "new"
                kept = self._latencies.setdefault(served_by, [])
                if len(kept) < LATENCIES_KEPT:
                    kept.append((ended - started) * 1000)

    def acknowledged(self) -> None:
        """Count a write that was promised."""
        with self._lock:
            self.writes_acknowledged += 1

    def sent(self) -> None:
        """Count a write that left for the first time."""
        with self._lock:
            self.writes_sent += 1

    def document(self, now: float, last_seconds: int | None = None) -> dict[str, Any]:
        """As JSON data; the time line only of the last seconds when asked so."""
        with self._lock:
            oldest = 0 if last_seconds is None else int(now - self.began) - last_seconds
            timeline = [
                {
                    "second": second,
                    "ok": entry.ok,
                    "failed": entry.failed,
                    "writes": entry.writes,
                    "writes_failed": entry.writes_failed,
                    "milliseconds": round(entry.milliseconds / max(1, entry.ok + entry.failed), 1),
                    "old": entry.old,
                    "new": entry.new,
                }
                for second, entry in sorted(self._timeline.items())
                if second >= oldest
            ]
            return {
                "seconds": round(now - self.began, 1),
                "requests": self.requests,
                "failed": self.failed,
                "failures": dict(self.failures),
                "unavailable_seconds": round(self.outage.until(now), 3),
                "unavailable_longest_seconds": round(self.outage.longest, 3),
                "unavailable_intervals": self.outage.intervals,
                "unavailable_now": self.outage.open_since is not None,
                "writes": {"sent": self.writes_sent, "acknowledged": self.writes_acknowledged},
                "served_by": dict(self._served),
                "failed_at": dict(self._failed_at),
                "latency_milliseconds": {
                    name: _percentiles(values) for name, values in self._latencies.items()
                },
                "timeline": timeline,
            }


def _percentiles(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    if not ordered:
        return {}
    return {
        "p50": round(ordered[len(ordered) // 2], 1),
        "p95": round(ordered[int(len(ordered) * 0.95)], 1),
        "max": round(ordered[-1], 1),
    }
