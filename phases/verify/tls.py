"""The certificate that a host shows."""

from __future__ import annotations

from dataclasses import dataclass

from migrator.contracts.action import ActionSpec, Check, Verification
from migrator.contracts.context import StepContext
from migrator.contracts.http import HttpInDoubt, HttpNotSent
from migrator.contracts.params import Seconds
from migrator.model.runbook import EffectClass
from phases.verify.expectations import show
from phases.verify.reading import ReadOnly, until_green

_TIMEOUT = Seconds(60.0)
_HANDSHAKE_SECONDS = 10.0
_GOOD_PROTOCOLS = frozenset({"TLSv1.2", "TLSv1.3"})


@dataclass(frozen=True)
class TlsParams:
    """Whose certificate, and how many days it must still last."""

    host: str
    via: str = ""
    minimum_days: int = 14
    timeout: Seconds = _TIMEOUT


class TlsCheck(ReadOnly[TlsParams]):
    """The certificate is trusted, for this host, and lasts long enough."""

    spec = ActionSpec(
        name="verify.tls",
        summary="Check a host's certificate",
        effect=EffectClass.READ,
        params=TlsParams,
        outputs={
            "issuer": "Who issued the certificate",
            "not_after": "Until when it is valid (UTC, ISO 8601)",
            "protocol": "The TLS version that was agreed",
        },
        reprove=False,
    )

    def verify(self, ctx: StepContext[TlsParams]) -> Verification:
        """The newest look."""
        return until_green(ctx, ctx.params.timeout, lambda: _look(ctx))


def _look(ctx: StepContext[TlsParams]) -> Verification:
    params = ctx.params
    trusted = f"the certificate of {params.host} is trusted and for this name"
    try:
        facts = ctx.tools.http.tls(params.host, via=params.via, timeout=_HANDSHAKE_SECONDS)
    except (HttpNotSent, HttpInDoubt) as error:
        return Verification((Check(trusted, False, show(str(error))),))
    days = (facts.not_after - ctx.tools.clock.now()).total_seconds() / 86_400
    return Verification(
        (
            Check(trusted, True, f"{facts.issuer}; {', '.join(facts.names)}"),
            Check(
                f"it lasts at least {params.minimum_days} days",
                days >= params.minimum_days,
                f"{days:.1f} days, until {facts.not_after.isoformat()}",
            ),
            Check("the TLS version is 1.2 or newer", facts.protocol in _GOOD_PROTOCOLS, facts.protocol),
        ),
        outputs={
            "issuer": facts.issuer,
            "not_after": facts.not_after.isoformat(),
            "protocol": facts.protocol,
        },
    )
