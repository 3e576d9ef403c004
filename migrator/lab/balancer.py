"""How an emulated load balancer decides: its listeners' rules, read as the service reads them."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from migrator.lab.fronts import Decision

HealthyPorts = Callable[[str], tuple[int, ...]]
"""From a target group's ARN to the loopback ports of its healthy targets."""


def decide(listener: dict[str, Any], healthy_ports: HealthyPorts, host: str, path: str) -> Decision:
    """Apply a listener's rules in order of priority to a request."""
    for rule in sorted(listener["rules"], key=_priority):
        if all(_matches(condition, host, path) for condition in rule["conditions"]):
            return _act(rule["actions"], healthy_ports, host, path)
    return Decision(status=404)


def _priority(rule: dict[str, Any]) -> float:
    return float("inf") if rule["priority"] == "default" else float(rule["priority"])


def _matches(condition: dict[str, Any], host: str, path: str) -> bool:
    kind = condition.get("Field")
    if kind == "host-header":
        values = condition.get("Values") or (condition.get("HostHeaderConfig") or {}).get("Values") or []
        return any(fnmatch.fnmatchcase(host, value.lower()) for value in values)
    if kind == "path-pattern":
        values = condition.get("Values") or (condition.get("PathPatternConfig") or {}).get("Values") or []
        return any(fnmatch.fnmatchcase(urlsplit(path).path, value) for value in values)
    return False


def _act(actions: list[dict[str, Any]], healthy_ports: HealthyPorts, host: str, path: str) -> Decision:
    for action in sorted(actions, key=lambda entry: int(entry.get("Order") or 1)):
        kind = action.get("Type")
        if kind == "redirect":
            return _redirect(action.get("RedirectConfig") or {}, host, path)
        if kind == "fixed-response":
            config = action.get("FixedResponseConfig") or {}
            return Decision(
                status=int(config.get("StatusCode", 503)), body=str(config.get("MessageBody") or "")
            )
        if kind == "forward":
            ports: tuple[int, ...] = ()
            for arn in _forward_targets(action):
                ports += healthy_ports(arn)
            return Decision(ports=ports)
    return Decision()


def _forward_targets(action: dict[str, Any]) -> list[str]:
    groups = (action.get("ForwardConfig") or {}).get("TargetGroups") or []
    arns = [str(group["TargetGroupArn"]) for group in groups if int(group.get("Weight", 1)) > 0]
    return arns or ([str(action["TargetGroupArn"])] if action.get("TargetGroupArn") else [])


def _redirect(config: dict[str, Any], host: str, path: str) -> Decision:
    parts = urlsplit(path)
    protocol = str(config.get("Protocol") or "#{protocol}").replace("#{protocol}", "HTTPS").lower()
    port = str(config.get("Port") or "#{port}").replace("#{port}", "443")
    target = str(config.get("Host") or "#{host}").replace("#{host}", host)
    where = str(config.get("Path") or "/#{path}").replace("#{path}", parts.path.lstrip("/"))
    query = str(config.get("Query") or "#{query}").replace("#{query}", parts.query)
    standard = (protocol, port) in (("https", "443"), ("http", "80"))
    location = f"{protocol}://{target}{'' if standard else ':' + port}{where}{'?' + query if query else ''}"
    status = int(str(config.get("StatusCode") or "HTTP_301").removeprefix("HTTP_"))
    return Decision(status=status, location=location)
