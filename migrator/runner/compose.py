"""The one place that names concrete tools and actions."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from migrator import __version__
from migrator.contracts.action import Action, ActionSpec
from migrator.contracts.context import Tools
from migrator.contracts.surroundings import Surroundings
from migrator.errors import StepError, UsageError
from migrator.lab.client import Manifest
from migrator.secrets import Secret
from migrator.tools.aws import BotoAws
from migrator.tools.dns import DnsClient
from migrator.tools.http import HttpClient
from migrator.tools.images import RegistryImages
from migrator.tools.postgres import PostgresTool
from migrator.tools.process import LocalProcesses
from migrator.tools.reach import DirectReach, LabReach
from migrator.tools.secret_store import ReferencedSecrets
from migrator.tools.terraform import TerraformTool
from migrator.tools.tunnel import VARIABLE, TunnelReach

PLUGINS = "migrator.actions"


class SystemClock:
    """The machine's time."""

    def now(self) -> datetime:
        """The present, in UTC."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Waits."""
        time.sleep(max(0.0, seconds))


def actions() -> dict[str, Action[Any]]:
    """Every action by name: the shipped ones and those of plug-ins; `UsageError` when a name is taken twice."""
    from phases import shipped_actions

    found = list(shipped_actions())
    for entry in entry_points(group=PLUGINS):
        found.extend(entry.load()())
    by_name: dict[str, Action[Any]] = {}
    for action in found:
        if action.spec.name in by_name:
            raise UsageError(
                f"two actions are named {action.spec.name!r}", next="remove or rename the plug-in"
            )
        by_name[action.spec.name] = action
    return by_name


def catalogue() -> Mapping[str, ActionSpec]:
    """What is known of every action without running it."""
    return {name: action.spec for name, action in actions().items()}


def tools(surroundings: Surroundings, folder: Path) -> Tools:
    """The tools for these surroundings; `folder` holds what they share over all steps (0700)."""
    aws = BotoAws(surroundings)
    processes = LocalProcesses()
    dns = DnsClient(surroundings)
    secrets = ReferencedSecrets(aws)
    return Tools(
        aws=aws,
        terraform=TerraformTool(processes, surroundings, aws, folder),
        postgres=PostgresTool(surroundings.reach, secrets, processes),
        images=RegistryImages(surroundings.reach, processes, surroundings.ca_file),
        dns=dns,
        http=HttpClient(surroundings, dns),
        processes=processes,
        secrets=secrets,
        clock=SystemClock(),
    )


def versions(found: Tools) -> dict[str, str]:
    """The releases that a run is pinned to; an empty text where a tool is missing (the preflight says so)."""
    try:
        terraform = found.terraform.version()
    except StepError:
        terraform = ""
    return {"migrator": __version__, "terraform": terraform}


def real_surroundings(region: str, folder: Path) -> Surroundings:
    """The machine as it is: its credentials, its resolvers, its routes. The account is asked of AWS.

    Private addresses are reached by the operator's tunnel, if the environment names one; `folder` (0700) keeps
    what is known of it. An endpoint of the operator's own holds for Terraform too, as boto3 has it.
    """
    unknown = Surroundings(
        account="",
        region=region,
        reach=DirectReach(),
        aws_profile=os.environ.get("AWS_PROFILE") or None,
        aws_endpoint=os.environ.get("AWS_ENDPOINT_URL") or None,
    )
    if command := os.environ.get(VARIABLE, ""):
        tunnel = TunnelReach(command, folder)
        unknown = dataclasses.replace(unknown, reach=tunnel, close=tunnel.close)
    identity = BotoAws(unknown).call("sts", "get_caller_identity")
    return dataclasses.replace(unknown, account=str(identity["Account"]))


def lab_surroundings(manifest: Manifest, guard_file: Path) -> Surroundings:
    """The twin: every answer leads to loopback."""
    aws = manifest.aws
    return Surroundings(
        account=aws["account"],
        region=aws["region"],
        reach=LabReach(manifest.control, Secret(manifest.token)),
        aws_endpoint=aws["endpoint"],
        aws_credentials=(aws["access_key_id"], Secret(aws["secret_access_key"])),
        dns_resolvers=(manifest.dns["resolver"],),
        dns_authoritative=(manifest.dns["authoritative"],),
        ca_file=manifest.ca_file,
        guard_file=guard_file,
        environment={"AWS_EC2_METADATA_DISABLED": "true", "AWS_MAX_ATTEMPTS": "3"},
    )
