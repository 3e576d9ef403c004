"""Terraform: prepared stacks, saved plans, applies that outlive the runner, state, locks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol

from migrator.contracts.process import Child, Exit
from migrator.errors import ExitCode, Refused

ChangeAction = Literal["create", "update", "delete", "replace", "read", "import", "forget", "move"]

GENERATED = "migrator_*.tf.json"
"""Files that are put into a stack's copy; its digest leaves them out."""


class StateLocked(Refused):
    """Another writer holds the state. `lock` is what its lock says of it, None when it could not be read."""

    exit_code = ExitCode.LOCKED

    def __init__(self, what: str, lock: StateLock | None = None, **more: str) -> None:
        super().__init__(what, **more)
        self.lock = lock


@dataclass(frozen=True)
class Backend:
    """Where a stack's state lies. The lock is a file beside it, and an item in `lock_table` when one is named."""

    bucket: str
    key: str
    region: str
    lock_table: str = ""


@dataclass(frozen=True)
class Stack:
    """A root module copied into a step's folder. `digest` covers the copied sources; no backend: local state."""

    name: str
    root: Path
    work: Path
    backend: Backend | None
    digest: str

    @property
    def data(self) -> Path:
        """Terraform's own data folder (TF_DATA_DIR)."""
        return self.work / "data"

    @property
    def variables(self) -> Path:
        """The variable file, JSON, without secrets."""
        return self.work / "variables.tfvars.json"


@dataclass(frozen=True)
class PlannedChange:
    """One resource that a plan changes. `type` is the resource type, such as `aws_vpc`."""

    address: str
    type: str
    action: ChangeAction
    reason: str = ""


@dataclass(frozen=True)
class StackPlan:
    """A saved plan. `fingerprint` is the SHA-256 over its normalised changes and the plan file.

    `empty` is Terraform's own word that nothing is to do, changed outputs included.
    """

    file: Path
    changes: tuple[PlannedChange, ...]
    empty: bool
    fingerprint: str


@dataclass(frozen=True)
class AppliedResource:
    """What the event stream says of one resource's newest change. `id` is empty until it is known."""

    address: str
    type: str
    action: str
    state: Literal["running", "done", "failed"]
    id: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Applied:
    """What an apply's saved event stream says. `whole` is whether Terraform's closing summary was there.

    `first` and `last` are the times of its first and last event, UTC in ISO 8601. `errors` are Terraform's own
    words, cleaned. Counts without a closing summary are those of the resources seen complete.
    """

    resources: tuple[AppliedResource, ...] = ()
    added: int = 0
    changed: int = 0
    destroyed: int = 0
    whole: bool = False
    first: str = ""
    last: str = ""
    errors: tuple[str, ...] = ()
    settled: bool = False
    """Terraform ended by itself and nothing was left under way: its state is the truth."""

    @property
    def seconds(self) -> float:
        """Seconds from the first event to the last."""
        if not self.first or not self.last:
            return 0.0
        return (datetime.fromisoformat(self.last) - datetime.fromisoformat(self.first)).total_seconds()

    @property
    def touched(self) -> bool:
        """Whether any change was begun."""
        return bool(self.resources)


@dataclass(frozen=True)
class StateResource:
    """One managed resource instance in a state; `tags` are its `tags_all` (empty where it has none)."""

    address: str
    type: str
    id: str
    tags: Mapping[str, str] = field(default_factory=dict)
    tainted: bool = False
    protected: bool = False
    """AWS's own deletion protection is on."""


@dataclass(frozen=True)
class StateSummary:
    """What a state holds. `serial` -1: there is no state."""

    serial: int = -1
    lineage: str = ""
    resources: tuple[StateResource, ...] = ()

    @property
    def exists(self) -> bool:
        """Whether there is a state at all."""
        return self.serial >= 0


@dataclass(frozen=True)
class StateLock:
    """Who holds a state. `created` is UTC in ISO 8601; `places` are `file` and `table`."""

    id: str
    operation: str
    who: str
    created: str
    places: tuple[str, ...]


class Watcher(Protocol):
    """Where a tool reports to; a step's channel is one."""

    def log(self, line: str) -> None:
        """One line for the log."""
        ...

    def command(self, argv: Sequence[str]) -> None:
        """Shows a real command."""
        ...

    def progress(
        self,
        message: str,
        done: float | None = None,
        total: float | None = None,
        unit: str = "",
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """The newest progress."""
        ...

    def check_cancelled(self) -> None:
        """Raises when the work must stop."""
        ...


class Terraform(Protocol):
    """One stack at a time from source to state. Diagnostics arrive as errors with Terraform's own words.

    Plans and reads raise `Refused` (`StateLocked` when the state is held) or `CredentialsError`: they change
    nothing.
    """

    def version(self) -> str:
        """Terraform's version; `Refused` when there is none or it is too old."""
        ...

    def owner(self) -> str:
        """What Terraform writes as `Who` into a lock: user@host."""
        ...

    def prepare(
        self, shipped: Path, work: Path, name: str, backend: Backend | None, variables: Mapping[str, Any]
    ) -> Stack:
        """Copies stack `name` and the modules into `work` (kept when they are there), writes its variable file.

        `shipped` is the folder that holds `terraform/`. `Refused` when the stack does not exist.
        """
        ...

    def init(self, stack: Stack, channel: Watcher, mode: Literal["", "reconfigure", "migrate"] = "") -> None:
        """Makes the stack ready; nothing to do when it is. `migrate` moves the state to the stack's backend."""
        ...

    def plan(
        self, stack: Stack, channel: Watcher, *, destroy: bool = False, targets: Sequence[str] = ()
    ) -> StackPlan:
        """A fresh, saved plan. It takes no lock: one that the state has outrun is refused by `apply`."""
        ...

    def adopt(self, stack: Stack, imports: Mapping[str, str]) -> None:
        """Leaves import blocks (address to import id) for the next plan; none takes them away."""
        ...

    def planned_values(self, stack: Stack, plan_file: Path) -> dict[str, dict[str, Any]]:
        """Address to the values known when the plan was made, of resources to be created (`show -json`)."""
        ...

    def apply(
        self,
        stack: Stack,
        plan: StackPlan,
        folder: Path,
        deadline_seconds: float,
        spawned: Callable[[Child], None],
        channel: Watcher,
    ) -> Child:
        """Starts the apply of exactly this plan, in a process that outlives the runner; see `follow`."""
        ...

    def follow(self, stack: Stack, child: Child, channel: Watcher) -> tuple[Exit, Applied]:
        """Follows an apply from its first event to its end; progress goes to the channel. Raises only on cancel."""
        ...

    def stream(self, folder: Path) -> Applied:
        """What the event stream saved in `folder` says."""
        ...

    def outputs(self, stack: Stack, channel: Watcher) -> dict[str, Any]:
        """The outputs in the state; sensitive ones are left out."""
        ...

    def state(self, backend: Backend) -> StateSummary:
        """What the state holds, read from the bucket itself."""
        ...

    def lock(self, backend: Backend) -> StateLock | None:
        """Who holds the state now."""
        ...

    def force_unlock(self, stack: Stack, lock: StateLock, channel: Watcher) -> None:
        """Removes exactly this lock, in both places. The caller has proven that its holder is gone."""
        ...

    def untaint(self, stack: Stack, address: str, channel: Watcher) -> None:
        """Takes back Terraform's mark that a resource must be replaced because its creation was cut short."""
        ...

    def move_in(self, stack: Stack, local: Path, channel: Watcher) -> StateSummary:
        """Copies the local state file `local` into the stack's bucket; the file stays as it is.

        Nothing to do when it is already there. `Refused` when the bucket holds other resources. Terraform begins
        a new lineage in an empty bucket, so the two are compared by their resources.
        """
        ...

    def move_out(self, stack: Stack, local: Path, channel: Watcher) -> StateSummary:
        """Copies the bucket's state into the file `local`; what was in the file is kept beside it as a backup."""
        ...

    def errored(self, stack: Stack) -> StateSummary | None:
        """What an apply could not save and left as `errored.tfstate`."""
        ...

    def push_errored(self, stack: Stack, channel: Watcher) -> None:
        """Pushes `errored.tfstate` and keeps it under another name."""
        ...
