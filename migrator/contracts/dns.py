"""Questions to name servers and resolvers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from migrator.errors import StepError


class DnsFailed(StepError):
    """A name could not be resolved. `status` tells a name that does not exist from a server that is broken."""

    def __init__(
        self,
        what: str,
        *,
        status: DnsStatus,
        where: str = "",
        next: str = "",  # noqa: A002
        detail: str = "",
    ) -> None:
        super().__init__(what, where=where, next=next, detail=detail)
        self.status = status


class DnsStatus(StrEnum):
    """What came of one question. Only `ANSWER` is data."""

    ANSWER = "answer"
    """Records, or a chain of aliases that leads out of what the server knows."""
    NO_DATA = "no data"
    """The name exists, but not with this type."""
    NO_SUCH_NAME = "no such name"
    """NXDOMAIN."""
    SERVER_FAILURE = "server failure"
    """SERVFAIL."""
    REFUSED = "refused"
    """The server does not answer for this name, or not for us."""
    NO_ANSWER = "no answer"
    """Time-out or no connection: nothing is known."""
    BAD_ANSWER = "bad answer"
    """What came back was no valid answer to the question."""


@dataclass(frozen=True)
class DnsServer:
    """One server. `label` is its name for people, unique among the servers of one call."""

    address: str
    port: int
    label: str


@dataclass(frozen=True)
class DnsAnswer:
    """What one server itself said.

    `values` are the records of the asked type in presentation form (addresses for A and AAAA), sorted; `chain`
    the CNAME targets on the way to them, lower case, without the last dot; `ttl` the smallest TTL met, in
    seconds (None: no record); `seconds` how long it took; `detail` says more where `status` is not enough.
    """

    name: str
    kind: str
    server: DnsServer
    status: DnsStatus
    values: tuple[str, ...] = ()
    chain: tuple[str, ...] = ()
    ttl: int | None = None
    seconds: float = 0.0
    detail: str = ""

    def describe(self) -> str:
        """The answer for people, in one line."""
        if self.status is not DnsStatus.ANSWER:
            return f"{self.status.value} ({self.detail})" if self.detail else self.status.value
        way = [*self.chain, ", ".join(self.values)] if self.values else list(self.chain)
        return f"{' → '.join(way)} (TTL {self.ttl} s)"


class Dns(Protocol):
    """Questions to name servers and resolvers. Reads only; safe to repeat."""

    def ask(self, server: DnsServer, name: str, kind: str = "A", timeout: float = 3.0) -> DnsAnswer:
        """One server's own answer, by UDP, then by TCP when it is cut or missing; never raises for an answer.

        A chain of aliases is followed at this same server. `timeout` in seconds, for each exchange.
        """
        ...

    def authoritative(self, zone: str, name_servers: Sequence[str] = ()) -> tuple[DnsServer, ...]:
        """The servers of a zone: `name_servers` (host names) when they are known, else as the zone's NS say.

        `DnsFailed` when none is found.
        """
        ...

    def resolvers(self, public: Sequence[str] = ()) -> tuple[DnsServer, ...]:
        """The surroundings' resolvers; where these are the system's, `public` addresses are added."""
        ...

    def resolve(self, name: str) -> tuple[str, ...]:
        """The addresses of a name (or the address itself), the way this machine's programs would find them.

        `DnsFailed` when there is none.
        """
        ...
