"""Contexts for the actions of the database phase, on the session's real servers."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from migrator.contracts.action import Action
from migrator.contracts.aws import AwsRefused
from migrator.contracts.context import StepContext, Tools
from migrator.contracts.params import SecretRef
from migrator.contracts.postgres import Database
from migrator.contracts.process import Child
from migrator.secrets import Secret
from migrator.tools.postgres import PostgresTool
from migrator.tools.process import LocalProcesses
from tests.postgres_lab import Lab

SOURCE_HOST, TARGET_HOST = "old-database.example.com", "new-database.example.com"
RUN = "20260101-120000-test"


@dataclass
class Recorder:
    """A channel that keeps everything in memory; `before_remember` may stop the action there."""

    memory: dict[str, Any] = field(default_factory=dict)
    children: list[Child] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    details: list[Mapping[str, Any]] = field(default_factory=list)
    cancel: Callable[[], None] = lambda: None

    def remember(self, values: Mapping[str, Any]) -> None:
        self.memory.update(json.loads(json.dumps(dict(values))))

    def spawned(self, child: Child) -> None:
        self.children.append(child)

    def log(self, line: str) -> None:
        self.lines.append(line)

    def command(self, argv: Sequence[str]) -> None:
        self.lines.append(" ".join(argv))

    def progress(
        self,
        message: str,
        done: float | None = None,
        total: float | None = None,
        unit: str = "",
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        if detail is not None:
            self.details.append(detail)

    def check_cancelled(self) -> None:
        self.cancel()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class WallClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


@dataclass
class Surroundings:
    """Routes of the two database names to loopback, and secrets by reference."""

    routes: dict[str, tuple[str, int]]
    secrets: dict[str, Secret]

    def route(self, host: str, port: int) -> tuple[str, int]:
        return self.routes.get(host, (host, port))

    def resolve(self, reference: str) -> Secret:
        return self.secrets[reference]


@dataclass
class SecretsManager:
    """Secrets Manager's two operations, with versions named by the client's token."""

    versions: dict[tuple[str, str], str] = field(default_factory=dict)
    puts: int = 0
    account: str = "111122223333"
    region: str = "us-west-2"

    def call(self, service: str, operation: str, *, region: str | None = None, **p: Any) -> dict[str, Any]:
        assert service == "secretsmanager"
        if operation == "get_secret_value":
            found = self.versions.get((p["SecretId"], p["VersionId"]))
            if found is None:
                raise AwsRefused("not found", code="ResourceNotFoundException")
            return {"SecretString": found, "VersionId": p["VersionId"]}
        assert operation == "put_secret_value"
        assert 32 <= len(p["ClientRequestToken"]) <= 64
        self.puts += 1
        kept = self.versions.setdefault((p["SecretId"], p["ClientRequestToken"]), p["SecretString"])
        if kept != p["SecretString"]:
            raise AwsRefused("exists", code="ResourceExistsException")
        return {"VersionId": p["ClientRequestToken"]}


@dataclass
class Bench:
    """Makes contexts; one folder and one channel a step."""

    lab: Lab
    folder: Path
    aws: SecretsManager = field(default_factory=SecretsManager)
    channels: dict[str, Recorder] = field(default_factory=dict)

    @property
    def source(self) -> Database:
        return Database(
            SOURCE_HOST,
            5432,
            self.lab.source.database,
            self.lab.source.admin_role,
            SecretRef("env:OLD"),
            "prefer",
        )

    @property
    def target(self) -> Database:
        return Database(TARGET_HOST, 5432, "postgres", self.lab.master, SecretRef("env:NEW"), "prefer")

    def surroundings(self) -> Surroundings:
        clusters = self.lab.clusters
        return Surroundings(
            {
                SOURCE_HOST: (clusters.source.host, clusters.source.port),
                TARGET_HOST: (clusters.target.host, clusters.target.port),
            },
            {
                "env:OLD": self.lab.source.admin_password,
                "env:NEW": self.lab.master_password,
                "env:APP": self.lab.source.application_password,
            },
        )

    def postgres(self) -> PostgresTool:
        around = self.surroundings()
        return PostgresTool(around, around, LocalProcesses())

    def context(self, step: str, params: Any, attempt: int = 1, baseline: Any = None) -> StepContext[Any]:
        """A context as a fresh runner would make it: memory and children are what was recorded."""
        channel = self.channels.setdefault(step, Recorder())
        work = self.folder / step
        work.mkdir(mode=0o700, exist_ok=True)
        tools = Tools(
            aws=cast(Any, self.aws),
            terraform=cast(Any, None),
            postgres=self.postgres(),
            images=cast(Any, None),
            dns=cast(Any, None),
            http=cast(Any, None),
            processes=LocalProcesses(),
            secrets=self.surroundings(),
            clock=WallClock(),
        )
        return StepContext(
            run_id=RUN,
            step_id=step,
            params=params,
            key=f"{self.folder.name}-{step}"[:48].lower().replace("_", "-"),
            attempt=attempt,
            work=work,
            shipped=self.folder,
            tags={},
            baseline=baseline or {},
            memory=channel.memory,
            children=tuple(channel.children),
            account="111122223333",
            region="us-west-2",
            tools=tools,
            channel=channel,
        )

    def again(self, ctx: StepContext[Any], attempt: int | None = None) -> StepContext[Any]:
        """The same step, as the next runner sees it."""
        channel = self.channels[ctx.step_id]
        return replace(
            ctx, attempt=attempt or ctx.attempt, memory=channel.memory, children=tuple(channel.children)
        )


def perform(action: Action[Any], ctx: StepContext[Any]) -> Mapping[str, Any]:
    """probe, apply, probe, verify; the outputs."""
    assert action.probe(ctx).verdict == "absent", action.probe(ctx)
    action.apply(ctx)
    assert action.probe(ctx).verdict in ("ours", "absent")
    found = action.verify(ctx)
    assert found.ok, [check for check in found.checks if not check.ok]
    return found.outputs
