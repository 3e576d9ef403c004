"""`state_bootstrap.backend` against an emulated AWS: its life, whose the names are, and what is not removed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from migrator.contracts.action import Verdict
from migrator.contracts.aws import AwsRefused
from migrator.contracts.context import StepContext
from migrator.errors import Refused
from phases.state_bootstrap import BackendParams, StateBackend
from tests.tools.terraform_support import BotoAws, Emulator, Notes, context, emulator

pytestmark = [pytest.mark.engine, pytest.mark.filterwarnings("ignore::DeprecationWarning:botocore")]

NAMES = BackendParams(bucket="example-state", lock_table="example-locks")


@pytest.fixture(scope="module")
def server() -> Iterator[Emulator]:
    with emulator() as running:
        yield running


@pytest.fixture
def aws(server: Emulator) -> BotoAws:
    server.reset()
    return server.aws


def step(aws: BotoAws, folder: Path, **more: Any) -> tuple[StepContext[BackendParams], Notes]:
    return context(NAMES, folder, aws, step_id="backend", **more)


def test_a_whole_life(aws: BotoAws, tmp_path: Path) -> None:
    action = StateBackend()
    ctx, _ = step(aws, tmp_path)
    assert action.preview(ctx).changes == (
        "create the bucket example-state",
        "create the table example-locks",
    )
    first = action.probe(ctx)
    assert first.verdict is Verdict.ABSENT
    ctx = replace(ctx, baseline=first.facts)
    action.apply(ctx)
    verified = action.verify(ctx)
    assert verified.ok, [check for check in verified.checks if not check.ok]
    assert len(verified.checks) == 13
    assert verified.outputs == {
        "bucket": "example-state",
        "lock_table": "example-locks",
        "region": "us-west-2",
    }
    assert action.probe(ctx).verdict is Verdict.OURS
    assert action.preview(ctx).changes == ()
    assert "Versions" not in aws.call("s3", "list_object_versions", Bucket="example-state")
    action.undo(ctx)
    assert action.probe(ctx).verdict is Verdict.ABSENT
    action.undo(ctx)
    action.apply(ctx)
    assert action.verify(ctx).ok


def test_what_was_changed_by_hand_is_repaired(aws: BotoAws, tmp_path: Path) -> None:
    action = StateBackend()
    ctx, _ = step(aws, tmp_path)
    action.apply(ctx)
    aws.call("s3", "delete_bucket_policy", Bucket="example-state")
    aws.call(
        "s3", "put_bucket_versioning", Bucket="example-state", VersioningConfiguration={"Status": "Suspended"}
    )
    aws.call("s3", "delete_public_access_block", Bucket="example-state")
    found = action.probe(ctx)
    assert found.verdict is Verdict.PARTIAL
    assert "versioning" in found.evidence
    assert "TLS" in found.evidence
    assert not action.verify(ctx).ok
    action.apply(ctx)
    assert action.verify(ctx).ok


@pytest.mark.crash
@pytest.mark.parametrize("after", range(1, 9))
def test_a_crash_after_any_call_is_repaired(aws: BotoAws, tmp_path: Path, after: int) -> None:
    class Crash(BaseException):
        pass

    class Counting(BotoAws):
        changes = 0

        def call(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
            found = aws.call(service, operation, **parameters)
            if operation.startswith(("create", "put", "update", "tag")):
                self.changes += 1
                if self.changes == after:
                    raise Crash
            return found

    action = StateBackend()
    ctx, notes = step(aws, tmp_path)
    crashing = replace(ctx, tools=replace(ctx.tools, aws=Counting("unused")))
    with pytest.raises(Crash):
        action.apply(crashing)
    found = action.probe(ctx)
    assert found.verdict is (Verdict.OURS if after == 8 else Verdict.PARTIAL), found
    assert notes.memory["bucket_creation_sent"]
    action.apply(ctx)
    assert action.verify(ctx).ok


def test_names_of_others_are_foreign(aws: BotoAws, tmp_path: Path) -> None:
    action = StateBackend()
    other, _ = step(aws, tmp_path, run_id="run-0")
    action.apply(other)
    ctx, _ = step(aws, tmp_path)
    found = action.probe(ctx)
    assert found.verdict is Verdict.FOREIGN
    assert "run-0" in found.evidence
    with pytest.raises(Refused, match="run-0"):
        action.apply(ctx)
    with pytest.raises(Refused, match="run-0"):
        action.preview(ctx)
    continued = replace(ctx, params=replace(NAMES, existing="continue"))
    found = action.probe(continued)
    assert found.verdict is Verdict.PARTIAL
    continued = replace(continued, baseline=found.facts)
    action.apply(continued)
    assert action.verify(continued).ok
    action.undo(continued)
    assert action.verify(continued).ok


def test_a_bucket_of_another_account_is_foreign(aws: BotoAws, tmp_path: Path) -> None:
    class Forbidden(BotoAws):
        def call(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
            if operation == "head_bucket":
                raise AwsRefused("Forbidden", code="403")
            return aws.call(service, operation, **parameters)

    ctx, _ = step(aws, tmp_path)
    found = StateBackend().probe(replace(ctx, tools=replace(ctx.tools, aws=Forbidden("unused"))))
    assert found.verdict is Verdict.FOREIGN
    assert "somebody else" in found.evidence


def test_states_with_resources_are_never_removed(aws: BotoAws, tmp_path: Path) -> None:
    action = StateBackend()
    ctx, _ = step(aws, tmp_path)
    action.apply(ctx)

    def put(key: str, body: Any) -> None:
        aws.call("s3", "put_object", Bucket="example-state", Key=key, Body=json.dumps(body).encode())

    held = {"version": 4, "resources": [{"mode": "managed", "type": "aws_vpc", "instances": [{}]}]}
    put("test/network/terraform.tfstate", held)
    with pytest.raises(Refused, match="not empty") as refused:
        action.undo(ctx)
    assert "1 resources" in refused.value.detail
    put("test/network/terraform.tfstate", {"version": 4, "resources": []})
    put("notes.txt", "mine")
    with pytest.raises(Refused, match="not empty"):
        action.undo(ctx)
    for version in aws.call("s3", "list_object_versions", Bucket="example-state", Prefix="notes")["Versions"]:
        aws.call(
            "s3", "delete_object", Bucket="example-state", Key="notes.txt", VersionId=version["VersionId"]
        )
    item = {"LockID": {"S": "example-state/test/network/terraform.tfstate"}, "Info": {"S": "{}"}}
    aws.call("dynamodb", "put_item", TableName="example-locks", Item=item)
    with pytest.raises(Refused, match="in use"):
        action.undo(ctx)
    assert action.probe(ctx).verdict is Verdict.OURS
    aws.call("dynamodb", "delete_item", TableName="example-locks", Key={"LockID": item["LockID"]})
    action.undo(ctx)
    assert action.probe(ctx).verdict is Verdict.ABSENT
