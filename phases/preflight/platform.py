"""The old platform: Lightsail container services that run."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from migrator.contracts.action import ActionSpec, Check, Verification
from migrator.contracts.aws import AwsRefused
from migrator.contracts.context import StepContext
from migrator.model.runbook import EffectClass
from phases.reads import Read


@dataclass(frozen=True)
class LightsailParams:
    """Names of the container services that carry the application now."""

    services: tuple[str, ...]


class LightsailCheck(Read):
    """`preflight.lightsail`: every container service runs and has an active deployment."""

    spec = ActionSpec(
        name="preflight.lightsail",
        summary="The Lightsail container services run, each with an active deployment",
        effect=EffectClass.READ,
        params=LightsailParams,
        outputs={
            "domains": "service name to the host name that Lightsail gave it",
            "states": "service name to its state",
        },
        reprove=False,
    )

    def verify(self, ctx: StepContext[LightsailParams]) -> Verification:
        """Reads every service."""
        checks: list[Check] = []
        domains: dict[str, str] = {}
        states: dict[str, str] = {}
        for name in ctx.params.services:
            try:
                found = ctx.tools.aws.call("lightsail", "get_container_services", serviceName=name)
            except AwsRefused as error:
                if error.code != "NotFoundException":
                    raise
                checks.append(Check(f"{name} is there", False, f"no such container service in {ctx.region}"))
                continue
            service = found["containerServices"][0]
            deployment = service.get("currentDeployment", {})
            states[name] = str(service.get("state", ""))
            domains[name] = urlsplit(str(service.get("url", ""))).hostname or ""
            checks += [
                Check(f"{name} runs", states[name] == "RUNNING", states[name]),
                Check(
                    f"{name} has an active deployment",
                    deployment.get("state") == "ACTIVE",
                    f"version {deployment.get('version')}" if deployment else "none",
                ),
                Check(f"{name} has a host name", bool(domains[name]), domains[name]),
            ]
        return Verification(tuple(checks), {"domains": domains, "states": states})
