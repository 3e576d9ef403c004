"""Watches the cutover spread over name servers and resolvers."""

from __future__ import annotations

from dataclasses import dataclass

from migrator.contracts.action import ActionSpec, Verification
from migrator.contracts.context import StepContext
from migrator.contracts.params import Seconds
from migrator.model.runbook import EffectClass
from phases.dns_cutover.exchange import asked_names, open_zone
from phases.verify.propagation import Propagation
from phases.verify.reading import ReadOnly

_TIMEOUT = Seconds(900.0)


@dataclass(frozen=True)
class WatchParams:
    """What to watch for how long. `resolvers` are public resolvers' addresses, added to the system's own.

    `timeout` should be longer than the TTL that the old records had.
    """

    hosted_zone_id: str
    names: tuple[str, ...]
    target_dns_name: str
    timeout: Seconds = _TIMEOUT
    resolvers: tuple[str, ...] = ()


class Watch(ReadOnly[WatchParams]):
    """Every server of the zone and every resolver must answer with the new target."""

    spec = ActionSpec(
        name="dns_cutover.watch",
        summary="Watch name servers and resolvers until all lead to the new target",
        effect=EffectClass.READ,
        params=WatchParams,
        outputs={"seconds": "Server to the seconds until it led to the new target, from the watch's start"},
        reprove=False,
    )

    def verify(self, ctx: StepContext[WatchParams]) -> Verification:
        """Asks until all are there or the time is over."""
        params, dns = ctx.params, ctx.tools.dns
        zone = open_zone(ctx, params.hosted_zone_id)
        resolvers = dns.resolvers(params.resolvers)
        propagation = Propagation(
            dns,
            ctx.tools.clock,
            ctx.channel,
            servers=(*dns.authoritative(zone.zone_name(), zone.name_servers()), *resolvers),
            resolvers=resolvers,
            names=asked_names(params),
            target=params.target_dns_name,
        )
        propagation.watch(params.timeout)
        return Verification(checks=propagation.checks(), outputs={"seconds": propagation.seconds()})
