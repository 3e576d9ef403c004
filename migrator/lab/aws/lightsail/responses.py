"""Lightsail's operations, from request to backend and back."""

from __future__ import annotations

import json
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.core.responses import BaseResponse

from migrator.lab.aws.lightsail.models import LightsailBackend, lightsail_backends


class LightsailResponse(BaseResponse):
    """One method an operation; request and answer have the names of the service's own model."""

    def __init__(self) -> None:
        super().__init__(service_name="lightsail")

    @property
    def backend(self) -> LightsailBackend:
        """The backend of the caller's account and region."""
        return lightsail_backends[self.current_account][self.region]

    def _body(self) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(self.body or "{}")
        return body

    def create_container_service(self) -> str:
        return json.dumps({"containerService": self.backend.create_service(self._body()).describe()})

    def get_container_services(self) -> str:
        services = self.backend.find_services(self._body().get("serviceName"))
        return json.dumps({"containerServices": [service.describe() for service in services]})

    def update_container_service(self) -> str:
        return json.dumps({"containerService": self.backend.update_service(self._body()).describe()})

    def delete_container_service(self) -> str:
        self.backend.delete_service(self._name())
        return "{}"

    def create_container_service_deployment(self) -> str:
        return json.dumps({"containerService": self.backend.deploy(self._body()).describe()})

    def get_container_service_deployments(self) -> str:
        return json.dumps({"deployments": self.backend.service(self._name()).describe_deployments()})

    def get_container_images(self) -> str:
        return json.dumps({"containerImages": self.backend.service(self._name()).images})

    def delete_container_image(self) -> str:
        self.backend.delete_image(self._name(), str(self._body().get("image")))
        return "{}"

    def get_container_log(self) -> str:
        self.backend.service(self._name())
        return json.dumps({"logEvents": []})

    def get_container_service_powers(self) -> str:
        powers = [("nano", 7.0, 0.25, 0.5), ("micro", 10.0, 0.25, 1.0), ("small", 25.0, 0.5, 2.0)]
        return json.dumps(
            {
                "powers": [
                    {
                        "powerId": f"{name}-1",
                        "price": price,
                        "cpuCount": cpu,
                        "ramSizeInGb": memory,
                        "name": name,
                        "isActive": True,
                    }
                    for name, price, cpu, memory in powers
                ]
            }
        )

    def get_container_service_metric_data(self) -> str:
        body = self._body()
        points = self.backend.service(self._name()).metric(body)
        return json.dumps({"metricName": body["metricName"], "metricData": points})

    def create_certificate(self) -> str:
        certificate = self.backend.create_certificate(self._body())
        return json.dumps({"certificate": certificate, "operations": []})

    def get_certificates(self) -> str:
        wanted = self._body().get("certificateName")
        found = [entry for name, entry in self.backend.certificates.items() if wanted in (None, name)]
        return json.dumps({"certificates": found})

    def delete_certificate(self) -> str:
        self.backend.delete_certificate(str(self._body().get("certificateName")))
        return json.dumps({"operations": []})

    def is_vpc_peered(self) -> str:
        return json.dumps({"isPeered": self.backend.peered})

    def peer_vpc(self) -> str:
        self.backend.peered = True
        return json.dumps({"operation": self.backend.operation("PeeredVpc", "PeeredVpc")})

    def unpeer_vpc(self) -> str:
        if not self.backend.peered:
            raise JsonRESTError("NotFoundException", "The Lightsail VPC is not peered with the default VPC.")
        self.backend.peered = False
        return json.dumps({"operation": self.backend.operation("PeeredVpc", "PeeredVpc")})

    def get_relational_databases(self) -> str:
        return json.dumps({"relationalDatabases": []})

    def get_instances(self) -> str:
        return json.dumps({"instances": []})

    def get_load_balancers(self) -> str:
        return json.dumps({"loadBalancers": []})

    def get_domains(self) -> str:
        return json.dumps({"domains": []})

    def get_static_ips(self) -> str:
        return json.dumps({"staticIps": []})

    def tag_resource(self) -> str:
        body = self._body()
        self.backend.tag(str(body.get("resourceName")), body.get("tags") or [])
        return json.dumps({"operations": []})

    def untag_resource(self) -> str:
        body = self._body()
        self.backend.untag(str(body.get("resourceName")), body.get("tagKeys") or [])
        return json.dumps({"operations": []})

    def _name(self) -> str:
        return str(self._body().get("serviceName"))
