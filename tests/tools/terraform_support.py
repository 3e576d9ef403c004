"""An emulator, a small AWS door and a step context for tests of Terraform and of the actions on it."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from migrator.contracts.aws import AwsRefused
from migrator.contracts.context import StepContext, Tools
from migrator.contracts.process import Child
from migrator.contracts.surroundings import Surroundings
from migrator.secrets import Secret
from migrator.tools.process import LocalProcesses
from migrator.tools.terraform import TerraformTool

ACCOUNT, REGION = "123456789012", "us-west-2"
KEY_ID, SECRET_KEY = "AKIAEXAMPLEEXAMPLE00", "example-secret-of-the-emulator"


# moto takes every denial with a condition as unconditional; to it each request came without TLS and with it.
_SERVER = """
import json
from moto.s3.models import FakeBucket
from moto.iam.access_control import IAMPolicy, PermissionResult
def get_permission(self, action, resource):
    if self.policy is None:
        return PermissionResult.NEUTRAL
    policy = json.loads(self.policy)
    policy["Statement"] = [s for s in policy["Statement"] if "aws:SecureTransport" not in json.dumps(s)]
    return IAMPolicy(json.dumps(policy)).is_action_permitted(action, resource)
FakeBucket.get_permission = get_permission
from moto.server import main
main()
"""


class BotoAws:
    """The AWS contract by boto3, as small as tests need it."""

    def __init__(self, endpoint: str, account: str = ACCOUNT, region: str = REGION) -> None:
        self.account, self.region, self._endpoint = account, region, endpoint
        self._clients: dict[tuple[str, str], Any] = {}

    def client(self, service: str, region: str | None = None) -> Any:
        key = (service, region or self.region)
        if key not in self._clients:
            self._clients[key] = boto3.client(
                service,
                region_name=key[1],
                endpoint_url=self._endpoint,
                aws_access_key_id=KEY_ID,
                aws_secret_access_key=SECRET_KEY,
                config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
            )
        return self._clients[key]

    def call(
        self, service: str, operation: str, *, region: str | None = None, **parameters: Any
    ) -> dict[str, Any]:
        try:
            found: dict[str, Any] = getattr(self.client(service, region), operation)(**parameters)
        except ClientError as error:
            said = error.response["Error"]
            raise AwsRefused(said.get("Message", ""), code=said["Code"], where=operation) from None
        return found

    def pages(self, service: str, operation: str, key: str, **parameters: Any) -> Iterator[Any]:
        for page in self.client(service).get_paginator(operation).paginate(**parameters):
            yield from page[key]


@dataclass
class Emulator:
    """A running emulator."""

    endpoint: str
    process: subprocess.Popen[bytes]
    aws: BotoAws

    def reset(self) -> None:
        import urllib.request

        request = urllib.request.Request(f"{self.endpoint}/moto-api/reset", method="POST")
        urllib.request.urlopen(request, timeout=30).close()


@contextlib.contextmanager
def emulator() -> Iterator[Emulator]:
    """moto in a process of its own, on a free port of loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVER, "-H", "127.0.0.1", "-p", str(port)],
        env={**os.environ, "MOTO_IAM_LOAD_MANAGED_POLICIES": "true"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        end = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
                break
            assert process.poll() is None, "the emulator ended"
            assert time.monotonic() < end, "the emulator did not start"
            time.sleep(0.1)
        endpoint = f"http://127.0.0.1:{port}"
        yield Emulator(endpoint, process, BotoAws(endpoint))
    finally:
        process.kill()
        process.wait()


@dataclass
class Notes:
    """A step's channel that keeps everything."""

    memory: dict[str, Any] = field(default_factory=dict)
    children: list[Child] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    commands: list[tuple[str, ...]] = field(default_factory=list)
    details: list[Mapping[str, Any]] = field(default_factory=list)
    stop: BaseException | None = None

    def remember(self, values: Mapping[str, Any]) -> None:
        self.memory.update(values)

    def spawned(self, child: Child) -> None:
        self.children.append(child)

    def log(self, line: str) -> None:
        self.lines.append(line)

    def command(self, argv: Sequence[str]) -> None:
        self.commands.append(tuple(argv))

    def progress(
        self,
        message: str,
        done: float | None = None,
        total: float | None = None,
        unit: str = "",
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        if detail:
            self.details.append(detail)

    def check_cancelled(self) -> None:
        if self.stop is not None:
            raise self.stop

    def sleep(self, seconds: float) -> None:
        time.sleep(min(seconds, 0.2))


def surroundings(endpoint: str) -> Surroundings:
    return Surroundings(
        account=ACCOUNT,
        region=REGION,
        reach=cast(Any, None),
        aws_endpoint=endpoint,
        aws_credentials=(KEY_ID, Secret(SECRET_KEY)),
        environment={"AWS_MAX_ATTEMPTS": "2"},
    )


def terraform_tool(run: Emulator, folder: Path) -> TerraformTool:
    return TerraformTool(LocalProcesses(), surroundings(run.endpoint), run.aws, folder)


def context(  # one place makes contexts
    params: Any,
    folder: Path,
    aws: BotoAws,
    terraform: Any = None,
    run_id: str = "run-1",
    step_id: str = "network",
) -> tuple[StepContext[Any], Notes]:
    notes = Notes()
    work = folder / "work"
    work.mkdir(mode=0o700, parents=True, exist_ok=True)
    tools = Tools(
        aws=aws,
        terraform=terraform,
        processes=LocalProcesses(),
        **{name: cast(Any, None) for name in ("postgres", "images", "dns", "http", "secrets", "clock")},
    )
    ctx: StepContext[Any] = StepContext(
        run_id=run_id,
        step_id=step_id,
        params=params,
        key=f"{run_id}-{step_id}",
        attempt=1,
        work=work,
        shipped=folder / "shipped",
        tags={"migrator:run": run_id, "migrator:step": step_id},
        baseline={},
        memory=notes.memory,
        children=(),
        account=ACCOUNT,
        region=REGION,
        tools=tools,
        channel=notes,
    )
    return ctx, notes


def resumed(ctx: StepContext[Any], notes: Notes) -> tuple[StepContext[Any], Notes]:
    """The context as a new runner would have it after a crash."""
    after = Notes(memory=dict(notes.memory))
    return replace(ctx, channel=after, children=tuple(notes.children), memory=after.memory), after
