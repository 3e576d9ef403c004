"""Terraform's surroundings, arguments, event stream, state and sources, without a Terraform."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest

from migrator.contracts.surroundings import Surroundings
from migrator.contracts.terraform import Backend, PlannedChange, StateResource
from migrator.errors import Refused
from migrator.secrets import Secret
from migrator.tools.terraform import sources, stream
from migrator.tools.terraform import state as states
from migrator.tools.terraform import surroundings as around
from migrator.tools.terraform.arguments import FLAG, arguments
from phases.parallel_infra import guard
from tests.tools.terraform_support import surroundings


def line(kind: str, **body: Any) -> str:
    return json.dumps({"type": kind, "@timestamp": "2026-01-01T00:00:00.000000Z", "@message": kind, **body})


def hook(kind: str, address: str, action: str = "create", **more: Any) -> str:
    resource = {"addr": address, "resource_type": address.split(".")[0]}
    return line(kind, hook={"resource": resource, "action": action, **more})


def test_arguments_come_from_the_builder() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = arguments(Path("/bin/tf"), "apply", "p.tfplan", json=FLAG, input=False, target=["a.b", "c.d"])
    assert found == ("/bin/tf", "apply", "-json", "-input=false", "-target=a.b", "-target=c.d", "p.tfplan")
    assert arguments(Path("tf"), "state push", "x") == ("tf", "state", "push", "x")
    with pytest.raises(TypeError):
        arguments(Path("tf"), "plan", var={"password": "secret"})


def test_an_emulator_gets_nothing_of_the_machines_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in (
        "AWS_PROFILE",
        "AWS_SESSION_TOKEN",
        "TF_LOG",
        "TF_CLI_ARGS",
        "TF_VAR_region",
        "AWS_CA_BUNDLE",
    ):
        monkeypatch.setenv(name, "of the machine")
    found = around.environment(surroundings("http://127.0.0.1:1"), tmp_path / "rc", tmp_path / "data")
    assert "of the machine" not in found.values()
    assert found["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1"
    assert found["AWS_REGION"] == found["AWS_DEFAULT_REGION"] == "us-west-2"
    assert found["TF_DATA_DIR"] == str(tmp_path / "data")
    assert found["TF_IN_AUTOMATION"] == "1"


def test_a_real_run_keeps_the_operators_credentials_but_not_his_endpoint(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_SSO_THING", "kept")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://elsewhere")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    real = Surroundings(account="1", region="eu-west-1", reach=None, aws_profile="prod")  # type: ignore[arg-type]
    found = around.environment(real, tmp_path, tmp_path)
    assert found["AWS_SSO_THING"] == "kept"
    assert found["AWS_PROFILE"] == "prod"
    assert not {"AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID"} & set(found)
    keys = Surroundings(
        account="1",
        region="eu-west-1",
        reach=None,  # type: ignore[arg-type]
        aws_credentials=("AKIAOTHER", Secret("a-secret-value")),
    )
    found = around.environment(keys, tmp_path, tmp_path)
    assert (found["AWS_ACCESS_KEY_ID"], found["AWS_SECRET_ACCESS_KEY"]) == ("AKIAOTHER", "a-secret-value")


def test_backend_settings_hold_no_secret_and_both_locks() -> None:
    real = Surroundings(account="1", region="eu-west-1", reach=None)  # type: ignore[arg-type]
    backend = Backend("example-state", "test/x.tfstate", "eu-west-1", "locks")
    text = around.backend_file(around.backend_settings(backend, real))
    assert text.splitlines() == [
        'bucket = "example-state"',
        'key = "test/x.tfstate"',
        'region = "eu-west-1"',
        "encrypt = true",
        "use_lockfile = true",
        'dynamodb_table = "locks"',
    ]
    emulated = around.backend_settings(backend, surroundings("http://127.0.0.1:1"))
    assert emulated["use_path_style"] is True


def test_provider_source_is_found_in_order(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(around.MIRROR_VARIABLE, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", str(tmp_path / "missing.tfrc"))
    assert around.operators_config() is None
    (tmp_path / "own.tfrc").write_text("")
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", str(tmp_path / "own.tfrc"))
    assert around.operators_config() == tmp_path / "own.tfrc"
    deep = tmp_path / "opt" / "one" / "two"
    (deep / "registry.terraform.io" / "hashicorp" / "aws").mkdir(parents=True)
    assert around.provider_mirror((str(tmp_path / "none"), str(tmp_path / "opt"))) == deep
    assert around.provider_mirror((str(tmp_path / "none"),)) is None
    named = tmp_path / "named"
    (named / "registry.terraform.io" / "hashicorp" / "aws").mkdir(parents=True)
    monkeypatch.setenv(around.MIRROR_VARIABLE, str(named))
    assert around.provider_mirror((str(tmp_path / "opt"),)) == named
    text = around.cli_config(named, tmp_path / "cache")
    assert f'path    = "{named}"' in text
    assert text.count('["registry.terraform.io/hashicorp/aws"]') == 2
    assert "plugin_cache_dir" in around.cli_config(None, tmp_path / "cache")


def test_a_stream_adds_up_to_counts_errors_and_rows() -> None:
    events = stream.ApplyStream("shop/network")
    for text in (
        "not json",
        '{"broken',
        '["a", "list"]',
        line("version", ui="1.2"),
        line("planned_change", change={"resource": {"addr": "aws_vpc.a"}, "action": "create"}),
        line("planned_change", change={"resource": {"addr": "aws_eip.late"}, "action": "create"}),
        hook("apply_start", "aws_vpc.a"),
        hook("apply_progress", "aws_vpc.a", elapsed_seconds=10),
        hook("apply_complete", "aws_vpc.a", id_key="id", id_value="vpc-1", elapsed_seconds=12),
        hook("apply_start", "aws_subnet.b"),
        hook("apply_errored", "aws_subnet.b", elapsed_seconds=1),
        hook("apply_start", "data.aws_ami.c", action="read"),
        line("something_new", field=1),
        line(
            "diagnostic",
            diagnostic={
                "severity": "error",
                "summary": "no\x1b[2J room",
                "detail": "why",
                "address": "aws_subnet.b",
            },
        ),
        line("diagnostic", diagnostic={"severity": "warning", "summary": "careful"}),
    ):
        events.feed(text)
    found = events.applied()
    assert [(r.address, r.state, r.id) for r in found.resources] == [
        ("aws_vpc.a", "done", "vpc-1"),
        ("aws_subnet.b", "failed", ""),
    ]
    assert (found.added, found.whole) == (1, False)
    assert found.errors == ("aws_subnet.b: no room\nwhy",)
    assert events.counts == (1, 3)
    assert [(row["address"], row["state"], row["seconds"]) for row in events.detail()["resources"]] == [
        ("aws_eip.late", "pending", 0.0),
        ("aws_subnet.b", "failed", 1.0),
        ("aws_vpc.a", "done", 12.0),
    ]
    events.feed(line("change_summary", changes={"add": 4, "change": 2, "remove": 1, "operation": "apply"}))
    found = events.applied()
    assert (found.added, found.changed, found.destroyed, found.whole) == (4, 2, 1, True)


def test_an_unknown_major_version_of_the_stream_is_refused() -> None:
    with pytest.raises(Refused, match="version 2"):
        stream.planned([line("version", ui="2.0")])
    with pytest.raises(Refused, match="evict"):
        stream.planned([line("planned_change", change={"resource": {"addr": "a.b"}, "action": "evict"})])


def test_state_addresses_are_those_of_terraform() -> None:
    instances = [
        {"index_key": "us-west-2a", "attributes": {"id": "i-1", "tags_all": {"migrator:run": "r"}}},
        {"index_key": 0, "attributes": {"id": "i-2", "deletion_protection": True}, "status": "tainted"},
        {"deposed": "abc", "attributes": {"id": "i-3"}},
    ]
    text = json.dumps(
        {
            "version": 4,
            "serial": 7,
            "lineage": "l",
            "resources": [
                {
                    "mode": "managed",
                    "module": 'module.m["k"]',
                    "type": "aws_x",
                    "name": "n",
                    "instances": instances,
                },
                {"mode": "data", "type": "aws_y", "name": "n", "instances": [{}]},
            ],
        }
    )
    found = states.summary(text, "here")
    assert found.serial == 7
    assert found.resources == (
        StateResource('module.m["k"].aws_x.n["us-west-2a"]', "aws_x", "i-1", {"migrator:run": "r"}),
        StateResource('module.m["k"].aws_x.n[0]', "aws_x", "i-2", {}, tainted=True, protected=True),
    )
    with pytest.raises(Refused, match="format 5"):
        states.summary('{"version": 5}', "here")
    with pytest.raises(Refused, match="cannot be read"):
        states.summary("<html>", "here")


def test_sources_are_copied_once_and_their_digest_is_stable(tmp_path: Path) -> None:
    stack = tmp_path / "shipped" / "terraform" / "stacks" / "shop" / "network"
    stack.mkdir(parents=True)
    (stack / "main.tf").write_text("# one")
    (stack / ".terraform").mkdir()
    (stack / ".terraform" / "big").write_text("left out")
    (stack / "terraform.tfstate").write_text("left out")
    backend = Backend("b", "k", "r")
    work = tmp_path / "work"
    first = sources.copy(tmp_path / "shipped", work, "shop/network", backend, {"a": ("x", 1)})
    assert sorted(file.name for file in first.root.iterdir()) == ["main.tf"]
    assert json.loads(first.variables.read_text()) == {"a": ["x", 1]}
    assert first.variables.stat().st_mode & 0o077 == 0
    (stack / "main.tf").write_text("# two")
    (first.root / ".terraform.lock.hcl").write_text("made by init")
    sources.adopt(first, {'aws_x.n["${k}"]': "id-${1}"})
    again = sources.copy(tmp_path / "shipped", work, "shop/network", backend, {"a": ("x", 1)})
    assert again == first
    assert (again.root / "main.tf").read_text() == "# one"
    sources.adopt(first, {})
    assert not list(first.root.glob("migrator_*"))
    local = sources.copy(tmp_path / "shipped", work, "shop/network", None, {})
    assert [file.name for file in local.root.glob("migrator_*")] == ["migrator_backend_override.tf.json"]


@pytest.mark.parametrize(
    ("change", "named", "refused"),
    [
        (PlannedChange("aws_db_instance.main", "aws_db_instance", "create"), (), False),
        (PlannedChange("aws_db_instance.main", "aws_db_instance", "update"), (), False),
        (PlannedChange("aws_db_instance.main", "aws_db_instance", "delete"), (), True),
        (PlannedChange("aws_db_instance.main", "aws_db_instance", "replace"), (), True),
        (
            PlannedChange("aws_db_instance.main", "aws_db_instance", "delete"),
            ("aws_db_instance.main",),
            False,
        ),
        (
            PlannedChange("aws_db_instance.main", "aws_db_instance", "delete"),
            ("aws_db_instance.other",),
            True,
        ),
        (PlannedChange('aws_s3_bucket.b["x"]', "aws_s3_bucket", "delete"), ("aws_s3_bucket.b*",), False),
        (PlannedChange("aws_vpc.main", "aws_vpc", "delete"), (), False),
        (PlannedChange("aws_instance.main", "aws_instance", "replace"), (), True),
    ],
)
def test_the_guard(change: PlannedChange, named: tuple[str, ...], refused: bool) -> None:
    def check() -> None:
        guard.check_plan([change], named, ("aws_instance",), "here")

    if refused:
        with pytest.raises(Refused, match="hold data"):
            check()
    else:
        check()
