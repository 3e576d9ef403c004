"""Secrets from a container service into Secrets Manager, and back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from migrator.contracts.action import Verdict
from migrator.errors import Refused
from migrator.tools.aws import BotoAws
from phases.secrets_handover import HandOver, HandoverParams
from tests.phases.lightsail import deploy, make_service
from tests.phases.world import Step, bad, lifecycle

ENVIRONMENT = {
    "JWT_SECRET": "correct-horse-battery",
    "NODE_ENV": "production",
    "DB_PASSWORD": "staple-staple",
}


@pytest.fixture(autouse=True)
def backend(aws: BotoAws) -> None:
    make_service(aws, "backend", ENVIRONMENT)


def secret(aws: BotoAws, **value: str) -> str:
    return str(aws.call("secretsmanager", "create_secret", Name="shop/prod/application", **value)["ARN"])


def step(aws: BotoAws, arn: str, work: Path, *keys: str) -> Step:
    params = HandoverParams("backend", keys or ("JWT_SECRET", "DB_PASSWORD"), arn)
    return Step(HandOver(), params, work, {"aws": aws})


def value(aws: BotoAws, arn: str) -> str:
    # Without a stage the emulator gives the newest version, not the current one.
    found = aws.call("secretsmanager", "get_secret_value", SecretId=arn, VersionStage="AWSCURRENT")
    return str(found["SecretString"])


def test_lifecycle_over_an_empty_secret(aws: BotoAws, tmp_path: Path) -> None:
    arn = secret(aws)
    each = step(aws, arn, tmp_path)
    done = lifecycle(each)
    assert json.loads(value(aws, arn)) == {n: ENVIRONMENT[n] for n in ("JWT_SECRET", "DB_PASSWORD")}
    assert done.outputs["keys"] == ["JWT_SECRET", "DB_PASSWORD"]
    each.undo()
    assert value(aws, arn) == "{}"


def test_lifecycle_over_a_value_of_before(aws: BotoAws, tmp_path: Path) -> None:
    arn = secret(aws, SecretString="of before")
    each = step(aws, arn, tmp_path)
    lifecycle(each)
    each.undo()
    assert value(aws, arn) == "of before"


def test_after_undo_no_stage_holds_the_values(aws: BotoAws, tmp_path: Path) -> None:
    arn = secret(aws)
    each = step(aws, arn, tmp_path)
    each.probe()
    each.apply()
    version = each.verify().outputs["version_id"]
    each.undo()
    stages = aws.call("secretsmanager", "describe_secret", SecretId=arn)["VersionIdsToStages"]
    assert not stages.get(version)


def test_nothing_of_the_values_is_said(aws: BotoAws, tmp_path: Path) -> None:
    arn = secret(aws)
    each = step(aws, arn, tmp_path)
    said = [each.preview(), each.probe()]
    each.apply()
    text = str([*said, each.probe(), each.verify(), each.notebook.lines, each.notebook.memory])
    assert "correct-horse" not in text
    assert "staple" not in text


def test_a_value_put_by_someone_else_meanwhile_is_foreign(aws: BotoAws, tmp_path: Path) -> None:
    arn = secret(aws)
    each = step(aws, arn, tmp_path)
    each.probe()
    aws.call("secretsmanager", "put_secret_value", SecretId=arn, SecretString="theirs")
    assert each.probe().verdict is Verdict.FOREIGN
    each.undo()
    assert value(aws, arn) == "theirs"


def test_a_changed_source_is_red(aws: BotoAws, tmp_path: Path) -> None:
    arn = secret(aws)
    each = step(aws, arn, tmp_path)
    each.probe()
    each.apply()
    deploy(aws, "backend", ENVIRONMENT | {"JWT_SECRET": "rotated-meanwhile"})
    assert bad(each.verify()) == ["JWT_SECRET is equal on both sides: "]
    with pytest.raises(Refused, match="changed since"):
        each.apply()


def test_missing_keys_are_named(aws: BotoAws, tmp_path: Path) -> None:
    arn = secret(aws)
    with pytest.raises(Refused, match="no value for MISSING, OTHER"):
        step(aws, arn, tmp_path, "JWT_SECRET", "MISSING", "OTHER").apply()
    with pytest.raises(Refused, match="no value for any key"):
        Step(HandOver(), HandoverParams("backend", (), arn), tmp_path, {"aws": aws}).apply()
