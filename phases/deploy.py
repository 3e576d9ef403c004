"""The new platform carries the application: instances in service, targets healthy, the right image named."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from migrator.contracts.action import ActionSpec, Check, Verification
from migrator.contracts.context import StepContext
from migrator.contracts.params import Seconds
from migrator.errors import Refused
from migrator.model.runbook import EffectClass
from phases.reads import Read

_TIMEOUT = Seconds(900.0)
_INTERVAL = Seconds(5.0)


@dataclass(frozen=True)
class HealthyParams:
    """Three maps with the same keys, one a service. `images` are images by digest; `timeout` of the polling."""

    target_group_arns: Mapping[str, str]
    autoscaling_group_names: Mapping[str, str]
    images: Mapping[str, str]
    timeout: Seconds = _TIMEOUT
    interval: Seconds = _INTERVAL


class Healthy(Read):
    """`deploy.healthy`: waits until every service is wholly healthy on the image that was pushed."""

    spec = ActionSpec(
        name="deploy.healthy",
        summary="Waits until instances are in service, on the right image, with healthy targets",
        effect=EffectClass.READ,
        params=HealthyParams,
        outputs={"healthy": "service name to its number of healthy targets"},
        reprove=False,
    )

    def verify(self, ctx: StepContext[HealthyParams]) -> Verification:
        """Polls until all checks are green or the time is over; the last checks hold the targets' reasons."""
        params = ctx.params
        services = sorted(params.target_group_arns)
        if not services or any(
            sorted(each) != services for each in (params.autoscaling_group_names, params.images)
        ):
            raise Refused("target groups, autoscaling groups and images must name the same services")
        begun = ctx.tools.clock.now()
        while True:
            checks: list[Check] = []
            healthy: dict[str, int] = {}
            for service in services:
                found, healthy[service] = _look(ctx, service)
                checks += found
            bad = [check for check in checks if not check.ok]
            waited = (ctx.tools.clock.now() - begun).total_seconds()
            if not bad or waited >= params.timeout:
                return Verification(tuple(checks), {"healthy": healthy})
            ctx.channel.progress(
                f"{bad[0].name}: {bad[0].detail}", len(checks) - len(bad), len(checks), "checks"
            )
            ctx.channel.check_cancelled()
            ctx.channel.sleep(min(params.interval, max(params.timeout - waited, 0.1)))


def _look(ctx: StepContext[HealthyParams], service: str) -> tuple[list[Check], int]:
    """All checks of one service, and how many of its targets are healthy."""
    params = ctx.params
    name = params.autoscaling_group_names[service]
    found = ctx.tools.aws.call("autoscaling", "describe_auto_scaling_groups", AutoScalingGroupNames=[name])
    groups = found["AutoScalingGroups"]
    if not groups:
        return [Check(f"{service}: the autoscaling group is there", False, name)], 0
    group = groups[0]
    instances = group.get("Instances", [])
    wanted = int(group.get("DesiredCapacity", 0))
    off = [
        f"{each['InstanceId']} is {each['LifecycleState']}, {each.get('HealthStatus', '')}"
        for each in instances
        if each["LifecycleState"] != "InService" or str(each.get("HealthStatus", "")).lower() != "healthy"
    ]
    serving = wanted > 0 and len(instances) == wanted and not off
    count = f"{len(instances)} of {wanted} instances"
    checks = [Check(f"{service}: instances are in service", serving, "; ".join([count, *off]))]
    checks += _version_checks(ctx, service, group)
    targets, healthy = _target_checks(ctx, service, {each["InstanceId"] for each in instances})
    return checks + targets, healthy


def _version_checks(ctx: StepContext[HealthyParams], service: str, group: Mapping[str, Any]) -> list[Check]:
    """The instances run the group's launch template version, and that version names the image."""
    template = group.get("LaunchTemplate") or (
        group.get("MixedInstancesPolicy", {}).get("LaunchTemplate", {}).get("LaunchTemplateSpecification")
    )
    if not template:
        return [Check(f"{service}: the group has a launch template", False)]
    identity = template["LaunchTemplateId"]
    asked = str(template.get("Version") or "$Default")
    found = ctx.tools.aws.call(
        "ec2", "describe_launch_template_versions", LaunchTemplateId=identity, Versions=[asked]
    )["LaunchTemplateVersions"]
    if not found:
        return [Check(f"{service}: the launch template's version is there", False, f"{identity} {asked}")]
    version = str(found[0]["VersionNumber"])
    older = [
        f"{each['InstanceId']} has version {_own_version(each) or 'none'}"
        for each in group.get("Instances", [])
        if _own_version(each) != version
    ]
    digest = ctx.params.images[service].partition("@")[2]
    names_it = bool(digest) and ctx.params.images[service] in _user_data(found[0])
    return [
        Check(f"{service}: instances are on launch template version {version}", not older, "; ".join(older)),
        Check(f"{service}: the launch template names the image", names_it, ctx.params.images[service]),
    ]


def _own_version(instance: Mapping[str, Any]) -> str:
    return str((instance.get("LaunchTemplate") or {}).get("Version", ""))


def _user_data(version: Mapping[str, Any]) -> str:
    """The start script of a launch template version, as text."""
    encoded = version.get("LaunchTemplateData", {}).get("UserData", "")
    try:
        return base64.b64decode(encoded).decode(errors="replace")
    except binascii.Error:
        return ""


def _target_checks(
    ctx: StepContext[HealthyParams], service: str, instances: set[str]
) -> tuple[list[Check], int]:
    """Every instance is a healthy target. Targets that drain away are no fault."""
    arn = ctx.params.target_group_arns[service]
    found = ctx.tools.aws.call("elbv2", "describe_target_health", TargetGroupArn=arn)
    states = {str(each["Target"]["Id"]): each["TargetHealth"] for each in found["TargetHealthDescriptions"]}
    healthy = {target for target, state in states.items() if state["State"] == "healthy"}
    ill = [
        f"{target} is {state['State']}: {state.get('Description') or state.get('Reason') or 'no reason given'}"
        for target, state in sorted(states.items())
        if state["State"] not in {"healthy", "draining"}
    ]
    unregistered = [f"{instance} is not registered" for instance in sorted(instances - set(states))]
    whole = bool(instances) and instances <= healthy and not ill
    detail = "; ".join([f"{len(healthy)} healthy", *ill, *unregistered])
    return [Check(f"{service}: targets are healthy", whole, detail)], len(healthy)


ACTIONS = (Healthy(),)
