"""`migrator run`, the real thing, from the command line: an emulator in AWS's place, a database behind a tunnel."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from tests.postgres_lab import Lab
from tests.tools.aws_servers import ACCOUNT, REGION
from tests.tools.terraform_support import emulator
from tests.tools.test_tunnel import FORWARD

pytestmark = pytest.mark.engine
LIVE = Path(__file__).with_name("live.yaml")
DATABASE = "10.20.30.40"


@pytest.fixture
def endpoint() -> Iterator[str]:
    with emulator() as found:
        yield found.endpoint


class Operator:
    """Somebody at a shell without a terminal."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self.environment = environment

    def __call__(self, *arguments: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "migrator", *arguments],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def operator(lab: Lab, endpoint: str, tmp_path: Path) -> Operator:
    shutil.copy(LIVE, tmp_path / "live.yaml")
    (tmp_path / "forward.py").write_text(FORWARD, encoding="utf-8")
    secret = tmp_path / "password"
    secret.write_text(lab.source.admin_password.reveal(), encoding="utf-8")
    secret.chmod(0o600)
    values = {
        "database_host": DATABASE,
        "database_port": lab.clusters.source.port,
        "database_name": lab.source.database,
        "admin_role": lab.source.admin_role,
        "admin_password_secret": f"file:{secret}",
        "application_role": lab.source.application_role,
    }
    rows = "".join(f"  {name}: {json.dumps(value)}\n" for name, value in values.items())
    (tmp_path / "migration.yaml").write_text(f"format: 1\nrunbook: ./live.yaml\nvalues:\n{rows}", "utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MIGRATOR_"))}
    return Operator(
        tmp_path,
        {
            **kept,
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "example-secret-access-key",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "MIGRATOR_TUNNEL": f"{sys.executable} {tmp_path / 'forward.py'} {{local_port}} {{port}} {{host}}",
        },
    )


def test_a_live_run_from_its_first_look_to_its_last_decision(operator: Operator, endpoint: str) -> None:
    code, told = operator("run")
    assert code == 3, told
    assert f"LIVE in account {ACCOUNT}, region {REGION}" in told
    assert "Build?" in told
    (folder,) = (operator.folder / ".migrator" / "runs").iterdir()
    run = folder.name

    # --yes does not answer for a person in a real run.
    code, told = operator("resume", "--yes")
    assert code == 3, told
    assert operator("approve", run, "begin", "--reason", "the night is quiet")[0] == 0
    code, told = operator("resume")
    assert code == 3, told
    code, told = operator("approve", run, "end")
    assert code == 0, told
    code, told = operator("resume")
    assert code == 3, told
    assert "refused" in told
    assert operator("approve", run, "end", "--confirm", f"{ACCOUNT} is done")[0] == 0
    code, told = operator("resume")
    assert code == 0, told

    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert (report["mode"], report["outcome"]) == ("run", "done")
    assert [row["stack"] for row in report["terraform"]] == ["habitcraft/secrets"]
    account = boto3.Session("AKIAIOSFODNN7EXAMPLE", "x", region_name=REGION)
    secrets = account.client("secretsmanager", endpoint_url=endpoint).list_secrets()["SecretList"]
    assert len(secrets) == 2
    for secret in secrets:
        assert {"Key": "migrator:run", "Value": run} in secret["Tags"]
    versioning = account.client("s3", endpoint_url=endpoint).get_bucket_versioning(
        Bucket="example-live-state"
    )
    assert versioning["Status"] == "Enabled"
    assert not (folder / "work" / "@shared" / "tunnels.json").exists()
    assert not [line for line in _command_lines() if DATABASE in line]


def test_without_the_tunnel_it_says_where_it_could_not_go(operator: Operator) -> None:
    operator.environment["MIGRATOR_TUNNEL"] = (
        f"{sys.executable} -c 'raise SystemExit(\"the bastion is closed\")' {{host}} {{port}} {{local_port}}"
    )
    code, told = operator("run")
    assert code == 1, told
    assert "the bastion is closed" in told
    assert "MIGRATOR_TUNNEL" in told


def _command_lines() -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return found
