"""Instance refresh of Auto Scaling groups, which moto lacks: instances replaced one by one, gated by health."""

from __future__ import annotations

import math
import sys
import threading
import time
import traceback
import uuid
from datetime import UTC, datetime
from typing import Any

from moto.autoscaling import models, responses
from moto.core.responses import ActionResult

from migrator.lab.aws.errors import ServiceFault

HEALTHY_WITHIN_SECONDS = 120.0
_refreshes: dict[str, list[dict[str, Any]]] = {}
_OPEN = ("Pending", "InProgress", "Cancelling")


def install(health: dict[str, dict[str, tuple[str, str]]]) -> None:
    """Add the three operations; `health` is target group ARN → instance id → (state, reason)."""

    def start(self: Any) -> ActionResult:
        name = self._get_param("AutoScalingGroupName")
        group = _group(self, name)
        if any(entry["Status"] in _OPEN for entry in _refreshes.get(name, [])):
            raise ServiceFault("InstanceRefreshInProgress", f"A refresh of {name} is in progress")
        preferences = self._get_param("Preferences") or {}
        entry: dict[str, Any] = {
            "InstanceRefreshId": str(uuid.uuid4()),
            "AutoScalingGroupName": name,
            "Status": "Pending",
            "StartTime": datetime.now(UTC),
            "PercentageComplete": 0,
            "InstancesToUpdate": len(group.instance_states),
            "Preferences": {"MinHealthyPercentage": int(preferences.get("MinHealthyPercentage", 90))},
        }
        _refreshes.setdefault(name, []).insert(0, entry)
        arguments = (self.autoscaling_backend, group, entry, health)
        threading.Thread(target=_run_safely, args=arguments, daemon=True).start()
        return ActionResult({"InstanceRefreshId": entry["InstanceRefreshId"]})

    def describe(self: Any) -> ActionResult:
        name = self._get_param("AutoScalingGroupName")
        _group(self, name)
        wanted = self._get_param("InstanceRefreshIds") or []
        known = _refreshes.get(name, [])
        found = [dict(entry) for entry in known if not wanted or entry["InstanceRefreshId"] in wanted]
        return ActionResult({"InstanceRefreshes": found})

    def cancel(self: Any) -> ActionResult:
        name = self._get_param("AutoScalingGroupName")
        _group(self, name)
        for entry in _refreshes.get(name, []):
            if entry["Status"] in _OPEN:
                entry["Status"] = "Cancelling"
                return ActionResult({"InstanceRefreshId": entry["InstanceRefreshId"]})
        raise ServiceFault("ActiveInstanceRefreshNotFound", f"No refresh of {name} is in progress")

    target: Any = responses.AutoScalingResponse
    target.start_instance_refresh = start
    target.describe_instance_refreshes = describe
    target.cancel_instance_refresh = cancel


def _group(response: Any, name: str) -> Any:
    groups: dict[str, models.FakeAutoScalingGroup] = response.autoscaling_backend.autoscaling_groups
    if name not in groups:
        raise ServiceFault("ValidationError", f"AutoScalingGroup name not found - {name}")
    return groups[name]


def _run_safely(*arguments: Any) -> None:
    try:
        _run(*arguments)
    except Exception as error:  # noqa: BLE001 - the edge of a thread: the refresh must not look as if it went on
        traceback.print_exc(file=sys.stderr)
        arguments[2].update(
            Status="Failed", StatusReason=f"{type(error).__name__}: {error}", EndTime=datetime.now(UTC)
        )


def _run(
    backend: Any, group: Any, entry: dict[str, Any], health: dict[str, dict[str, tuple[str, str]]]
) -> None:
    entry["Status"] = "InProgress"
    old = list(group.instance_states)
    floor = math.ceil(len(old) * entry["Preferences"]["MinHealthyPercentage"] / 100)
    launch_first = floor >= len(old) and entry["Preferences"]["MinHealthyPercentage"] >= 100
    for done, state in enumerate(old):
        if entry["Status"] == "Cancelling":
            break
        if not launch_first:
            _terminate(backend, group, state)
        before = {member.instance.id for member in group.instance_states}
        group.replace_autoscaling_group_instances(1, group.get_propagated_tags())
        backend.update_attached_target_groups(group.name)
        new = [member.instance.id for member in group.instance_states if member.instance.id not in before]
        if not _wait_healthy(group, new, entry, health):
            entry["Status"] = "Cancelled" if entry["Status"] == "Cancelling" else "Failed"
            entry["StatusReason"] = "The new instance did not become healthy."
            entry["EndTime"] = datetime.now(UTC)
            return
        if launch_first:
            _terminate(backend, group, state)
        entry["PercentageComplete"] = int(100 * (done + 1) / len(old))
        entry["InstancesToUpdate"] = len(old) - done - 1
    entry["Status"] = "Cancelled" if entry["Status"] == "Cancelling" else "Successful"
    entry["EndTime"] = datetime.now(UTC)


def _terminate(backend: Any, group: Any, state: Any) -> None:
    backend.ec2_backend.terminate_instances([state.instance.id])
    group.instance_states = [member for member in group.instance_states if member is not state]
    backend.update_attached_target_groups(group.name)


def _wait_healthy(
    group: Any, instances: list[str], entry: dict[str, Any], health: dict[str, dict[str, tuple[str, str]]]
) -> bool:
    until = time.monotonic() + HEALTHY_WITHIN_SECONDS
    while time.monotonic() < until and entry["Status"] != "Cancelling":
        states = [
            health.get(arn, {}).get(name, ("initial", ""))[0]
            for arn in group.target_group_arns
            for name in instances
        ]
        if all(state == "healthy" for state in states):
            return True
        time.sleep(0.3)
    return False
