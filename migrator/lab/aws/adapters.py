"""Where moto is kinder than AWS, or lacks something, its classes are changed here. Pinned to moto 5.2.5.

Everything in this module leans on private interfaces; tests/lab holds one test for each change.
"""

from __future__ import annotations

import json
import secrets
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from moto import backend_index
from moto.acm import models as acm
from moto.core.responses import ActionResult
from moto.ec2.models import instances, launch_templates
from moto.ec2.utils import parse_user_data
from moto.ecr import models as ecr
from moto.ecr import responses as ecr_responses
from moto.elbv2 import models as elbv2
from moto.rds import models as rds

from migrator.lab.aws import batches, kindness, refresh
from migrator.lab.aws.errors import ServiceFault
from migrator.lab.spec import LabSpec

health: dict[str, dict[str, tuple[str, str]]] = {}
"""Target group ARN → target id → (state, reason), as the stand-ins' health checks found it."""


def register_lightsail() -> None:
    """Make Lightsail one of moto's services."""
    import re

    from migrator.lab.aws import lightsail
    from migrator.lab.aws.lightsail import models, responses, urls

    for name, module in (("", lightsail), (".models", models), (".responses", responses), (".urls", urls)):
        sys.modules[f"moto.lightsail{name}"] = module
    backend_index.backend_url_patterns.append(("lightsail", re.compile(urls.url_bases[0])))


def apply(spec: LabSpec) -> None:
    """Change moto as this twin needs it; called once, before the server starts."""
    register_lightsail()
    batches.install(spec.route53_change_seconds)
    refresh.install(health)
    kindness.apply(_set)
    _rds_takes_time(spec.rds_creating_seconds)
    _acm_checks_the_record(spec)
    _ecr_like_a_registry()
    _target_health()
    _second_template_versions()
    _terminated_instances_leave_their_groups()


def _set(owner: Any, name: str, replacement: Callable[..., Any]) -> None:
    if not hasattr(owner, name):
        raise AttributeError(f"moto has no {owner.__name__}.{name}: is it the pinned version?")
    setattr(owner, name, replacement)


def _rds_takes_time(seconds: float) -> None:
    create, describe = rds.RDSBackend.create_db_instance, rds.RDSBackend.describe_db_instances

    def created(self: Any, db_kwargs: dict[str, Any]) -> Any:
        database: Any = create(self, db_kwargs)
        database.status = "creating"
        # moto gives every instance the same one, and Terraform looks an instance up by it
        database.dbi_resource_id = "db-" + secrets.token_hex(13).upper()
        database.lab_master_password = db_kwargs.get("master_user_password")
        database.lab_available_at = time.monotonic() + seconds
        return database

    def described(self: Any, *args: Any, **kwargs: Any) -> Any:
        for database in list(self.databases.values()):
            due = getattr(database, "lab_available_at", None)
            if due is not None and database.status == "creating" and time.monotonic() >= due:
                database.status = "available"
        return describe(self, *args, **kwargs)

    def secret_string(self: Any) -> str:
        username = getattr(self.resource, "master_username", None) or "postgres"
        return json.dumps({"username": username, "password": secrets.token_urlsafe(24)})

    _set(rds.RDSBackend, "create_db_instance", created)
    _set(rds.RDSBackend, "describe_db_instances", described)
    _set(rds.MasterUserSecret, "_generate_secret_string", secret_string)


def _acm_checks_the_record(spec: LabSpec) -> None:
    def check(self: Any) -> None:
        if self.type != "AMAZON_ISSUED" or self.status != "PENDING_VALIDATION":
            return
        age = (datetime.now(UTC) - self.created_at.replace(tzinfo=UTC)).total_seconds()
        if age < spec.certificate_seconds:
            return
        options = self.describe()["Certificate"].get("DomainValidationOptions", [])
        wanted = {(entry["ResourceRecord"]["Name"], entry["ResourceRecord"]["Value"]) for entry in options}
        if wanted and wanted <= batches.published_cnames(spec.account):
            self.status = "ISSUED"

    _set(acm.CertBundle, "check", check)


def _ecr_like_a_registry() -> None:
    import hashlib

    put, findings = ecr.ECRBackend.put_image, ecr.ECRBackend.describe_image_scan_findings

    def put_image(self: Any, *args: Any, **kwargs: Any) -> Any:
        names = ("repository_name", "image_manifest", "image_tag", "image_manifest_mediatype", "digest")
        values = {**dict(zip(names, args, strict=False)), **kwargs}
        if not values.get("digest"):
            values["digest"] = "sha256:" + hashlib.sha256(values["image_manifest"].encode()).hexdigest()
        repository = self.repositories.get(values["repository_name"])
        tag = values.get("image_tag")
        if repository is not None and tag is not None and repository.is_tag_immutable():
            holders = [image for image in repository.images if tag in image.image_tags]
            if any(image.get_image_digest() != values["digest"] for image in holders):
                raise ServiceFault(
                    "ImageTagAlreadyExistsException", f"The tag {tag} is immutable and names another image."
                )
        image = put(self, **values)
        scanning = self.repositories[values["repository_name"]].image_scanning_configuration
        if scanning.get("scanOnPush") and image.last_scan is None:
            image.last_scan = datetime.now(UTC)
        return image

    def scan_findings(self: Any, *args: Any, **kwargs: Any) -> Any:
        found = findings(self, *args, **kwargs)
        if any(
            entry.get("name") == "CVE-9999-9999" for entry in found["imageScanFindings"].get("findings", [])
        ):
            found["imageScanFindings"].update(findings=[], findingSeverityCounts={})
        return found

    def get_authorization_token(self: Any) -> ActionResult:
        result: ActionResult = original_token(self)
        document: Any = result.result
        for entry in document["authorizationData"]:
            entry["expiresAt"] = datetime.now(UTC) + timedelta(hours=12)
        return result

    original_token: Callable[[Any], Any] = ecr_responses.ECRResponse.get_authorization_token
    _set(ecr.ECRBackend, "put_image", put_image)
    _set(ecr.ECRBackend, "describe_image_scan_findings", scan_findings)
    _set(ecr_responses.ECRResponse, "get_authorization_token", get_authorization_token)


def _second_template_versions() -> None:
    create = launch_templates.LaunchTemplate.create_version

    def create_version(self: Any, data: dict[str, Any], description: str) -> Any:
        # moto converts the user data of a template's first version only, and fails to launch from a later one
        if isinstance(data.get("UserData"), str):
            data = {**data, "UserData": parse_user_data(data["UserData"])}
        return create(self, data, description)

    _set(launch_templates.LaunchTemplate, "create_version", create_version)


def _terminated_instances_leave_their_groups() -> None:
    terminate = instances.InstanceBackend.terminate_instances

    def terminate_instances(self: Any, instance_ids: list[str]) -> Any:
        # moto does this only for EC2's own operation, not when an Auto Scaling group shrinks
        done = terminate(self, instance_ids)
        elbv2.elbv2_backends[self.account_id][self.region_name].notify_terminate_instances(instance_ids)
        return done

    _set(instances.InstanceBackend, "terminate_instances", terminate_instances)


def _target_health() -> None:
    describe = elbv2.ELBv2Backend.describe_target_health

    def described(self: Any, target_group_arn: str, targets: list[dict[str, Any]]) -> Any:
        statuses = describe(self, target_group_arn, targets)
        for status in statuses:
            if status.status != "healthy":
                continue
            known = health.get(target_group_arn, {}).get(status.instance_id)
            status.status, status.reason = known or ("initial", "Elb.RegistrationInProgress")
            status.description = None
            if status.status == "healthy":
                status.reason = None
        return statuses

    _set(elbv2.ELBv2Backend, "describe_target_health", described)
