"""The AWS account: whose credentials these are, and the hosted zone that the cutover will change."""

from __future__ import annotations

from dataclasses import dataclass

from migrator.contracts.action import ActionSpec, Check, Verification
from migrator.contracts.context import StepContext
from migrator.model.runbook import EffectClass
from phases.reads import Read


@dataclass(frozen=True)
class CredentialsParams:
    """No parameters: account and region are the run's own."""


class CredentialsCheck(Read):
    """`preflight.credentials`: the credentials work and belong to the run's account."""

    spec = ActionSpec(
        name="preflight.credentials",
        summary="AWS accepts the credentials, and they belong to this run's account",
        effect=EffectClass.READ,
        params=CredentialsParams,
        outputs={"account": "account number", "identity": "ARN of the user or role"},
        reprove=False,
    )

    def verify(self, ctx: StepContext[CredentialsParams]) -> Verification:
        """Asks STS who we are."""
        identity = ctx.tools.aws.call("sts", "get_caller_identity")
        account, arn = str(identity["Account"]), str(identity["Arn"])
        root = arn.endswith(":root")
        checks = (
            Check("the account is this run's", account == ctx.account, f"{account}, expected {ctx.account}"),
            Check(
                "the identity is not the account's root user", not root, f"{arn}; use a role" if root else arn
            ),
        )
        return Verification(checks, {"account": account, "identity": arn})


@dataclass(frozen=True)
class HostedZoneParams:
    """`domain` is the zone's name, without a final dot."""

    hosted_zone_id: str
    domain: str


class HostedZoneCheck(Read):
    """`preflight.hosted_zone`: the Route 53 zone is there, public, and is the domain's."""

    spec = ActionSpec(
        name="preflight.hosted_zone",
        summary="The Route 53 hosted zone is public and belongs to the domain",
        effect=EffectClass.READ,
        params=HostedZoneParams,
        outputs={
            "name_servers": "the zone's name servers",
            "zone_name": "the zone's name, without a final dot",
        },
        reprove=False,
    )

    def verify(self, ctx: StepContext[HostedZoneParams]) -> Verification:
        """Reads the zone."""
        answer = ctx.tools.aws.call("route53", "get_hosted_zone", Id=ctx.params.hosted_zone_id)
        zone = answer["HostedZone"]
        name = str(zone["Name"]).rstrip(".").lower()
        domain = ctx.params.domain.rstrip(".").lower()
        private = bool(zone.get("Config", {}).get("PrivateZone"))
        servers = [str(each) for each in answer.get("DelegationSet", {}).get("NameServers", ())]
        checks = (
            Check("the zone is the domain's", name == domain, f"{name}, expected {domain}"),
            Check("the zone is public", not private),
            Check("the zone has name servers", bool(servers), ", ".join(servers)),
        )
        return Verification(checks, {"name_servers": servers, "zone_name": name})
