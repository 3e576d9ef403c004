"""Names lead to a target on every resolver that is asked."""

from __future__ import annotations

from dataclasses import dataclass

from migrator.contracts.action import ActionSpec, Verification
from migrator.contracts.context import StepContext
from migrator.contracts.params import Seconds
from migrator.model.runbook import EffectClass
from phases.verify.propagation import Propagation
from phases.verify.reading import ReadOnly

_TIMEOUT = Seconds(60.0)


@dataclass(frozen=True)
class DnsParams:
    """The names and where they must lead. With `zone`, its name servers are asked too.

    `resolvers` are public resolvers' addresses, added to the system's own.
    """

    names: tuple[str, ...]
    target: str
    zone: str = ""
    resolvers: tuple[str, ...] = ()
    timeout: Seconds = _TIMEOUT


class DnsCheck(ReadOnly[DnsParams]):
    """Asks resolvers, and the zone's servers where it is known, each by itself."""

    spec = ActionSpec(
        name="verify.dns",
        summary="Check where DNS names lead",
        effect=EffectClass.READ,
        params=DnsParams,
        outputs={"seconds": "Server to the seconds until it led to the target"},
        reprove=False,
    )

    def verify(self, ctx: StepContext[DnsParams]) -> Verification:
        """Asks until all answers lead to the target or the time is over."""
        params, dns = ctx.params, ctx.tools.dns
        resolvers = dns.resolvers(params.resolvers)
        propagation = Propagation(
            dns,
            ctx.tools.clock,
            ctx.channel,
            servers=(*(dns.authoritative(params.zone) if params.zone else ()), *resolvers),
            resolvers=resolvers,
            names=tuple(dict.fromkeys(name.rstrip(".").lower() for name in params.names)),
            target=params.target,
        )
        propagation.watch(params.timeout)
        return Verification(checks=propagation.checks(), outputs={"seconds": propagation.seconds()})
