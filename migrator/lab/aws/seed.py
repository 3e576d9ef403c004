"""The old world: what the account holds before a migration begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from moto.rds.models import rds_backends
from moto.route53.models import route53_backends

from migrator.lab.aws.lightsail.models import lightsail_backends
from migrator.lab.spec import LabSpec

BACKEND_PORT = 3000
FRONTEND_PORT = 3100
AGE_SECONDS = 30 * 86_400
"""How long the old world has been there."""


@dataclass(frozen=True)
class SeedSecrets:
    """What the old backend was configured with; goes into its container's environment as it did in life."""

    database: str
    application_role: str
    application_password: str
    jwt_secret: str
    backend_image: str
    frontend_image: str


def seed(spec: LabSpec, secrets: SeedSecrets) -> dict[str, str]:
    """Create zone, records, container services, peering and the old database instance; returns their names."""
    database = _database(spec, secrets)
    lightsail = lightsail_backends[spec.account][spec.region]
    lightsail.peered = True
    hosts = {}
    tags = [{"key": key, "value": value} for key, value in spec.tags.items()]
    containers = _containers(spec, secrets, database.address)
    for name, domain in ((spec.backend_service, spec.api_host), (spec.frontend_service, spec.www_host)):
        service = lightsail.create_service(
            {
                "serviceName": name,
                "power": "nano",
                "scale": 1,
                "tags": tags,
                "publicDomainNames": {f"{name}-certificate": [domain]},
                "deployment": containers[name],
            }
        )
        service.created -= AGE_SECONDS
        service.deployments[0]["createdAt"] -= AGE_SECONDS
        image = next(iter(containers[name]["containers"].values()))["image"]
        service.images.append({"image": image, "digest": image.split("@")[-1], "createdAt": service.created})
        lightsail.create_certificate({"certificateName": f"{name}-certificate", "domainName": domain})
        hosts[name] = service.host
    zone_id = _zone(spec, hosts)
    return {
        **_ready_database(spec),
        "hosted_zone_id": zone_id,
        "source_database_host": database.address,
        "source_database_port": str(database.port),
        "source_database_name": secrets.database,
        "backend_service": spec.backend_service,
        "frontend_service": spec.frontend_service,
        "backend_service_host": hosts[spec.backend_service],
        "frontend_service_host": hosts[spec.frontend_service],
    }


def _database(spec: LabSpec, secrets: SeedSecrets) -> Any:
    database = rds_backends[spec.account][spec.region].create_db_instance(
        {
            "db_instance_identifier": spec.old_database_instance,
            "db_instance_class": spec.database.instance_class,
            "engine": "postgres",
            "engine_version": spec.database.engine_version,
            "allocated_storage": 20,
            "storage_type": "gp3",
            "db_name": secrets.database,
            "master_username": "habitcraft_master",
            "master_user_password": "kept-by-its-owner",
            "publicly_accessible": False,
            "backup_retention_period": 7,
            "tags": [{"Key": key, "Value": value} for key, value in spec.tags.items()],
        }
    )
    database.status = "available"
    return database


def _ready_database(spec: LabSpec) -> dict[str, str]:
    if not spec.database.ready_instance:
        return {}
    database = rds_backends[spec.account][spec.region].create_db_instance(
        {
            "db_instance_identifier": spec.database.ready_instance,
            "db_instance_class": spec.database.instance_class,
            "engine": "postgres",
            "engine_version": spec.database.engine_version,
            "allocated_storage": 20,
            "storage_type": "gp3",
            "db_name": spec.database.name,
            "master_username": "new_master",
            "manage_master_user_password": True,
            "publicly_accessible": False,
            "backup_retention_period": 7,
            "tags": [{"Key": key, "Value": value} for key, value in spec.tags.items()],
        }
    )
    return {
        "target_database_host": database.address,
        "target_database_port": str(database.port),
        "target_master_role": "new_master",
        "target_master_password_secret": f"aws:{database.master_user_secret.secret.arn}#password",
    }


def _containers(spec: LabSpec, secrets: SeedSecrets, database_host: str) -> dict[str, dict[str, Any]]:
    backend = {
        "DB_HOST": database_host,
        "DB_PORT": "5432",
        "DB_NAME": secrets.database,
        "DB_USER": secrets.application_role,
        "DB_PASSWORD": secrets.application_password,
        "JWT_SECRET": secrets.jwt_secret,
        "NODE_ENV": "production",
        "PORT": str(BACKEND_PORT),
        "FRONTEND_URL": f"https://{spec.www_host}",
    }
    frontend = {"NODE_ENV": "production", "PORT": str(FRONTEND_PORT), "API_URL": f"https://{spec.api_host}"}
    return {
        spec.backend_service: _deployment("backend", secrets.backend_image, backend, BACKEND_PORT, "/health"),
        spec.frontend_service: _deployment("frontend", secrets.frontend_image, frontend, FRONTEND_PORT, "/"),
    }


def _deployment(name: str, image: str, environment: dict[str, str], port: int, path: str) -> dict[str, Any]:
    container = {"image": image, "command": [], "environment": environment, "ports": {str(port): "HTTP"}}
    return {
        "containers": {name: container},
        "publicEndpoint": {"containerName": name, "containerPort": port, "healthCheck": {"path": path}},
    }


def _zone(spec: LabSpec, hosts: dict[str, str]) -> str:
    backend = route53_backends[spec.account]["aws"]
    zone = backend.create_hosted_zone(
        f"{spec.domain}.", private_zone=False, comment="the application's domain"
    )
    tags = [{"Key": key, "Value": value} for key, value in spec.tags.items()]
    backend.change_tags_for_resource("hostedzone", zone.resource_id, tags, [])
    records = ((spec.api_host, spec.backend_service), (spec.www_host, spec.frontend_service))
    backend.change_resource_record_sets(
        zone.resource_id,
        [
            {
                "Action": "CREATE",
                "ResourceRecordSet": {
                    "Name": name,
                    "Type": "CNAME",
                    "TTL": spec.dns_ttl_seconds,
                    "ResourceRecords": [{"Value": hosts[service]}],
                },
            }
            for name, service in records
        ],
    )
    return str(zone.resource_id)
