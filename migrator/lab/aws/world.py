"""A plain picture of the emulated account: what the lab's other parts need to know, as JSON data."""

from __future__ import annotations

import time
from typing import Any

from moto.acm.models import acm_backends
from moto.autoscaling.models import autoscaling_backends
from moto.ecr.models import ecr_backends
from moto.elbv2.models import elbv2_backends
from moto.rds.models import rds_backends
from moto.route53.models import route53_backends

from migrator.lab.aws.batches import values_of
from migrator.lab.aws.lightsail.models import lightsail_backends
from migrator.lab.spec import LabSpec


def snapshot(spec: LabSpec) -> dict[str, Any]:
    """Zones, load balancers, target groups, groups, databases, container services; read-only and cheap."""
    for attempt in range(5):
        try:
            return {
                "zones": _zones(spec),
                "load_balancers": _load_balancers(spec),
                "target_groups": _target_groups(spec),
                "groups": _groups(spec),
                "databases": _databases(spec),
                "services": _services(spec),
            }
        except RuntimeError:  # a dictionary of the emulator changed while it was read
            if attempt == 4:
                raise
            time.sleep(0.01)
    raise AssertionError("unreachable")


def repository_state(spec: LabSpec, name: str) -> dict[str, Any] | None:
    """Tags and digests of an emulated repository, or None when there is none of that name."""
    repository = ecr_backends[spec.account][spec.region].repositories.get(name)
    if repository is None:
        return None
    images = {image.get_image_digest(): list(image.image_tags) for image in list(repository.images)}
    return {"images": images, "immutable": repository.is_tag_immutable()}


def _zones(spec: LabSpec) -> list[dict[str, Any]]:
    zones = []
    for zone in list(route53_backends[spec.account]["aws"].zones.values()):
        records = [
            {
                "name": record.name.lower().rstrip(".") + ".",
                "type": record.type,
                "ttl": None if record.ttl is None else int(record.ttl),
                "values": values_of(record),
                "alias": (record.alias_target or {}).get("DNSName"),
                "weight": None if record.weight is None else int(record.weight),
                "set_identifier": record.set_identifier,
            }
            for record in list(zone.rrsets)
        ]
        name = zone.name.lower().rstrip(".") + "."
        zones.append({"id": zone.resource_id, "name": name, "private": zone.private_zone, "records": records})
    return zones


def _load_balancers(spec: LabSpec) -> list[dict[str, Any]]:
    backend = elbv2_backends[spec.account][spec.region]
    certificates = {
        arn: [bundle.common_name, *bundle.sans]
        for arn, bundle in list(acm_backends[spec.account][spec.region]._certificates.items())
        if bundle.status == "ISSUED"
    }
    balancers = []
    for balancer in list(backend.load_balancers.values()):
        listeners = []
        for listener in list(balancer.listeners.values()):
            rules = [
                {
                    "priority": rule.priority,
                    "conditions": [dict(condition) for condition in rule.conditions],
                    "actions": [dict(action.data) for action in rule.actions],
                }
                for rule in list(listener.rules.values())
            ]
            names = [name for arn in listener.certificates for name in certificates.get(_arn(arn), [])]
            listeners.append(
                {
                    "arn": listener.arn,
                    "port": int(listener.port),
                    "protocol": listener.protocol,
                    "certificate_names": sorted({name for name in names if name}),
                    "rules": rules,
                }
            )
        balancers.append({"arn": balancer.arn, "dns_name": balancer.dns_name.lower(), "listeners": listeners})
    return balancers


def _arn(value: Any) -> str:
    return str(value.get("CertificateArn")) if isinstance(value, dict) else str(value)


def _target_groups(spec: LabSpec) -> list[dict[str, Any]]:
    groups = []
    for group in list(elbv2_backends[spec.account][spec.region].target_groups.values()):
        groups.append(
            {
                "arn": group.arn,
                "name": group.name,
                "port": int(group.port or 0),
                "path": group.health_check_path or "/",
                "matcher": str((getattr(group, "matcher", None) or {}).get("HttpCode", "200")),
                "healthy_threshold": int(group.healthy_threshold_count),
                "unhealthy_threshold": int(group.unhealthy_threshold_count),
                "targets": sorted(group.targets),
            }
        )
    return groups


def _groups(spec: LabSpec) -> list[dict[str, Any]]:
    groups = []
    for group in list(autoscaling_backends[spec.account][spec.region].autoscaling_groups.values()):
        instances = []
        for state in list(group.instance_states):
            encoded = state.instance.user_data
            text = encoded.decode() if encoded is not None else ""
            instances.append({"id": state.instance.id, "user_data": text})
        groups.append({"name": group.name, "instances": instances})
    return groups


def _databases(spec: LabSpec) -> list[dict[str, Any]]:
    backend = rds_backends[spec.account][spec.region]
    databases = []
    for database in backend.describe_db_instances():
        managed = getattr(database, "master_user_secret", None)
        databases.append(
            {
                "id": database.db_instance_identifier,
                "address": database.address.lower(),
                "port": int(database.port or 5432),
                "status": database.status,
                "name": database.db_name,
                "master_username": database.master_username,
                "master_password": None if managed else getattr(database, "lab_master_password", None),
                "secret_arn": managed.secret_arn if managed else None,
            }
        )
    return databases


def _services(spec: LabSpec) -> list[dict[str, Any]]:
    services = []
    for service in list(lightsail_backends[spec.account][spec.region].services.values()):
        current = service.current()
        services.append(
            {"name": service.name, "host": service.host, "domains": service.domains, "deployment": current}
        )
    return services
