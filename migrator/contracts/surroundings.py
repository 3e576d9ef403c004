"""How the outside is reached. A real run and a rehearsal differ in these answers alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

from migrator.secrets import Secret


class Clock(Protocol):
    """Time of the run."""

    def now(self) -> datetime:
        """The present, in UTC."""
        ...

    def sleep(self, seconds: float) -> None:
        """Waits."""
        ...


class Reach(Protocol):
    """How do I reach host:port? Actions only know the address that the world names."""

    def route(self, host: str, port: int) -> tuple[str, int]:
        """Where to connect for this address; the same address when it is reached directly."""
        ...


class SecretStore(Protocol):
    """Finds a secret by its reference (`contracts.params.SecretRef`)."""

    def resolve(self, reference: str) -> Secret:
        """The secret; `Refused` says which reference could not be resolved. `aws:NAME#key` takes a JSON key."""
        ...


def _nothing() -> None:
    """Nothing was opened."""


@dataclass(frozen=True)
class Surroundings:
    """Endpoints, credentials and routes of a run. None for a field means: as the machine has it.

    `aws_credentials` are access key id and secret. `dns_resolvers` and `dns_authoritative` are (address, port);
    None means the system's resolvers and the zone's own name servers. `ca_file` is trusted beside the
    system's authorities. `guard_file` receives refused connections when only loopback is allowed. `close` lets go
    of what was opened for `reach`.
    """

    account: str
    region: str
    reach: Reach
    aws_endpoint: str | None = None
    aws_profile: str | None = None
    aws_credentials: tuple[str, Secret] | None = None
    dns_resolvers: tuple[tuple[str, int], ...] | None = None
    dns_authoritative: tuple[tuple[str, int], ...] | None = None
    ca_file: Path | None = None
    guard_file: Path | None = None
    environment: dict[str, str] = field(default_factory=dict)
    """More environment for child processes that speak to AWS."""
    close: Callable[[], None] = _nothing
