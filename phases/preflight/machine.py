"""The operator's machine: the programs that later steps start, and their versions."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from migrator.contracts.action import ActionSpec, Check, Verification
from migrator.contracts.context import StepContext
from migrator.contracts.process import Command
from migrator.errors import Refused
from migrator.model.runbook import EffectClass
from phases.reads import Read

_DEADLINE_SECONDS = 30.0


@dataclass(frozen=True)
class ToolsParams:
    """The lowest Terraform version, and whether PostgreSQL's client programs are needed."""

    terraform_minimum: str = "1.11"
    postgres: bool = True


class ToolsCheck(Read):
    """`preflight.tools`: Terraform and PostgreSQL's client programs are here, new enough."""

    spec = ActionSpec(
        name="preflight.tools",
        summary="Terraform and PostgreSQL's client programs are on this machine",
        effect=EffectClass.READ,
        params=ToolsParams,
        outputs={
            "terraform_version": "version of Terraform",
            "postgres_client_version": "version of pg_dump; empty when it is not needed",
        },
        reprove=False,
    )

    def verify(self, ctx: StepContext[ToolsParams]) -> Verification:
        """Asks each program for its version."""
        terraform = _terraform_version(ctx)
        minimum = ctx.params.terraform_minimum
        checks = [
            Check(
                f"Terraform is {minimum} or newer",
                bool(terraform) and _numbers(terraform) >= _numbers(minimum),
                terraform or "terraform is not on the PATH",
            )
        ]
        client = ""
        if ctx.params.postgres:
            client, reason = _postgres_version(ctx)
            checks.append(Check("PostgreSQL's client programs are here", bool(client), client or reason))
        return Verification(
            tuple(checks), {"terraform_version": terraform, "postgres_client_version": client}
        )


def _terraform_version(ctx: StepContext[Any]) -> str:
    text = _output(ctx, "terraform", "version", "-json")
    try:
        return str(json.loads(text)["terraform_version"])
    except (ValueError, KeyError, TypeError):
        return ""


def _postgres_version(ctx: StepContext[Any]) -> tuple[str, str]:
    """Version of the programs that later steps will use, or why there are none."""
    try:
        return ctx.tools.postgres.programs().version, ""
    except Refused as error:
        return "", str(error)


def _output(ctx: StepContext[Any], program: str, *arguments: str) -> str:
    path: Path | None = ctx.tools.processes.find(program)
    if path is None:
        return ""
    environment = {"PATH": os.environ.get("PATH", ""), "HOME": str(ctx.work), "CHECKPOINT_DISABLE": "1"}
    command = Command(
        argv=(str(path), *arguments),
        label=f"{program} version",
        cwd=ctx.work,
        environment=environment,
        deadline_seconds=_DEADLINE_SECONDS,
    )
    ended, stdout, _ = ctx.tools.processes.run(command)
    return stdout if ended.ok else ""


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version.partition("-")[0]))
