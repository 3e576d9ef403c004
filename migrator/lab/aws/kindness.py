"""Where moto is stricter or more forgetful than AWS, so that Terraform sees the same world twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from moto.ec2.models import launch_templates
from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.rds import models as rds
from moto.s3 import models as s3

Patch = Callable[[Any, str, Callable[..., Any]], None]


def apply(patch: Patch) -> None:
    """Change moto's classes with `patch(owner, name, replacement)`."""
    _bucket_policies_know_tls(patch)
    _parameters_know_their_source(patch)
    _launch_template_tags_are_fresh()


def _bucket_policies_know_tls(patch: Patch) -> None:
    def get_permission(self: Any, action: str, resource: str) -> Any:
        # moto ignores conditions, so that a policy which refuses plain HTTP would refuse everything
        if self.policy is None:
            return PermissionResult.NEUTRAL
        document = json.loads(self.policy)
        statements = document.get("Statement", [])
        document["Statement"] = [
            s for s in statements if "aws:SecureTransport" not in json.dumps(s.get("Condition"))
        ]
        if not document["Statement"]:
            return PermissionResult.NEUTRAL
        return IAMPolicy(document).is_action_permitted(action, resource)

    patch(s3.FakeBucket, "get_permission", get_permission)


def _parameters_know_their_source(patch: Patch) -> None:
    update = rds.DBParameterGroup.update_parameters

    def update_parameters(self: Any, new_parameters: Iterable[dict[str, Any]]) -> None:
        update(self, [{**parameter, "Source": "user"} for parameter in new_parameters])

    patch(rds.DBParameterGroup, "update_parameters", update_parameters)


def _launch_template_tags_are_fresh() -> None:
    # moto freezes the tags at creation: later changes would show as drift for ever
    tags = property(lambda self: self.get_tags(), lambda self, value: None)  # noqa: ARG005
    launch_templates.LaunchTemplate.tags = tags  # type: ignore[assignment]
