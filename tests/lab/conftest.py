"""One small lab for all engine tests of this folder, and the parts that need no processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from migrator.lab import client
from migrator.lab.client import LabClient, Manifest

SPEC: dict[str, Any] = {
    "dns_ttl_seconds": 2,
    "alias_ttl_seconds": 1,
    "route53_change_seconds": 0.5,
    "rds_creating_seconds": 0.5,
    "certificate_seconds": 0.2,
    "health_interval_seconds": 0.2,
    "image_size_bytes": 60_000,
    "database": {"rows": 2_000},
    "traffic": {"clients": 4, "requests_per_second": 20},
}

Clients = Callable[[str], Any]


@pytest.fixture(scope="session")
def lab_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lab") / "twin"


@pytest.fixture(scope="session")
def manifest(lab_folder: Path) -> Iterator[Manifest]:
    found = client.start(lab_folder, SPEC)
    yield found
    if found.alive:
        LabClient.of(found).stop()


@pytest.fixture(scope="session")
def lab(manifest: Manifest) -> LabClient:
    return LabClient.of(manifest)


def clients_of(manifest: Manifest) -> Clients:
    """boto3 clients of a lab's emulated account, one try a call."""
    made: dict[str, Any] = {}

    def of(service: str) -> Any:
        if service not in made:
            made[service] = boto3.client(
                service,
                endpoint_url=manifest.aws["endpoint"],
                region_name=manifest.aws["region"],
                aws_access_key_id=manifest.aws["access_key_id"],
                aws_secret_access_key=manifest.aws["secret_access_key"],
                config=Config(retries={"total_max_attempts": 1}),
            )
        return made[service]

    return of


@pytest.fixture(scope="session")
def aws(manifest: Manifest) -> Clients:
    return clients_of(manifest)
