"""The same actions against the rehearsal's twin: its registry over TLS, its Lightsail, its old database."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from migrator.contracts.params import Seconds, SecretRef
from migrator.contracts.postgres import Database
from migrator.contracts.surroundings import Surroundings
from migrator.lab import client
from migrator.secrets import Secret
from migrator.tools.aws import BotoAws
from migrator.tools.images import RegistryImages
from migrator.tools.postgres import PostgresTool
from migrator.tools.process import LocalProcesses
from migrator.tools.reach import LabReach
from migrator.tools.secret_store import ReferencedSecrets
from phases.cleanup.deletion import DeleteLightsailService, DeleteServiceParams
from phases.cleanup.export import ExportLightsail, ExportParams
from phases.cleanup.silence import Silence, SilenceParams
from phases.ecr_push import ImageParams, PushImage
from phases.preflight.account import CredentialsCheck, CredentialsParams, HostedZoneCheck, HostedZoneParams
from phases.preflight.platform import LightsailCheck, LightsailParams
from phases.secrets_handover import HandOver, HandoverParams
from tests.phases.world import Step, bad, lifecycle

pytestmark = pytest.mark.engine
SERVICES = ("habitcraft-backend", "habitcraft-frontend")


class Twin:
    """A small twin without traffic, and the tools of its surroundings."""

    def __init__(self, manifest: client.Manifest) -> None:
        self.variables = manifest.variables
        self.account = manifest.aws["account"]
        reach = LabReach(manifest.control, Secret(manifest.token))
        credentials = manifest.aws["access_key_id"], Secret(manifest.aws["secret_access_key"])
        self.aws = BotoAws(
            Surroundings(
                account=self.account,
                region=manifest.aws["region"],
                reach=reach,
                aws_endpoint=manifest.aws["endpoint"],
                aws_credentials=credentials,
            )
        )
        processes = LocalProcesses()
        secrets = ReferencedSecrets(self.aws)
        self.tools = {
            "aws": self.aws,
            "images": RegistryImages(reach, processes, manifest.ca_file),
            "postgres": PostgresTool(reach, secrets, processes),
            "secrets": secrets,
        }

    def step(self, action: Any, params: Any, work: Path) -> Step:
        """A step in the twin's account."""
        step = Step(action, params, work, self.tools, account=self.account)
        step.notebook.on_sleep = lambda: time.sleep(0.4)
        return step


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twin]:
    spec = {"database": {"rows": 2_000}, "traffic": {"enabled": False}}
    manifest = client.start(tmp_path_factory.mktemp("twin") / "lab", spec)
    try:
        yield Twin(manifest)
    finally:
        assert client.LabClient.of(manifest).stop() == []


def test_preflight(twin: Twin, tmp_path: Path) -> None:
    zone = HostedZoneParams(twin.variables["hosted_zone_id"], twin.variables["domain"])
    for action, params in (
        (CredentialsCheck(), CredentialsParams()),
        (HostedZoneCheck(), zone),
        (LightsailCheck(), LightsailParams(SERVICES)),
    ):
        found = twin.step(action, params, tmp_path).verify()
        assert found.ok, bad(found)


@pytest.mark.parametrize("mutability", ["IMMUTABLE", "MUTABLE"])
def test_an_image_into_the_twins_registry(twin: Twin, tmp_path: Path, mutability: str) -> None:
    name = f"shop-{mutability.lower()}"
    made = twin.aws.call("ecr", "create_repository", repositoryName=name, imageTagMutability=mutability)
    url = made["repository"]["repositoryUri"]
    done = lifecycle(
        twin.step(PushImage(), ImageParams(twin.variables["backend_image"], url, "v1"), tmp_path)
    )
    assert done.outputs["digest"] == twin.variables["backend_image_digest"]


def test_secrets_of_the_old_backend(twin: Twin, tmp_path: Path) -> None:
    arn = twin.aws.call("secretsmanager", "create_secret", Name="habitcraft/prod/backend/application")["ARN"]
    params = HandoverParams("habitcraft-backend", ("JWT_SECRET",), arn)
    lifecycle(twin.step(HandOver(), params, tmp_path))
    known = ReferencedSecrets(twin.aws)
    assert known.resolve(f"aws:{arn}#JWT_SECRET") == known.resolve(twin.variables["jwt_secret"])


def test_the_old_applications_sessions_are_not_silence(twin: Twin, tmp_path: Path) -> None:
    variables = twin.variables
    source = Database(
        variables["source_database_host"],
        int(variables["source_database_port"]),
        variables["source_database_name"],
        variables["source_admin_role"],
        SecretRef(variables["source_admin_password_secret"]),
        "prefer",
    )
    params = SilenceParams(source, variables["source_application_role"], Seconds(2.0), SERVICES)
    found = twin.step(Silence(), params, tmp_path).verify()
    assert any("habitcraft_app has no session" in line for line in bad(found)), bad(found)


def test_export_and_deletion(twin: Twin, tmp_path: Path) -> None:
    export = twin.step(ExportLightsail(), ExportParams(SERVICES), tmp_path)
    outputs = lifecycle(export).outputs
    service = "habitcraft-frontend"
    params = DeleteServiceParams(service, outputs["file"], outputs["sha256"])
    lifecycle(twin.step(DeleteLightsailService(), params, tmp_path), reversible=False)
