"""The script that prepares an instance: rendered by Terraform, then run with stand-ins for AWS and Docker."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from .conftest import Terraform

TEMPLATE = "modules/instance_service/user_data.sh.tftpl"
REGISTRY_HOST = "111122223333.dkr.ecr.us-west-2.amazonaws.com"
IMAGE = f"{REGISTRY_HOST}/habitcraft-backend@sha256:{'a' * 64}"
SETTINGS = {
    "SERVICE": "backend",
    "IMAGE": IMAGE,
    "PORT": "3000",
    "AWS_REGION": "us-west-2",
    "DATABASE_SECRET_ARN": "arn:database",
    "APPLICATION_SECRET_ARN": "arn:application",
    "FRONTEND_URL": "https://www.example.com",
}
PASSWORD = "p$ss'w\"rd #1"
DATABASE = {
    "engine": "postgres",
    "host": "db.example.com",
    "port": 5432,
    "dbname": "habitcraft",
    "username": "habitcraft_app",
    "password": PASSWORD,
}
AWS = """#!/bin/bash
case "$*" in
  "ecr get-login-password --region us-west-2") echo token ;;
  *get-secret-value*"--secret-id arn:database "*) cat "$SECRETS/database" ;;
  *get-secret-value*"--secret-id arn:application "*) cat "$SECRETS/application" ;;
  *) exit 9 ;;
esac
"""
DOCKER = """#!/bin/bash
echo "$@" >> "$SECRETS/docker.calls"
[[ $1 != login ]] || grep -qx token
"""


@pytest.fixture(scope="module")
def user_data(terraform: Terraform) -> str:
    values = json.dumps({"project": "habitcraft", "registry_host": REGISTRY_HOST, "environment": SETTINGS})
    expression = f'base64encode(templatefile("{TEMPLATE}", jsondecode({json.dumps(values)})))\n'
    done = terraform.run(terraform.sources, "console", stdin=expression)
    assert done.returncode == 0, done.stdout
    return base64.b64decode(done.stdout.strip().strip('"')).decode()


def here_document(script: str, name: str) -> str:
    """The body of one quoted here-document."""
    found = re.search(rf"<<'{name}'\n(.*?\n){name}\n", script, re.DOTALL)
    assert found is not None
    return found[1]


def prepare(user_data: str, folder: Path, application: str) -> subprocess.CompletedProcess[str]:
    """Run the preparation with the given application secret; what it made is left in the folder."""
    programs, runtime, secrets = folder / "bin", folder / "run", folder / "secrets"
    for path in (programs, runtime, secrets):
        path.mkdir()
    for name, text in {"aws": AWS, "docker": DOCKER, "prepare": here_document(user_data, "PREPARE")}.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    (secrets / "database").write_text(json.dumps(DATABASE))
    (secrets / "application").write_text(application)
    lines = here_document(user_data, "SERVICE_ENV").splitlines()
    return subprocess.run(
        [str(programs / "prepare")],
        env={
            **dict(line.split("=", 1) for line in lines),
            "PATH": f"{programs}:{os.environ.get('PATH', os.defpath)}",
            "RUNTIME_DIRECTORY": str(runtime),
            "SECRETS": str(secrets),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=30,
        check=False,
    )


def test_settings_file_is_plain_lines(user_data: str) -> None:
    lines = here_document(user_data, "SERVICE_ENV").splitlines()
    assert dict(line.split("=", 1) for line in lines) == SETTINGS


def test_scripts_are_well_formed(user_data: str) -> None:
    for script in (user_data, here_document(user_data, "PREPARE")):
        done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_unit_starts_the_image_by_digest(user_data: str) -> None:
    unit = here_document(user_data, "UNIT")
    assert "EnvironmentFile=/etc/habitcraft/service.env\n" in unit
    assert "--env-file /run/habitcraft/container.env" in unit
    assert "--publish ${PORT}:${PORT}" in unit
    assert "  ${IMAGE}\n" in unit


needs_jq = pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")


@needs_jq
def test_secrets_reach_the_container_exactly_and_root_only(user_data: str, tmp_path: Path) -> None:
    done = prepare(user_data, tmp_path, json.dumps({"JWT_SECRET": "s=cret"}))
    assert done.returncode == 0, done.stdout
    target = tmp_path / "run" / "container.env"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert target.read_text().splitlines() == [
        "NODE_ENV=production",
        "PORT=3000",
        "FRONTEND_URL=https://www.example.com",
        "DB_HOST=db.example.com",
        "DB_PORT=5432",
        "DB_NAME=habitcraft",
        "DB_USER=habitcraft_app",
        "DB_PASSWORD=p$ss'w\"rd #1",
        "PGSSLMODE=verify-full",
        "PGSSLROOTCERT=/etc/rds-ca.pem",
        "NODE_EXTRA_CA_CERTS=/etc/rds-ca.pem",
        "JWT_SECRET=s=cret",
    ]
    assert (tmp_path / "secrets" / "docker.calls").read_text().splitlines() == [
        f"login --username AWS --password-stdin {REGISTRY_HOST}",
        f"pull --quiet {IMAGE}",
        "rm --force habitcraft-backend",
    ]


@needs_jq
@pytest.mark.parametrize(
    "application",
    ['{"JWT_SECRET": "one\\nADMIN=1"}', '{"JWT_SECRET": null}', "{}", '{"JWT_SECRET": ""}', "none", ""],
)
def test_unusable_secret_stops_the_start(user_data: str, tmp_path: Path, application: str) -> None:
    done = prepare(user_data, tmp_path, application)
    assert done.returncode != 0
    assert not (tmp_path / "run" / "container.env").exists()
    assert not (tmp_path / "secrets" / "docker.calls").exists()
    assert PASSWORD not in done.stdout
