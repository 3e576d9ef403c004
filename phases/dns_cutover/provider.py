"""The seam to a DNS provider: another provider is one more file with one atomic call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from phases.dns_cutover.records import RecordSet


class Zone(Protocol):
    """One hosted zone. A provider without an atomic, exact exchange must not offer `exchange`."""

    def zone_name(self) -> str:
        """The zone's name, such as example.com."""
        ...

    def name_servers(self) -> tuple[str, ...]:
        """The host names of the servers that answer for the zone."""
        ...

    def records(self) -> tuple[RecordSet, ...]:
        """All record sets, freshly read."""
        ...

    def exchange(self, old: Sequence[RecordSet], new: Sequence[RecordSet], comment: str) -> str:
        """Removes exactly `old` and creates `new` in one call, all or nothing; the id of the change.

        `Refused` when the zone does not hold `old`, or holds something where `new` would be: never overwrites.
        """
        ...

    def settled(self, change_id: str) -> bool:
        """Whether all name servers of the zone have taken the change."""
        ...
