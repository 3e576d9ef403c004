"""The load balancer's health checks: each target asked once an interval, judged by its group's own rules."""

from __future__ import annotations

import contextlib
import http.client
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from migrator.lab.standins import StandIn

MOST_CHECKS_TO_HEALTHY = 2
"""The service's own default of five would make every rehearsal wait; two still need it to last."""
CHECK_TIMEOUT_SECONDS = 2.0


@dataclass
class _Seen:
    state: str = "initial"
    reason: str = "Elb.RegistrationInProgress"
    in_a_row: int = 0
    good: bool = False


class HealthChecks:
    """Knows for every target group which targets are healthy; `report` is called when something changed."""

    def __init__(self, report: Callable[[dict[str, dict[str, tuple[str, str]]]], None]) -> None:
        self._report = report
        self._seen: dict[tuple[str, str], _Seen] = {}
        self._lock = threading.Lock()
        self._last: dict[str, dict[str, tuple[str, str]]] = {}

    def check(self, groups: list[dict[str, Any]], stand_ins: dict[str, StandIn]) -> None:
        """Ask every target of every group once."""
        wanted = {(group["arn"], target) for group in groups for target in group["targets"]}
        with self._lock:
            for key in set(self._seen) - wanted:
                del self._seen[key]
        for group in groups:
            for target in group["targets"]:
                good, reason = _ask(group, stand_ins.get(target))
                with self._lock:
                    _judge(self._seen.setdefault((group["arn"], target), _Seen()), group, good, reason)
        with self._lock:
            found: dict[str, dict[str, tuple[str, str]]] = {group["arn"]: {} for group in groups}
            for (arn, target), seen in self._seen.items():
                found[arn][target] = (seen.state, seen.reason)
        if found != self._last:
            self._report(found)
            self._last = found

    def healthy(self, arn: str) -> list[str]:
        """The healthy targets of a group."""
        with self._lock:
            return [
                target
                for (group, target), seen in self._seen.items()
                if group == arn and seen.state == "healthy"
            ]


def _judge(seen: _Seen, group: dict[str, Any], good: bool, reason: str) -> None:
    seen.in_a_row = seen.in_a_row + 1 if good == seen.good else 1
    seen.good = good
    if good and seen.in_a_row >= min(MOST_CHECKS_TO_HEALTHY, group["healthy_threshold"]):
        seen.state, seen.reason = "healthy", ""
    elif not good and seen.in_a_row >= group["unhealthy_threshold"]:
        seen.state, seen.reason = "unhealthy", reason


def _ask(group: dict[str, Any], stand_in: StandIn | None) -> tuple[bool, str]:
    if stand_in is None or stand_in.port is None or stand_in.launch is None:
        return False, "Target.FailedHealthChecks"
    if stand_in.launch.public_port != group["port"]:
        return False, "Target.Timeout"
    connection = http.client.HTTPConnection("127.0.0.1", stand_in.port, timeout=CHECK_TIMEOUT_SECONDS)
    with contextlib.closing(connection):
        try:
            connection.request("GET", group["path"])
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return False, "Target.Timeout"
    if _within(status, group["matcher"]):
        return True, ""
    return False, "Target.ResponseCodeMismatch"


def _within(status: int, matcher: str) -> bool:
    for part in matcher.split(","):
        low, _, high = part.strip().partition("-")
        if low.isdigit() and int(low) <= status <= int(high or low):
            return True
    return False
