"""Who already sees the new target: every server is asked by itself until its answer leads there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from migrator.contracts.action import Check
from migrator.contracts.context import Channel
from migrator.contracts.dns import Dns, DnsAnswer, DnsServer, DnsStatus
from migrator.contracts.surroundings import Clock

_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.5, 10.0


@dataclass(frozen=True)
class Sighting:
    """The newest answer of one server for one name. `seconds` from the start of the watch."""

    answer: DnsAnswer
    there: bool
    seconds: float


class Propagation:
    """Follows some names on some servers. A server that gives no answer is never counted as there.

    An answer leads to the target when its chain names the target, or when all its addresses are addresses
    that resolvers gave for the target during this watch (a load balancer changes them now and then).
    """

    def __init__(
        self,
        dns: Dns,
        clock: Clock,
        channel: Channel,
        *,
        servers: Sequence[DnsServer],
        resolvers: Sequence[DnsServer],
        names: Sequence[str],
        target: str,
    ) -> None:
        self._dns, self._clock, self._channel = dns, clock, channel
        self._servers, self._resolvers = tuple(servers), tuple(resolvers)
        self._names, self._target = tuple(names), target.rstrip(".").lower()
        self._addresses: set[str] = set()
        self._seen: dict[tuple[str, str], Sighting] = {}
        self._started: datetime = clock.now()

    def watch(self, timeout_seconds: float) -> bool:
        """Asks until a last look at all of them finds everybody there, or the time is over; whether they are."""
        pause = _FIRST_PAUSE_SECONDS
        while True:
            if self._look(only_missing=True) and self._look(only_missing=False):
                return True
            left = timeout_seconds - self._elapsed()
            if left <= 0:
                return False
            self._channel.check_cancelled()
            self._channel.sleep(min(pause, left))
            pause = min(pause * 1.5, _LONGEST_PAUSE_SECONDS)

    def checks(self) -> tuple[Check, ...]:
        """One check a server and name, with what was seen last."""
        return tuple(
            Check(f"{server} leads {name} to the new target", seen.there, seen.answer.describe())
            for (server, name), seen in sorted(self._seen.items())
        )

    def seconds(self) -> dict[str, float]:
        """Server to the seconds until all names led to the target there; only servers where they do."""
        found: dict[str, float] = {}
        for server in self._servers:
            seen = [self._seen.get((server.label, name)) for name in self._names]
            if all(each is not None and each.there for each in seen):
                found[server.label] = max(each.seconds for each in seen if each is not None)
        return found

    def _look(self, *, only_missing: bool) -> bool:
        for resolver in self._resolvers:
            self._addresses.update(self._dns.ask(resolver, self._target).values)
        for server in self._servers:
            for name in self._names:
                before = self._seen.get((server.label, name))
                if only_missing and before is not None and before.there:
                    continue
                self._channel.check_cancelled()
                answer = self._dns.ask(server, name)
                there = self._leads(answer)
                since = before.seconds if before is not None and before.there else self._elapsed()
                self._seen[server.label, name] = Sighting(answer, there, round(since, 2))
        there_count = sum(each.there for each in self._seen.values())
        self._channel.progress(
            f"{there_count} of {len(self._seen)} answers lead to {self._target}",
            done=there_count,
            total=len(self._seen),
            unit="answers",
        )
        return bool(self._seen) and there_count == len(self._seen)

    def _leads(self, answer: DnsAnswer) -> bool:
        if answer.status is not DnsStatus.ANSWER:
            return False
        if self._target in answer.chain:
            return True
        return bool(answer.values) and self._addresses.issuperset(answer.values)

    def _elapsed(self) -> float:
        return (self._clock.now() - self._started).total_seconds()
