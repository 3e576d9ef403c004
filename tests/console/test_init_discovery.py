"""What is found on a machine: profiles, layouts, images, a database that listens, facts of an account."""

from __future__ import annotations

import json
import socket
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from migrator.console.init.look import Look
from migrator.contracts.params import SecretRef
from migrator.contracts.postgres import Database
from migrator.errors import CredentialsError, Refused
from migrator.tools import discovery
from migrator.tools.discovery import AwsProfile, Zone
from migrator.tools.process import LocalProcesses
from tests.postgres_lab import Lab

CONFIG = """\
[default]
region = us-east-1
[profile prod]
region = eu-west-1
region = eu-west-2
[profile with-code]
mfa_serial = arn:aws:iam::111122223333:mfa/somebody
[profile "quoted name"]
output = 100%
[sso-session corporate]
sso_region = us-east-1
[profile ]
"""


def environment(folder: Path, config: str | bytes, credentials: str = "") -> dict[str, str]:
    data = config.encode() if isinstance(config, str) else config
    (folder / "config").write_bytes(data)
    (folder / "credentials").write_text(credentials, "utf-8")
    return {
        "AWS_CONFIG_FILE": str(folder / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "credentials"),
    }


def test_profiles_come_from_both_files_without_boto3(tmp_path: Path) -> None:
    had = set(sys.modules)
    keys = "[old]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = hunter2\n[prod]\n"
    found = discovery.aws_profiles(environment(tmp_path, CONFIG, keys))
    assert found == (
        AwsProfile("default", "us-east-1"),
        AwsProfile("old"),
        AwsProfile("prod", "eu-west-2"),
        AwsProfile("quoted name"),
        AwsProfile("with-code", asks=True),
    )
    assert "boto3" not in set(sys.modules) - had
    assert "hunter2" not in repr(found)


@pytest.mark.parametrize(
    "config",
    [b"\xff\xfe\x00", b"no section", b"[open", b"[profile \x1b[31mred]\n", b"[profile a]\nregion=\x1b[2J\n"],
)
def test_hostile_configuration_files_give_nothing(config: bytes, tmp_path: Path) -> None:
    assert discovery.aws_profiles(environment(tmp_path, config)) == ()


def test_no_configuration_gives_nothing(tmp_path: Path) -> None:
    assert discovery.aws_profiles({"HOME": str(tmp_path)}) == ()


def test_layouts_are_found_two_levels_deep(tmp_path: Path) -> None:
    for place in ("a", "b/c", "b/c/d/e", ".hidden"):
        (tmp_path / place).mkdir(parents=True, exist_ok=True)
        (tmp_path / place / "oci-layout").write_text("{}", "utf-8")
        (tmp_path / place / "index.json").write_text("{}", "utf-8")
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "oci-layout").write_text("{}", "utf-8")
    assert discovery.oci_layouts(tmp_path) == (f"oci:{tmp_path}/a", f"oci:{tmp_path}/b/c")
    assert discovery.oci_layouts(tmp_path / "none") == ()


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ("echo shop/backend:1; echo '<none>:<none>'; echo shop/backend:1", ("docker:shop/backend:1",)),
        ("echo 'Cannot connect to the daemon' >&2; exit 1", ()),
        (r"printf '\033[31mred:1\n\n'", ()),
    ],
)
def test_images_of_the_engine(
    script: str, found: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "docker"
    program.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
    program.chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert discovery.engine_images(LocalProcesses()) == found
    assert Look(tmp_path).images == found


@pytest.fixture
def port() -> Iterator[int]:
    """A port where something listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_database_is_proposed_when_something_listens(port: int) -> None:
    at = {"PGHOST": "127.0.0.1", "PGPORT": str(port)}
    assert discovery.local_database(at) == ("127.0.0.1", port)
    assert discovery.unreachable("127.0.0.1", port) == ""


def test_nothing_is_proposed_where_nothing_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = server.getsockname()[1]
    assert discovery.local_database({"PGHOST": "127.0.0.1", "PGPORT": str(closed)}) is None
    assert discovery.local_database({"PGHOST": "/run/postgresql", "PGPORT": "x"}) is None
    assert "refused" in discovery.unreachable("127.0.0.1", closed)
    assert discovery.unreachable("a" * 300 + ".example", 5432)


class Aws:
    """An account; what is not in it refuses."""

    account, region = "", "us-west-2"

    def __init__(self, answers: dict[str, Any], slow: float = 0.0) -> None:
        self._answers = answers
        self._slow = slow

    def call(self, service: str, operation: str, *, region: str | None = None, **parameters: Any) -> Any:
        time.sleep(self._slow)
        if operation not in self._answers:
            raise Refused(f"{operation} is not allowed")
        if isinstance(self._answers[operation], Exception):
            raise self._answers[operation]
        return self._answers[operation]

    def pages(
        self, service: str, operation: str, key: str, *, region: str | None = None, **parameters: Any
    ) -> Any:
        return iter(self.call(service, operation))


def test_the_account_tells_zones_databases_and_availability_zones() -> None:
    facts = discovery.look_at_aws(
        Aws(
            {
                "get_caller_identity": {"Account": "111122223333"},
                "list_hosted_zones": [
                    {"Id": "/hostedzone/Z1", "Name": "example.com."},
                    {"Id": "/hostedzone/Z2", "Name": "inside.example.", "Config": {"PrivateZone": True}},
                ],
                "describe_db_instances": [
                    {
                        "Engine": "postgres",
                        "DBName": "shop",
                        "Endpoint": {"Address": "db.example.com", "Port": 5432},
                    },
                    {"Engine": "postgres"},
                    {"Engine": "mysql", "Endpoint": {"Address": "other.example.com", "Port": 3306}},
                ],
                "describe_availability_zones": {
                    "AvailabilityZones": [
                        {"ZoneName": "us-west-2b", "State": "available"},
                        {"ZoneName": "us-west-2a", "State": "available"},
                        {"ZoneName": "us-west-2c", "State": "impaired"},
                    ]
                },
            }
        ),
        5.0,
    )
    assert facts.account == "111122223333"
    assert facts.zones == (Zone("Z1", "example.com"),)
    assert facts.databases == (("db.example.com", 5432, "shop"),)
    assert facts.availability_zones == ("us-west-2a", "us-west-2b")
    assert facts.problems == ()


def test_what_is_not_allowed_is_left_out_and_named() -> None:
    facts = discovery.look_at_aws(Aws({"get_caller_identity": {"Account": "111122223333"}}), 5.0)
    assert facts.account == "111122223333"
    assert "list_hosted_zones is not allowed" in facts.problems
    assert facts.zones == ()


def test_bad_credentials_slowness_and_nonsense_harm_nothing() -> None:
    bad = discovery.look_at_aws(Aws({"get_caller_identity": CredentialsError("expired")}), 5.0)
    assert bad.problems == ("expired",)
    slow = discovery.look_at_aws(Aws({"get_caller_identity": {"Account": "1"}}, slow=0.5), 0.05)
    assert slow.problems == ("no answer within 0.05 seconds",)
    assert discovery.look_at_aws(Aws({"get_caller_identity": json}), 5.0).problems


def test_a_secret_is_only_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    aws = Aws({})
    monkeypatch.setenv("SHOP_PASSWORD", "hunter2-hunter2")
    monkeypatch.delenv("NONE", raising=False)
    assert discovery.secret_problem("env:SHOP_PASSWORD", aws) == ""
    assert "not set" in discovery.secret_problem("env:NONE", aws)
    assert "cannot be read" in discovery.secret_problem(f"file:{tmp_path}/none", aws)
    assert discovery.secret_problem("aws:shop", aws) == ""


def test_a_server_that_is_no_database_is_told(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NONE", raising=False)
    database = Database("127.0.0.1", port, "shop", "admin", SecretRef("env:NONE"))
    version, problem = discovery.server_version(database, Aws({}))
    assert version == ""
    assert "NONE is not set" in problem


@pytest.mark.engine
def test_a_real_server_tells_its_version_by_a_secret_reference(lab: Lab, tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.touch(mode=0o600)
    secret.write_text(lab.master_password.reveal(), "utf-8")
    port = lab.clusters.target.port
    database = Database(
        "127.0.0.1", port, "postgres", lab.master, SecretRef(f"file:{secret}"), sslmode="disable"
    )
    version, problem = discovery.server_version(database, Aws({}))
    assert problem == ""
    assert version.split(".")[0].isdecimal()
    secret.write_text("wrong-password", "utf-8")
    version, problem = discovery.server_version(database, Aws({}))
    assert version == ""
    assert "wrong-password" not in problem
    assert problem
