"""Lightsail's state: container services with their deployments, certificates, the VPC peering."""

from __future__ import annotations

import time
import uuid
from collections import deque
from datetime import datetime
from typing import Any

from moto.core.base_backend import BackendDict, BaseBackend
from moto.core.exceptions import JsonRESTError

DEPLOY_SECONDS = 1.0
IDLE_CPU_PERCENT = 0.1
CPU_PERCENT_A_REQUEST = 0.5
_HEALTH_CHECK = {
    "healthyThreshold": 2,
    "unhealthyThreshold": 2,
    "timeoutSeconds": 2,
    "intervalSeconds": 5,
    "path": "/",
    "successCodes": "200-499",
}


class ContainerService:
    """One container service; `traffic` holds (time, requests since the entry before) as its front reported."""

    def __init__(self, backend: LightsailBackend, name: str, body: dict[str, Any]) -> None:
        self.name = name
        self.region = backend.region_name
        self.account = backend.account_id
        self.identity = str(uuid.uuid4())
        self.created = time.time()
        self.power = str(body.get("power", "nano"))
        self.scale = int(body.get("scale", 1))
        self.tags: list[dict[str, str]] = list(body.get("tags") or [])
        self.domains: dict[str, list[str]] = dict(body.get("publicDomainNames") or {})
        self.disabled = False
        self.deployments: list[dict[str, Any]] = []
        self.images: list[dict[str, Any]] = []
        self.traffic: deque[tuple[float, int]] = deque(maxlen=20_000)

    @property
    def host(self) -> str:
        """The public host name that custom domains point at."""
        return f"{self.name}.{self.identity[:13].replace('-', '')}.{self.region}.cs.amazonlightsail.com"

    def deploy(self, body: dict[str, Any]) -> None:
        """Add a deployment; it is active after a moment."""
        endpoint = dict(body.get("publicEndpoint") or {})
        if endpoint:
            endpoint["healthCheck"] = {**_HEALTH_CHECK, **(endpoint.get("healthCheck") or {})}
        self.deployments.append(
            {
                "version": len(self.deployments) + 1,
                "containers": body.get("containers") or {},
                "publicEndpoint": endpoint,
                "createdAt": time.time(),
            }
        )

    def current(self) -> dict[str, Any] | None:
        """The deployment that serves, if any."""
        ready = [entry for entry in self.deployments if time.time() - entry["createdAt"] >= DEPLOY_SECONDS]
        return ready[-1] if ready and not self.disabled else None

    def describe_deployments(self) -> list[dict[str, Any]]:
        """All deployments, newest first, each with its state."""
        current = self.current()
        described = []
        for entry in reversed(self.deployments):
            waiting = time.time() - entry["createdAt"] < DEPLOY_SECONDS
            state = "ACTIVATING" if waiting else "ACTIVE" if entry is current else "INACTIVE"
            described.append({**entry, "state": state})
        return described

    def describe(self) -> dict[str, Any]:
        """The whole shape that the service's model names."""
        deployments = self.describe_deployments()
        active = [entry for entry in deployments if entry["state"] == "ACTIVE"]
        next_up = [entry for entry in deployments if entry["state"] == "ACTIVATING"]
        state = "DISABLED" if self.disabled else "DEPLOYING" if next_up else "RUNNING" if active else "READY"
        described: dict[str, Any] = {
            "containerServiceName": self.name,
            "arn": f"arn:aws:lightsail:{self.region}:{self.account}:ContainerService/{self.identity}",
            "createdAt": self.created,
            "location": {"availabilityZone": "all", "regionName": self.region},
            "resourceType": "ContainerService",
            "tags": self.tags,
            "power": self.power,
            "powerId": f"{self.power}-1",
            "state": state,
            "scale": self.scale,
            "isDisabled": self.disabled,
            "principalArn": f"arn:aws:iam::{self.account}:role/amazon/lightsail/{self.region}/{self.identity}",
            "privateDomainName": f"{self.name}.service.local",
            "publicDomainNames": self.domains,
            "url": f"https://{self.host}/",
            "privateRegistryAccess": {"ecrImagePullerRole": {"isActive": False, "principalArn": ""}},
        }
        if state == "DEPLOYING":
            described["stateDetail"] = {"code": "CREATING_DEPLOYMENT", "message": ""}
        if active:
            described["currentDeployment"] = active[0]
        if next_up:
            described["nextDeployment"] = next_up[0]
        return described

    def metric(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        """Datapoints of a metric: idle CPU, and a share for every request.

        Points begin at startTime, one a period; the last covers what is left up to endTime, so that a window of
        seconds can be asked although the smallest period is 60. (The service aligns points to whole periods.)
        """
        start, end = _seconds(body["startTime"]), min(_seconds(body["endTime"]), time.time())
        period = max(60, int(body["period"]))
        if body["metricName"] not in ("CPUUtilization", "MemoryUtilization"):
            raise JsonRESTError("InvalidInputException", f"Unknown metric {body['metricName']}.")
        start = max(start, self.created)
        points: list[dict[str, Any]] = []
        while start < end and len(points) < 1440:
            points.append(self._datapoint(str(body["metricName"]), start, min(start + period, end)))
            start += period
        return points

    def _datapoint(self, metric: str, start: float, end: float) -> dict[str, Any]:
        inside = [count for moment, count in list(self.traffic) if start <= moment < end]
        seconds = max(1.0, end - start)
        average = min(100.0, IDLE_CPU_PERCENT + CPU_PERCENT_A_REQUEST * sum(inside) / seconds)
        if metric == "MemoryUtilization":
            average = 31.0
        busiest = max((IDLE_CPU_PERCENT + CPU_PERCENT_A_REQUEST * count for count in inside), default=average)
        return {
            "timestamp": start,
            "average": round(average, 3),
            "minimum": round(min(average, IDLE_CPU_PERCENT), 3),
            "maximum": round(max(average, busiest), 3),
            "sum": round(average, 3),
            "sampleCount": 1.0,
            "unit": "Percent",
        }


class LightsailBackend(BaseBackend):
    """Everything Lightsail knows of one region."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.services: dict[str, ContainerService] = {}
        self.certificates: dict[str, dict[str, Any]] = {}
        self.peered = False

    def create_service(self, body: dict[str, Any]) -> ContainerService:
        """Create a service, with its first deployment when the request holds one."""
        name = str(body.get("serviceName") or "")
        if not name:
            raise JsonRESTError("InvalidInputException", "The service name is missing.")
        if name in self.services:
            raise JsonRESTError("InvalidInputException", f"A container service named {name} already exists.")
        service = self.services[name] = ContainerService(self, name, body)
        if body.get("deployment"):
            service.deploy(body["deployment"])
        return service

    def service(self, name: str) -> ContainerService:
        """The service of that name; NotFoundException otherwise."""
        if name not in self.services:
            raise JsonRESTError("NotFoundException", f"The container service {name} does not exist.")
        return self.services[name]

    def find_services(self, name: str | None) -> list[ContainerService]:
        """One service by name, or all."""
        return [self.service(name)] if name else list(self.services.values())

    def update_service(self, body: dict[str, Any]) -> ContainerService:
        """Change power, scale, domains, or whether the service is disabled."""
        service = self.service(str(body.get("serviceName")))
        service.power = body.get("power") or service.power
        service.scale = int(body.get("scale") or service.scale)
        if body.get("isDisabled") is not None:
            service.disabled = bool(body["isDisabled"])
        if body.get("publicDomainNames") is not None:
            service.domains = dict(body["publicDomainNames"])
        return service

    def deploy(self, body: dict[str, Any]) -> ContainerService:
        """Deploy containers to a service."""
        service = self.service(str(body.get("serviceName")))
        service.deploy(body)
        return service

    def delete_service(self, name: str) -> None:
        """Remove a service."""
        del self.services[self.service(name).name]

    def delete_image(self, name: str, image: str) -> None:
        """Remove a registered image of a service."""
        service = self.service(name)
        kept = [entry for entry in service.images if entry["image"] != image]
        if len(kept) == len(service.images):
            raise JsonRESTError("NotFoundException", f"The image {image} does not exist.")
        service.images = kept

    def create_certificate(self, body: dict[str, Any]) -> dict[str, Any]:
        """Add a certificate, issued at once."""
        name, domain = str(body["certificateName"]), str(body["domainName"])
        arn = f"arn:aws:lightsail:{self.region_name}:{self.account_id}:Certificate/{uuid.uuid4()}"
        detail = {
            "arn": arn,
            "name": name,
            "domainName": domain,
            "status": "ISSUED",
            "subjectAlternativeNames": [domain, *(body.get("subjectAlternativeNames") or [])],
            "inUseResourceCount": 1,
            "keyAlgorithm": "RSA-2048",
            "createdAt": time.time(),
            "issuedAt": time.time(),
        }
        self.certificates[name] = {
            "certificateArn": arn,
            "certificateName": name,
            "domainName": domain,
            "certificateDetail": detail,
            "tags": body.get("tags") or [],
        }
        return self.certificates[name]

    def delete_certificate(self, name: str) -> None:
        """Remove a certificate."""
        if self.certificates.pop(name, None) is None:
            raise JsonRESTError("NotFoundException", f"The certificate {name} does not exist.")

    def tag(self, name: str, tags: list[dict[str, str]]) -> None:
        """Set tags of a service."""
        service = self.service(name)
        changed = {entry["key"] for entry in tags}
        service.tags = [entry for entry in service.tags if entry["key"] not in changed] + tags

    def untag(self, name: str, keys: list[str]) -> None:
        """Remove tags of a service."""
        service = self.service(name)
        service.tags = [entry for entry in service.tags if entry["key"] not in keys]

    def operation(self, name: str, kind: str) -> dict[str, Any]:
        """The record of an operation that has succeeded."""
        return {
            "id": str(uuid.uuid4()),
            "resourceName": name,
            "resourceType": kind,
            "createdAt": time.time(),
            "location": {"availabilityZone": "all", "regionName": self.region_name},
            "isTerminal": True,
            "status": "Succeeded",
            "statusChangedAt": time.time(),
        }


def _seconds(value: Any) -> float:
    if isinstance(value, int | float):
        return float(value)
    return datetime.fromisoformat(str(value).replace("Z", "+00:00")).timestamp()


lightsail_backends = BackendDict(LightsailBackend, "lightsail")
