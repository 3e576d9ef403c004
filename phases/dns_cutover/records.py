"""Record sets of a zone as frozen data, and what of them a cutover can move."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

ALIAS_TTL_SECONDS = 60
"""What resolvers keep an alias to a load balancer for; it cannot be set."""

_COMPANIONS = frozenset({"MX", "TXT", "CAA", "SPF", "DS"})
_AT_THE_TOP = frozenset({"NS", "SOA"})


@dataclass(frozen=True)
class Alias:
    """An answer taken from another AWS resource."""

    target: str
    zone_id: str
    evaluate_target_health: bool


@dataclass(frozen=True)
class RecordSet:
    """One record set. `name` is lower case without the last dot; `ttl` in seconds, None for an alias.

    `values` are kept as the provider gave them. `routing` holds what else the provider knows of it, such as
    weight or health check: empty for a simple record.
    """

    name: str
    kind: str
    ttl: int | None
    values: tuple[str, ...] = ()
    alias: Alias | None = None
    routing: Mapping[str, Any] = field(default_factory=dict)

    def same_as(self, other: RecordSet) -> bool:
        """Whether both say the same; the order of values, case and last dots of targets do not matter."""
        return self._content() == other._content()

    def _content(self) -> tuple[Any, ...]:
        alias = self.alias and (
            host_name(self.alias.target),
            self.alias.zone_id,
            self.alias.evaluate_target_health,
        )
        values = sorted(host_name(v) if self.kind == "CNAME" else v for v in self.values)
        return self.name, self.kind, self.ttl, values, alias, dict(self.routing)

    def describe(self) -> str:
        """The record for people, without its name."""
        if self.alias:
            health = ", follows target health" if self.alias.evaluate_target_health else ""
            text = f"{self.kind} alias → {host_name(self.alias.target)}{health}"
        else:
            text = f"{self.kind} {', '.join(self.values)} (TTL {self.ttl} s)"
        return f"{text} [{', '.join(f'{k}={v}' for k, v in self.routing.items())}]" if self.routing else text

    def to_json(self) -> dict[str, Any]:
        """The record as JSON values, whole."""
        alias = self.alias and {
            "target": self.alias.target,
            "zone_id": self.alias.zone_id,
            "evaluate_target_health": self.alias.evaluate_target_health,
        }
        return {
            "name": self.name,
            "kind": self.kind,
            "ttl": self.ttl,
            "values": list(self.values),
            "alias": alias,
            "routing": dict(self.routing),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> RecordSet:
        """The record that `to_json` wrote."""
        return cls(
            name=values["name"],
            kind=values["kind"],
            ttl=values["ttl"],
            values=tuple(values["values"]),
            alias=Alias(**values["alias"]) if values["alias"] else None,
            routing=dict(values["routing"]),
        )


def host_name(name: str) -> str:
    """A host name in the one form that is compared: lower case, without the last dot."""
    return name.rstrip(".").lower()


def contains(records: Iterable[RecordSet], record: RecordSet) -> bool:
    """Whether `records` hold one that says the same."""
    return any(record.same_as(each) for each in records)


def same(left: Sequence[RecordSet], right: Sequence[RecordSet]) -> bool:
    """Whether both hold the same records."""
    return len(left) == len(right) and all(contains(right, record) for record in left)


def less(records: Sequence[RecordSet], taken: Sequence[RecordSet]) -> tuple[RecordSet, ...]:
    """`records` without those that `taken` also holds."""
    return tuple(record for record in records if not contains(taken, record))


def at(records: Iterable[RecordSet], name: str) -> tuple[RecordSet, ...]:
    """The records at one name."""
    return tuple(record for record in records if record.name == name)


def directing(records: Iterable[RecordSet], zone_name: str) -> tuple[RecordSet, ...]:
    """The records that decide where the traffic of a name goes; mail, texts and the zone's own are left out."""
    return tuple(
        record
        for record in records
        if record.kind not in _COMPANIONS
        and not (record.kind in _AT_THE_TOP and record.name == host_name(zone_name))
    )


def obstacles(names: Sequence[str], records: Sequence[RecordSet], zone_name: str) -> tuple[str, ...]:
    """Why these names cannot be moved by one exact exchange of one record each; empty when they can."""
    found: list[str] = []
    for name in names:
        if name != host_name(zone_name) and not name.endswith(f".{host_name(zone_name)}"):
            found.append(f"{name} does not belong to the zone {host_name(zone_name)}")
            continue
        here = directing(at(records, name), zone_name)
        if not here:
            found.append(f"{name} has no record that directs traffic")
        found += [f"{name}: {why}: {r.describe()}" for r in here if (why := _obstacle(r))]
        if len(here) > 1 and not any(_obstacle(record) for record in here):
            found.append(f"{name} has more than one record: {describe(here)}")
    return tuple(found)


def _obstacle(record: RecordSet) -> str:
    if record.routing:
        return "a record with a routing policy or health check of its own (weighted, latency, failover, …)"
    if record.kind not in ("A", "CNAME"):
        return f"a record of type {record.kind} directs traffic too and would be left behind"
    if len(record.values) > 1:
        return "a record with several values"
    return ""


def describe(records: Sequence[RecordSet]) -> str:
    """Records at one name for people; "nothing" when there are none."""
    return "; ".join(record.describe() for record in records) or "nothing"


def longest_ttl_seconds(records: Iterable[RecordSet]) -> int:
    """How long a resolver that has just asked may keep any of these."""
    return max((ALIAS_TTL_SECONDS if r.ttl is None else r.ttl for r in records), default=0)
