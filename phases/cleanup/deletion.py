"""Deletions on the old platform. Each looks at everything again right before, and needs the export."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from migrator.contracts.action import ActionSpec, Check, Confidence, Preview, Probe, Verdict, Verification
from migrator.contracts.context import StepContext
from migrator.contracts.params import Seconds
from migrator.errors import Refused
from migrator.model.runbook import EffectClass
from phases.cleanup.export import find_service, read_export

_TIMEOUT = Seconds(600.0)
_INTERVAL = 3.0


@dataclass(frozen=True)
class DeleteServiceParams:
    """`export_file` and `export_sha256` are outputs of `cleanup.export_lightsail`; `timeout` until it is gone."""

    service: str
    export_file: str
    export_sha256: str
    timeout: Seconds = _TIMEOUT


class DeleteLightsailService:
    """`cleanup.delete_lightsail_service`: deletes the container service that the export describes, no other."""

    spec = ActionSpec(
        name="cleanup.delete_lightsail_service",
        summary="Deletes a Lightsail container service that was exported and is unchanged since",
        effect=EffectClass.DELETE,
        params=DeleteServiceParams,
        outputs={"deleted": "ARN of the service that is gone"},
        reversible=False,
    )

    def preview(self, ctx: StepContext[DeleteServiceParams]) -> Preview:
        """The service that would be deleted."""
        service = find_service(ctx.tools.aws, ctx.params.service)
        if service is None:
            return Preview(())
        return Preview((f"delete the container service {service['arn']}",), Confidence.CHECKED)

    def probe(self, ctx: StepContext[DeleteServiceParams]) -> Probe:
        """Whether the service is gone: that is the effect, so ABSENT means that the service is still there."""
        service = find_service(ctx.tools.aws, ctx.params.service)
        sent = ctx.memory.get("deleting")
        if service is None:
            by_us = "this run deleted it" if sent else "it was gone before this run deleted it"
            return Probe(Verdict.OURS, f"the container service is gone: {by_us}", {"gone": True})
        facts = {"arn": service["arn"], "state": service.get("state", "")}
        if sent and sent != service["arn"]:
            return Probe(Verdict.FOREIGN, "another service of the same name was made since", facts)
        if service.get("state") == "DELETING":
            return Probe(Verdict.OURS, "the container service is being deleted", facts)
        return Probe(Verdict.ABSENT, f"the container service is there, {service.get('state')}", facts)

    def apply(self, ctx: StepContext[DeleteServiceParams]) -> None:
        """All guards once more, then the deletion."""
        service = find_service(ctx.tools.aws, ctx.params.service)
        if service is None or service.get("state") == "DELETING":
            return
        _guard(ctx, service)
        ctx.channel.remember({"deleting": service["arn"]})
        ctx.tools.aws.call("lightsail", "delete_container_service", serviceName=ctx.params.service)

    def verify(self, ctx: StepContext[DeleteServiceParams]) -> Verification:
        """Waits until the service is gone."""
        begun = ctx.tools.clock.now()
        while (service := find_service(ctx.tools.aws, ctx.params.service)) is not None:
            state = str(service.get("state", ""))
            waited = (ctx.tools.clock.now() - begun).total_seconds()
            if state != "DELETING" or waited >= ctx.params.timeout:
                return Verification((Check("the container service is gone", False, state),))
            ctx.channel.progress(f"{ctx.params.service} is {state}")
            ctx.channel.check_cancelled()
            ctx.channel.sleep(_INTERVAL)
        gone = Check("the container service is gone", True)
        try:
            content = read_export(ctx.params.export_file, ctx.params.export_sha256)
        except Refused as error:
            return Verification((gone, Check("its export is kept", False, error.what)))
        exported = _exported(content, ctx.params.service) or {}
        kept = Check("its export is kept", bool(exported), ctx.params.export_file)
        return Verification((gone, kept), {"deleted": str(exported.get("arn", ""))})

    def undo(self, ctx: StepContext[DeleteServiceParams]) -> None:
        """Cannot be taken back once the deletion was sent; says how to build the service anew."""
        if not ctx.memory.get("deleting"):
            return
        raise Refused(
            "a deleted container service does not come back, and a new one gets another host name",
            where=ctx.params.service,
            next=(
                f"to rebuild it: `aws lightsail create-container-service` with power, scale and publicDomainNames, "
                f"then `create-container-service-deployment` with the newest deployment, both from "
                f"{ctx.params.export_file}; put the environment's values in by hand; then change DNS to its host"
            ),
        )


@dataclass(frozen=True)
class UnpeerParams:
    """`unaffected` are names of Lightsail resources that are known to do without the peering."""

    export_file: str
    export_sha256: str
    unaffected: tuple[str, ...] = ()


class UnpeerLightsailVpc:
    """`cleanup.unpeer_lightsail_vpc`: ends the peering of Lightsail's network with the default VPC.

    The peering is one for the whole region: it is refused while other Lightsail resources may need it.
    """

    spec = ActionSpec(
        name="cleanup.unpeer_lightsail_vpc",
        summary="Ends the peering between Lightsail and the default VPC",
        effect=EffectClass.DELETE,
        params=UnpeerParams,
        outputs={"peered": "whether the peering is there"},
    )

    def preview(self, ctx: StepContext[UnpeerParams]) -> Preview:
        """Whether the peering would be ended."""
        if not _peered(ctx):
            return Preview(())
        return Preview((f"end the peering of Lightsail with the default VPC in {ctx.region}",))

    def probe(self, ctx: StepContext[UnpeerParams]) -> Probe:
        """Whether the peering is gone."""
        peered = _peered(ctx)
        facts = {"peered": peered}
        if not peered:
            return Probe(Verdict.OURS, "Lightsail is not peered with the default VPC", facts)
        return Probe(Verdict.ABSENT, "Lightsail is peered with the default VPC", facts)

    def apply(self, ctx: StepContext[UnpeerParams]) -> None:
        """All guards once more, then the call."""
        read_export(ctx.params.export_file, ctx.params.export_sha256)
        if not _peered(ctx):
            return
        others = [name for name in _other_resources(ctx) if name not in ctx.params.unaffected]
        if others:
            raise Refused(
                f"other Lightsail resources may need the peering: {', '.join(others)}",
                where=f"Lightsail in {ctx.region}",
                next="name those that do without it in the step's `unaffected`, or skip the step",
            )
        ctx.channel.remember({"unpeering": True})
        ctx.tools.aws.call("lightsail", "unpeer_vpc")

    def verify(self, ctx: StepContext[UnpeerParams]) -> Verification:
        """Asks whether the peering is there."""
        peered = _peered(ctx)
        return Verification(
            (Check("Lightsail is not peered with the default VPC", not peered),), {"peered": peered}
        )

    def undo(self, ctx: StepContext[UnpeerParams]) -> None:
        """Peers again, if this run ended it."""
        if ctx.memory.get("unpeering") and ctx.baseline.get("peered") and not _peered(ctx):
            ctx.tools.aws.call("lightsail", "peer_vpc")


def _guard(ctx: StepContext[DeleteServiceParams], service: dict[str, Any]) -> None:
    """The export is whole, and what is there is exactly what it describes."""
    where = f"Lightsail container service {ctx.params.service}"
    content = read_export(ctx.params.export_file, ctx.params.export_sha256)
    exported = _exported(content, ctx.params.service)
    if exported is None:
        raise Refused("the export does not describe this service; nothing was deleted", where=where)
    if content.get("account") != ctx.account or content.get("region") != ctx.region:
        raise Refused("the export is of another account or region; nothing was deleted", where=where)
    if exported["arn"] != service["arn"]:
        raise Refused("this is another service than the exported one; nothing was deleted", where=where)
    versions = [each.get("currentDeployment", {}).get("version") for each in (exported, service)]
    if versions[0] != versions[1]:
        raise Refused(
            f"the service was deployed since the export (version {versions[0]}, now {versions[1]}); "
            "nothing was deleted",
            where=where,
            next="find out who still deploys to it, then export again",
        )


def _exported(content: dict[str, Any], name: str) -> dict[str, Any] | None:
    services = content.get("services", ())
    return next((dict(each) for each in services if each.get("containerServiceName") == name), None)


def _peered(ctx: StepContext[UnpeerParams]) -> bool:
    return bool(ctx.tools.aws.call("lightsail", "is_vpc_peered")["isPeered"])


def _other_resources(ctx: StepContext[UnpeerParams]) -> list[str]:
    """Names of everything in Lightsail that can hold a connection into the default VPC."""
    aws = ctx.tools.aws
    services = aws.call("lightsail", "get_container_services")["containerServices"]
    names = [str(each["containerServiceName"]) for each in services]
    names += [str(each["name"]) for each in aws.pages("lightsail", "get_instances", "instances")]
    names += [
        str(each["name"])
        for each in aws.pages("lightsail", "get_relational_databases", "relationalDatabases")
    ]
    return sorted(names)
