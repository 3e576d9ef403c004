"""What the twin's names lead to: records of the emulated zones, addresses of fronts, routes to loopback ports."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass, field
from typing import Any

FIRST_ADDRESS = 10
LAST_ADDRESS = 250


@dataclass(frozen=True)
class Record:
    """One resource record in zone-file notation; `ttl` in seconds."""

    name: str
    type: str
    ttl: int
    value: str


@dataclass(frozen=True)
class Target:
    """What stands behind an address: the kind (`old` or `new`), what it is, and its loopback port by public port."""

    kind: str
    name: str
    ports: dict[int, int] = field(default_factory=dict)


class Names:
    """The one table from host names to addresses to loopback ports; safe to use from many threads."""

    def __init__(self, alias_ttl_seconds: int) -> None:
        self._alias_ttl = alias_ttl_seconds
        self._lock = threading.Lock()
        self._zones: list[dict[str, Any]] = []
        self._addresses: dict[str, list[str]] = {}
        self._targets: dict[str, Target] = {}
        self._fixed: dict[str, Target] = {}
        self._next = FIRST_ADDRESS

    def set_zones(self, zones: list[dict[str, Any]]) -> None:
        """Take over the emulated zones; the longest zone name is asked first."""
        public = [zone for zone in zones if not zone["private"]]
        self._zones = sorted(public, key=lambda zone: -len(zone["name"]))

    def publish(self, host: str, target: Target, addresses: int = 1) -> None:
        """Give a front's own host name addresses (kept for the lab's life), and say what stands behind them."""
        host = _plain(host)
        with self._lock:
            if host not in self._addresses:
                self._addresses[host] = [self._take() for _ in range(addresses)]
            self._targets[host] = target

    def withdraw(self, host: str) -> None:
        """The front is gone: its name does not exist any more, its addresses lead nowhere."""
        with self._lock:
            self._targets.pop(_plain(host), None)

    def published(self) -> list[str]:
        """Host names of the fronts that stand now."""
        with self._lock:
            return list(self._targets)

    def fix(self, host: str, target: Target) -> None:
        """A host that is reached by route only (registry, database endpoints)."""
        with self._lock:
            self._fixed[_plain(host)] = target
            if _plain(host) not in self._addresses:
                self._addresses[_plain(host)] = [self._take()]

    def unfix(self, host: str) -> None:
        """Forget a host that was reached by route only."""
        with self._lock:
            self._fixed.pop(_plain(host), None)

    def target(self, host: str) -> Target | None:
        """What stands behind a host name or address."""
        host = _plain(host)
        with self._lock:
            for name, target in [*self._targets.items(), *self._fixed.items()]:
                if host == name or host in self._addresses.get(name, []):
                    return target
        return None

    def route(self, host: str, port: int) -> int | None:
        """The loopback port for host:port, or None; a name of a zone is followed to what serves it now."""
        target = self.target(host) or self.final_target(host)
        return None if target is None else target.ports.get(port)

    def rrset(self, name: str, kind: str) -> tuple[bool, list[Record]]:
        """Whether the name exists, and its records of that type (a CNAME's own record when it is an alias)."""
        plain = _plain(name)
        own = self._own(plain, kind)
        if own is not None:
            return True, own
        for zone in self._zones:
            if plain + "." == zone["name"] or (plain + ".").endswith("." + zone["name"]):
                return self._from_zone(zone, plain + ".", kind)
        return False, []

    def authoritative_for(self, name: str) -> bool:
        """Whether the name lies in an emulated zone or belongs to a front."""
        plain = _plain(name)
        inside = any(
            (plain + ".").endswith("." + zone["name"]) or plain + "." == zone["name"] for zone in self._zones
        )
        return inside or plain in self._addresses

    def soa(self, name: str) -> Record | None:
        """The start of authority of the zone that holds the name."""
        for zone in self._zones:
            if (_plain(name) + ".").endswith(zone["name"]):
                _, records = self._from_zone(zone, zone["name"], "SOA")
                return records[0] if records else None
        return None

    def final_target(self, name: str) -> Target | None:
        """Follow the records of a name, uncached, to what serves it."""
        for _ in range(8):
            _, addresses = self.rrset(name, "A")
            found = [record for record in addresses if record.type == "A"]
            if found:
                return self.target(found[0].value)
            _, aliases = self.rrset(name, "CNAME")
            if not aliases:
                return None
            name = aliases[0].value
        return None

    def _own(self, plain: str, kind: str) -> list[Record] | None:
        with self._lock:
            if plain not in self._targets and plain not in self._fixed:
                return None
            addresses = self._addresses[plain]
        if kind != "A":
            return []
        return [Record(plain + ".", "A", self._alias_ttl, address) for address in addresses]

    def _from_zone(self, zone: dict[str, Any], name: str, kind: str) -> tuple[bool, list[Record]]:
        here = [record for record in zone["records"] if record["name"] == name]
        below = any(record["name"].endswith("." + name) for record in zone["records"])
        matching = [record for record in here if record["type"] == kind]
        if not matching and kind != "CNAME":
            matching = [record for record in here if record["type"] == "CNAME"]
        if not matching:
            return bool(here) or below, []
        return True, self._expand(_choose(matching), kind)

    def _expand(self, record: dict[str, Any], kind: str) -> list[Record]:
        if record["alias"]:
            _, found = self.rrset(_unprefixed(record["alias"]), kind)
            return [Record(record["name"], entry.type, self._alias_ttl, entry.value) for entry in found]
        ttl = record["ttl"] if record["ttl"] is not None else 60
        return [Record(record["name"], record["type"], ttl, value) for value in record["values"]]

    def _take(self) -> str:
        if self._next > LAST_ADDRESS:
            raise RuntimeError("the lab has no documentation addresses left")
        self._next += 1
        return f"203.0.113.{self._next - 1}"


def _choose(records: list[dict[str, Any]]) -> dict[str, Any]:
    weighted = [record for record in records if record["weight"] is not None]
    if not weighted or sum(record["weight"] for record in weighted) == 0:
        return records[0]
    picked: dict[str, Any] = random.choices(weighted, [record["weight"] for record in weighted])[0]  # noqa: S311 - a load split
    return picked


def _plain(name: str) -> str:
    return name.lower().rstrip(".")


def _unprefixed(alias: str) -> str:
    # the service adds this prefix when a record is made in the console
    return _plain(alias).removeprefix("dualstack.")
