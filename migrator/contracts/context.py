"""What an action is given: its parameters, its memory, its surroundings' tools. Never the mode of the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from migrator.contracts.aws import Aws
from migrator.contracts.dns import Dns
from migrator.contracts.http import Http
from migrator.contracts.images import Images
from migrator.contracts.postgres import Postgres
from migrator.contracts.process import Child, Processes
from migrator.contracts.surroundings import Clock, SecretStore
from migrator.contracts.terraform import Terraform

P_co = TypeVar("P_co", covariant=True)


@dataclass(frozen=True)
class Tools:
    """The tools of a run's surroundings. In a rehearsal only endpoints, credentials and routes differ."""

    aws: Aws
    terraform: Terraform
    postgres: Postgres
    images: Images
    dns: Dns
    http: Http
    processes: Processes
    secrets: SecretStore
    clock: Clock


class Channel(Protocol):
    """How an action speaks to the outside of itself: journal, log and progress."""

    def remember(self, values: Mapping[str, Any]) -> None:
        """Durably keeps facts for this step (JSON, no secrets); found again in `memory` after a crash."""
        ...

    def spawned(self, child: Child) -> None:
        """Durably records a child process before it starts to work."""
        ...

    def log(self, line: str) -> None:
        """One line for the step's log; it is sanitised and scrubbed."""
        ...

    def command(self, argv: Sequence[str]) -> None:
        """Shows a real command that is run, so that a person can copy it."""
        ...

    def progress(
        self,
        message: str,
        done: float | None = None,
        total: float | None = None,
        unit: str = "",
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """The newest progress of the step (see `contracts.progress` for the shapes of `detail`)."""
        ...

    def check_cancelled(self) -> None:
        """Raises `Interrupted` when the operator interrupted, `DeadlineExceeded` when the deadline passed."""
        ...

    def sleep(self, seconds: float) -> None:
        """Waits, but wakes up for `check_cancelled`."""
        ...


@dataclass(frozen=True)
class StepContext(Generic[P_co]):
    """Everything an action may know.

    `key` is the idempotency key of the step: the same in every attempt, at most 48 characters of
    [a-z0-9-], unique to run and step. `work` is the step's own folder (0700), kept over attempts. `baseline`
    holds the facts of the very first probe (empty while that probe runs). `memory` holds what `remember`
    kept. `children` are the child processes of the last attempt, as they were recorded. `shipped` is the
    folder that holds `terraform/`; `tags` go on everything this step makes.
    """

    run_id: str
    step_id: str
    params: P_co
    key: str
    attempt: int
    work: Path
    shipped: Path
    tags: Mapping[str, str]
    baseline: Mapping[str, Any]
    memory: Mapping[str, Any]
    children: Sequence[Child]
    account: str
    region: str
    tools: Tools
    channel: Channel
