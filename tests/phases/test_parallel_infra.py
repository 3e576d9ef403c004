"""`parallel_infra.stack` against a real Terraform and an emulated AWS: its life, its guards, its crashes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from migrator.contracts.action import Verdict
from migrator.contracts.context import StepContext
from migrator.errors import InDoubt, Interrupted, Refused
from phases.parallel_infra.stack import ApplyStack, StackParams
from tests.tools.terraform_support import Emulator, Notes, context, emulator, resumed, terraform_tool

pytestmark = [pytest.mark.engine, pytest.mark.filterwarnings("ignore::DeprecationWarning:botocore")]

BUCKET, LOCKS = "example-state", "example-locks"
HEAD = """
terraform {
  required_providers { aws = { source = "hashicorp/aws", version = "~> 5.100" } }
  backend "s3" {}
}
variable "project" { type = string }
variable "environment" { type = string }
variable "region" { type = string }
variable "tags" {
  type    = map(string)
  default = {}
}
provider "aws" {
  region = var.region
  default_tags { tags = merge(var.tags, { Project = var.project }) }
}
"""
NETWORK = """
module "vpc" {
  source = "../../../modules/vpc"
}
resource "aws_security_group" "web" {
  for_each = toset(["a", "b"])
  name     = "web-${each.key}"
  vpc_id   = module.vpc.id
  tags     = { Name = "web-${each.key}" }
}
output "vpc_id" { value = module.vpc.id }
output "hidden" {
  value     = "not for the journal"
  sensitive = true
}
"""
VPC = """
resource "aws_vpc" "main" {
  cidr_block = "10.0.0.0/16"
  tags       = { Name = "main" }
}
output "id" { value = aws_vpc.main.id }
"""
SLOW = """
resource "aws_vpc" "main" {
  cidr_block = "10.0.0.0/16"
  tags       = { Name = "main" }
}
resource "aws_subnet" "public" {
  for_each          = { us-west-2a = "10.0.0.0/24", us-west-2b = "10.0.1.0/24" }
  vpc_id            = aws_vpc.main.id
  availability_zone = each.key
  cidr_block        = each.value
  tags              = { Name = "public-${each.key}" }
}
resource "aws_security_group" "web" {
  name   = "web"
  vpc_id = aws_vpc.main.id
}
resource "aws_vpc_security_group_ingress_rule" "https" {
  security_group_id = aws_security_group.web.id
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_ipv4         = "0.0.0.0/0"
}
resource "aws_route53_zone" "main" { name = "example.com" }
resource "aws_route53_record" "www" {
  zone_id = aws_route53_zone.main.zone_id
  name    = "www.example.com"
  type    = "CNAME"
  ttl     = 60
  records = ["old.example.com"]
}
resource "aws_ecr_repository" "app" { name = "app" }
resource "aws_iam_role" "app" {
  name               = "app"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "ec2.amazonaws.com" }
    }]
  })
}
output "zone_id" { value = aws_route53_zone.main.zone_id }
"""
BALANCER = """
resource "aws_lb" "edge" {
  name            = "edge"
  subnets         = [for subnet in aws_subnet.public : subnet.id]
  security_groups = [aws_security_group.web.id]
}
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Emulator]:
    with emulator() as running:
        yield running


@pytest.fixture
def world(server: Emulator) -> Emulator:
    server.reset()
    server.aws.call(
        "s3", "create_bucket", Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "us-west-2"}
    )
    server.aws.call(
        "dynamodb",
        "create_table",
        TableName=LOCKS,
        AttributeDefinitions=[{"AttributeName": "LockID", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "LockID", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return server


def write(folder: Path, main: str, modules: dict[str, str] | None = None) -> None:
    stack = folder / "shipped" / "terraform" / "stacks" / "shop" / "network"
    stack.mkdir(parents=True, exist_ok=True)
    (stack / "main.tf").write_text(HEAD + main)
    for name, text in (modules or {}).items():
        module = folder / "shipped" / "terraform" / "modules" / name
        module.mkdir(parents=True, exist_ok=True)
        (module / "main.tf").write_text(text)


def step(world: Emulator, folder: Path, **params: Any) -> tuple[StepContext[StackParams], Notes]:
    values = StackParams(
        stack="shop/network",
        bucket=BUCKET,
        lock_table=LOCKS,
        variables={"project": "shop", "environment": "test"},
        **params,
    )
    return context(values, folder, world.aws, terraform_tool(world, folder / "terraform"))


def key(name: str = "terraform.tfstate") -> str:
    return f"test/shop/network/{name}"


def count(world: Emulator) -> dict[str, int]:
    call = world.aws.call
    ours = [{"Name": "tag-key", "Values": ["migrator:step"]}]
    return {
        "vpcs": len(call("ec2", "describe_vpcs", Filters=ours)["Vpcs"]),
        "subnets": len(call("ec2", "describe_subnets", Filters=ours)["Subnets"]),
        "groups": len(call("ec2", "describe_security_groups", Filters=ours)["SecurityGroups"]),
        "zones": len(call("route53", "list_hosted_zones")["HostedZones"]),
        "balancers": len(call("elbv2", "describe_load_balancers")["LoadBalancers"]),
        "repositories": len(call("ecr", "describe_repositories")["repositories"]),
    }


def test_a_whole_life(world: Emulator, tmp_path: Path) -> None:
    write(tmp_path, NETWORK, {"vpc": VPC})
    ctx, notes = step(world, tmp_path)
    action = ApplyStack()

    assert len(action.preview(ctx).changes) == 3
    first = action.probe(ctx)
    assert (first.verdict, first.facts["serial"]) == (Verdict.ABSENT, -1)
    ctx = replace(ctx, baseline=first.facts)
    action.apply(ctx)
    assert [child.label for child in notes.children] == ["terraform apply shop/network"]
    last = notes.details[-1]
    assert last["kind"] == "terraform"
    assert {row["state"] for row in last["resources"]} == {"done"}
    assert len(last["resources"]) == 3

    verified = action.verify(ctx)
    assert verified.ok, verified.checks
    assert set(verified.outputs) == {"vpc_id"}
    (report,) = verified.report["terraform"]
    assert (report["stack"], report["added"], report["destroyed"]) == ("shop/network", 3, 0)
    assert action.probe(ctx).verdict is Verdict.OURS
    groups = world.aws.call(
        "ec2", "describe_security_groups", Filters=[{"Name": "group-name", "Values": ["web-a"]}]
    )["SecurityGroups"]
    tags = {tag["Key"]: tag["Value"] for tag in groups[0]["Tags"]}
    assert (tags["migrator:run"], tags["migrator:step"]) == ("run-1", "network")

    # Somebody changed the world by hand: seen, and repaired by the same step.
    world.aws.call("ec2", "delete_security_group", GroupId=groups[0]["GroupId"])
    assert action.probe(ctx).verdict is Verdict.PARTIAL
    action.apply(ctx)
    assert action.verify(ctx).ok
    assert count(world)["groups"] == 2

    action.undo(ctx)
    assert {k: v for k, v in count(world).items() if v} == {}
    assert action.probe(ctx).verdict is Verdict.ABSENT
    action.undo(ctx)
    action.apply(ctx)
    assert action.verify(ctx).ok
    for path in (tmp_path / "work").rglob("*"):
        if path.is_file() and "source" not in path.parts and "providers" not in path.parts:
            assert "example-secret-of-the-emulator" not in path.read_text("utf-8", "replace"), path
        if path.suffix == ".tfplan" or path.name in ("stdout", "spec.json", "status.json"):
            assert path.stat().st_mode & 0o077 == 0, path


def test_a_preview_needs_no_bucket(server: Emulator, tmp_path: Path) -> None:
    server.reset()
    write(tmp_path, NETWORK, {"vpc": VPC})
    ctx, _ = step(server, tmp_path)
    assert len(ApplyStack().preview(ctx).changes) == 3
    assert count(server)["vpcs"] == 0


def test_losing_data_is_refused_unless_it_is_named(world: Emulator, tmp_path: Path) -> None:
    text = 'resource "aws_ecr_repository" "app" {{ name = "{name}" }}'
    write(tmp_path, text.format(name="app"))
    ctx, _ = step(world, tmp_path)
    action = ApplyStack()
    action.apply(ctx)
    write(tmp_path, text.format(name="other"))
    shutil.rmtree(tmp_path / "work" / "source")
    with pytest.raises(Refused, match="hold data") as refused:
        action.apply(ctx)
    assert "replace aws_ecr_repository.app" in refused.value.detail
    with pytest.raises(Refused, match="hold data"):
        action.undo(ctx)
    named = replace(ctx, params=replace(ctx.params, allow_destroy=("aws_ecr_repository.app",)))
    action.apply(named)
    assert action.verify(named).ok
    action.undo(named)
    assert count(world)["repositories"] == 0


def test_terraforms_own_words_and_nothing_done(world: Emulator, tmp_path: Path) -> None:
    write(tmp_path, 'resource "aws_vpc" "main" { cidr_block = "10.0.0.0/99" }')
    ctx, _ = step(world, tmp_path)
    with pytest.raises(Refused, match="plan failed") as refused:
        ApplyStack().apply(ctx)
    assert "aws_vpc.main" in refused.value.detail
    with pytest.raises(Refused, match="no such stack"):
        ApplyStack().probe(replace(ctx, params=replace(ctx.params, stack="../../etc")))


def test_a_failed_apply_is_told_and_repaired(world: Emulator, tmp_path: Path) -> None:
    world.aws.call("ecr", "create_repository", repositoryName="app")
    write(
        tmp_path,
        'resource "aws_ecr_repository" "app" { name = "app" }\n'
        'resource "aws_vpc" "main" { cidr_block = "10.0.0.0/16" }',
    )
    ctx, notes = step(world, tmp_path)
    action = ApplyStack()
    with pytest.raises(Exception, match="apply failed") as failed:
        action.apply(ctx)
    assert "RepositoryAlreadyExists" in str(failed.value)
    ctx, _ = resumed(ctx, notes)
    assert action.probe(ctx).verdict is Verdict.PARTIAL
    world.aws.call("ecr", "delete_repository", repositoryName="app")
    action.apply(ctx)
    assert action.verify(ctx).ok
    assert count(world)["vpcs"] == 1


def test_a_state_of_another_run_is_foreign(world: Emulator, tmp_path: Path) -> None:
    write(tmp_path, NETWORK, {"vpc": VPC})
    ctx, _ = step(world, tmp_path)
    ApplyStack().apply(ctx)
    write(tmp_path / "two", NETWORK, {"vpc": VPC})
    other, _ = context(
        ctx.params, tmp_path / "two", world.aws, terraform_tool(world, tmp_path / "t2"), run_id="run-2"
    )
    found = ApplyStack().probe(other)
    assert found.verdict is Verdict.FOREIGN
    assert "run-1" in found.evidence
    with pytest.raises(Refused, match=r"another run|before this run"):
        ApplyStack().undo(other)
    with pytest.raises(Refused, match="before this run"):
        ApplyStack().undo(replace(other, baseline=found.facts))


def test_somebody_elses_lock_is_not_touched(world: Emulator, tmp_path: Path) -> None:
    write(tmp_path, NETWORK, {"vpc": VPC})
    ctx, _ = step(world, tmp_path)
    lock = {
        "ID": "1",
        "Operation": "OperationTypeApply",
        "Who": "other@host",
        "Created": "2026-01-01T00:00:00Z",
    }
    world.aws.call(
        "s3", "put_object", Bucket=BUCKET, Key=key("terraform.tfstate.tflock"), Body=json.dumps(lock)
    )
    found = ApplyStack().probe(ctx)
    assert found.verdict is Verdict.UNKNOWN
    assert "other@host" in found.evidence
    with pytest.raises(InDoubt):
        ApplyStack().apply(ctx)
    assert world.aws.call("s3", "head_object", Bucket=BUCKET, Key=key("terraform.tfstate.tflock"))


# --- crashes ----------------------------------------------------------------------------------------------


class Killed(BaseException):
    """The test's runner died here."""


def _kill_when(ctx: StepContext[Any], notes: Notes, ready: Callable[[str], bool]) -> None:
    """Kills supervisor and Terraform, and thereby this runner, as soon as `ready` likes the stream."""

    def check() -> None:
        for child in notes.children:
            stream = child.folder / "stdout"
            if stream.exists() and ready(stream.read_text()):
                time.sleep(1)
                os.kill(child.pid, signal.SIGKILL)
                command = json.loads((child.folder / "command.json").read_text())
                os.killpg(command["pid"], signal.SIGKILL)
                raise Killed

    notes.check_cancelled = check  # type: ignore[method-assign]


def _running(stream: str, address: str) -> bool:
    events = [json.loads(line) for line in stream.splitlines() if line.endswith("}")]
    hooks = [
        (event["type"], event["hook"]["resource"]["addr"])
        for event in events
        if event.get("hook", {}).get("resource")
    ]
    return ("apply_start", address) in hooks


MOMENTS = {
    "as the zone is begun": lambda text: _running(text, "aws_route53_zone.main"),
    "as the load balancer is begun": lambda text: _running(text, "aws_lb.edge"),
    "as the subnets are begun": lambda text: _running(text, 'aws_subnet.public["us-west-2b"]'),
}


@pytest.mark.crash
@pytest.mark.parametrize("moment", MOMENTS, ids=lambda name: name.replace(" ", "-"))
def test_a_lost_apply_is_continued_without_a_second_of_anything(
    world: Emulator, tmp_path: Path, moment: str
) -> None:
    balancers = int("balancer" in moment)
    write(tmp_path, SLOW + BALANCER * balancers)
    ctx, notes = step(world, tmp_path, allow_destroy=("*",))
    action = ApplyStack()
    _kill_when(ctx, notes, MOMENTS[moment])
    with pytest.raises(Killed):
        action.apply(ctx)
    time.sleep(5)
    lost = count(world)
    assert sum(lost.values()) > 0

    after, said = resumed(ctx, notes)
    found = action.probe(after)
    assert found.verdict is Verdict.PARTIAL, found.evidence
    assert "lock" in found.evidence
    action.apply(after)
    verified = action.verify(after)
    assert verified.ok, verified.checks
    assert count(world) == {
        "vpcs": 1,
        "subnets": 2,
        "groups": 1,
        "zones": 1,
        "balancers": balancers,
        "repositories": 1,
    }, said.lines
    final, _ = resumed(after, said)
    assert action.probe(final).verdict is Verdict.OURS
    action.undo(final)
    assert {name: number for name, number in count(world).items() if number} == {}


@pytest.mark.crash
def test_an_apply_that_outlives_its_runner_is_followed_to_its_end(world: Emulator, tmp_path: Path) -> None:
    write(tmp_path, NETWORK, {"vpc": VPC})
    ctx, notes = step(world, tmp_path)
    action = ApplyStack()

    class RunnerDied(BaseException):
        pass

    def die(*_: object) -> Any:
        raise RunnerDied

    setattr(ctx.tools.terraform, "follow", die)  # noqa: B010 - a method of a protocol
    with pytest.raises(RunnerDied):
        action.apply(ctx)
    tools = replace(ctx.tools, terraform=terraform_tool(world, tmp_path / "terraform"))
    after, said = resumed(replace(ctx, tools=tools), notes)
    assert action.probe(after).verdict is Verdict.OURS
    assert {row["state"] for row in said.details[-1]["resources"]} == {"done"}
    assert action.verify(after).ok
    assert count(world)["vpcs"] == 1


@pytest.mark.crash
def test_an_interrupt_is_one_signal_and_leaves_no_second_of_anything(world: Emulator, tmp_path: Path) -> None:
    write(tmp_path, SLOW)
    ctx, notes = step(world, tmp_path)
    action = ApplyStack()

    def check() -> None:
        for child in notes.children:
            stream = child.folder / "stdout"
            if stream.exists() and _running(stream.read_text(), "aws_route53_zone.main"):
                raise Interrupted("the operator interrupted")

    notes.check_cancelled = check  # type: ignore[method-assign]
    with pytest.raises(Interrupted):
        action.apply(ctx)
    after, said = resumed(ctx, notes)
    found = action.probe(after)
    assert found.verdict in (Verdict.PARTIAL, Verdict.ABSENT), found.evidence
    action.apply(after)
    assert action.verify(after).ok
    assert count(world)["zones"] == 1, said.lines
    assert count(world)["vpcs"] == 1


@pytest.mark.crash
def test_what_could_not_be_saved_is_pushed(world: Emulator, tmp_path: Path) -> None:
    write(tmp_path, NETWORK, {"vpc": VPC})
    ctx, notes = step(world, tmp_path)
    action = ApplyStack()
    action.apply(ctx)
    state = world.aws.call("s3", "get_object", Bucket=BUCKET, Key=key())["Body"].read()
    root = tmp_path / "work" / "source" / "stacks" / "shop" / "network"
    (root / "errored.tfstate").write_bytes(state)
    world.aws.call("s3", "delete_object", Bucket=BUCKET, Key=key())
    world.aws.call("dynamodb", "delete_item", TableName=LOCKS, Key={"LockID": {"S": f"{BUCKET}/{key()}-md5"}})
    after, _ = resumed(ctx, notes)
    found = action.probe(after)
    assert (found.verdict, "pushed" in found.evidence) == (Verdict.PARTIAL, True)
    action.apply(after)
    assert action.verify(after).ok
    assert not (root / "errored.tfstate").exists()
    assert count(world)["vpcs"] == 1
