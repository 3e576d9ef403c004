"""Lightsail container services for tests."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from migrator.tools.aws import BotoAws
from tests.tools.aws_servers import ACCOUNT, REGION


def make_service(aws: BotoAws, name: str, environment: Mapping[str, str]) -> None:
    """A container service whose deployment is active at once."""
    aws.call(
        "lightsail",
        "create_container_service",
        serviceName=name,
        power="nano",
        scale=1,
        deployment=_deployment(environment),
    )
    _activate(name)


def deploy(aws: BotoAws, name: str, environment: Mapping[str, str]) -> None:
    """One more deployment, active at once."""
    aws.call("lightsail", "create_container_service_deployment", serviceName=name, **_deployment(environment))
    _activate(name)


def held(name: str) -> Any:
    """The emulator's own record of a service."""
    from migrator.lab.aws.lightsail.models import lightsail_backends

    return lightsail_backends[ACCOUNT][REGION].service(name)


def peer(peered: bool) -> None:
    """Sets the peering."""
    from migrator.lab.aws.lightsail.models import lightsail_backends

    lightsail_backends[ACCOUNT][REGION].peered = peered


def _activate(name: str) -> None:
    for deployment in held(name).deployments:
        deployment["createdAt"] = time.time() - 60


def _deployment(environment: Mapping[str, str]) -> dict[str, Any]:
    container = {"image": "shop:1", "environment": dict(environment), "ports": {"3000": "HTTP"}}
    return {
        "containers": {"app": container},
        "publicEndpoint": {"containerName": "app", "containerPort": 3000},
    }
