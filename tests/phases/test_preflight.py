"""What must hold before the first change, and how its absence is said."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from migrator.contracts.process import Command, Exit
from migrator.errors import Refused
from migrator.tools.aws import BotoAws
from phases.preflight.account import CredentialsCheck, CredentialsParams, HostedZoneCheck, HostedZoneParams
from phases.preflight.machine import ToolsCheck, ToolsParams
from phases.preflight.platform import LightsailCheck, LightsailParams
from tests.phases.lightsail import held, make_service
from tests.phases.world import Step, bad
from tests.tools.aws_servers import ACCOUNT, surroundings


class Programs:
    """A machine with some programs on it."""

    def __init__(self, terraform: str | None) -> None:
        self.terraform = terraform

    def find(self, program: str, candidates: Sequence[str] = ()) -> Path | None:
        return Path("/usr/bin") / program if self.terraform is not None else None

    def run(self, command: Command, input_text: str | None = None) -> tuple[Exit, str, str]:
        assert command.argv[1:] == ("version", "-json")
        nowhere = Path("/dev/null")
        return Exit(0, "", 0.1, nowhere, nowhere, ok=True), self.terraform or "", ""


class Clients:
    """A PostgreSQL tool that knows the version of its programs, or has none."""

    def __init__(self, version: str) -> None:
        self.version = version

    def programs(self, minimum_major: int = 0) -> Any:
        if not self.version:
            raise Refused("there are no client programs")
        return self


def tools_step(work: Path, terraform: str | None, client: str = "15.18", **params: Any) -> Step:
    tools = {"processes": Programs(terraform), "postgres": Clients(client)}
    return Step(ToolsCheck(), ToolsParams(**params), work, tools)


def version(number: str) -> str:
    return json.dumps({"terraform_version": number})


def test_tools_that_are_new_enough(tmp_path: Path) -> None:
    done = tools_step(tmp_path, version("1.11.4")).verify()
    assert done.ok
    assert done.outputs == {"terraform_version": "1.11.4", "postgres_client_version": "15.18"}


@pytest.mark.parametrize(
    ("terraform", "postgres", "red"),
    [
        (version("1.9.8"), "15.18", "Terraform is 1.11 or newer: 1.9.8"),
        (None, "15.18", "Terraform is 1.11 or newer: terraform is not on the PATH"),
        ("not JSON", "15.18", "Terraform is 1.11 or newer: terraform is not on the PATH"),
        (version("1.12.0-beta1"), "", "PostgreSQL's client programs are here: there are no client programs"),
    ],
)
def test_tools_that_are_missing_or_old(
    tmp_path: Path, terraform: str | None, postgres: str, red: str
) -> None:
    assert bad(tools_step(tmp_path, terraform, postgres).verify()) == [red]


def test_postgres_is_not_needed_everywhere(tmp_path: Path) -> None:
    assert tools_step(tmp_path, version("1.11.4"), "", postgres=False).verify().ok


def test_credentials_of_this_account(aws: BotoAws, tmp_path: Path) -> None:
    found = Step(CredentialsCheck(), CredentialsParams(), tmp_path, {"aws": aws}).verify()
    assert found.outputs["account"] == ACCOUNT
    assert found.ok


def test_credentials_of_another_account(endpoint: str, tmp_path: Path) -> None:
    class Other(BotoAws):
        def call(self, *given: Any, **more: Any) -> dict[str, Any]:
            return super().call(*given, **more) | {"Account": "999988887777", "Arn": "arn:aws:iam::1:root"}

    aws = Other(surroundings(endpoint))
    red = bad(Step(CredentialsCheck(), CredentialsParams(), tmp_path, {"aws": aws}).verify())
    assert len(red) == 2


def test_lightsail_services(aws: BotoAws, tmp_path: Path) -> None:
    make_service(aws, "backend", {})
    make_service(aws, "frontend", {})
    step = Step(LightsailCheck(), LightsailParams(("backend", "frontend")), tmp_path, {"aws": aws})
    done = step.verify()
    assert done.ok
    assert done.outputs["states"] == {"backend": "RUNNING", "frontend": "RUNNING"}
    assert done.outputs["domains"]["backend"].endswith(".us-west-2.cs.amazonlightsail.com")
    held("backend").disabled = True
    assert "backend runs: DISABLED" in bad(step.verify())
    missing = Step(LightsailCheck(), LightsailParams(("nobody",)), tmp_path, {"aws": aws}).verify()
    assert bad(missing) == ["nobody is there: no such container service in us-west-2"]


def test_hosted_zone(aws: BotoAws, tmp_path: Path) -> None:
    zone = aws.call("route53", "create_hosted_zone", Name="example.com", CallerReference="1")["HostedZone"][
        "Id"
    ]

    def check(domain: str) -> Any:
        params = HostedZoneParams(zone.removeprefix("/hostedzone/"), domain)
        return Step(HostedZoneCheck(), params, tmp_path, {"aws": aws}).verify()

    done = check("Example.com.")
    assert done.ok
    assert done.outputs["zone_name"] == "example.com"
    assert done.outputs["name_servers"]
    assert bad(check("example.org")) == ["the zone is the domain's: example.com, expected example.org"]


def test_reads_leave_nothing(aws: BotoAws, tmp_path: Path) -> None:
    step = Step(CredentialsCheck(), CredentialsParams(), tmp_path, {"aws": aws})
    assert step.preview().changes == ()
    step.probe()
    step.apply()
    step.undo()
