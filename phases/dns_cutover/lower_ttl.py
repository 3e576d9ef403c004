"""Lowers the TTL of records, so that a later cutover and its way back are seen quickly."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from migrator.contracts.action import ActionSpec, Check, Verification
from migrator.contracts.context import StepContext
from migrator.model.runbook import EffectClass
from phases.dns_cutover.exchange import RecordExchange, asked_names
from phases.dns_cutover.records import ALIAS_TTL_SECONDS, RecordSet, at, describe, longest_ttl_seconds


@dataclass(frozen=True)
class LowerTtlParams:
    """Which names, and the TTL that none of them may exceed, in seconds."""

    hosted_zone_id: str
    names: tuple[str, ...]
    ttl_seconds: int


class LowerTtl(RecordExchange[LowerTtlParams]):
    """Lowers, never raises. An alias has no TTL of its own and stays as it is."""

    spec = ActionSpec(
        name="dns_cutover.lower_ttl",
        summary="Lower the TTL of DNS records ahead of the cutover",
        effect=EffectClass.COMPARE_AND_SET,
        params=LowerTtlParams,
        outputs={
            "previous_longest_ttl_seconds": "How long resolvers may still keep an earlier answer, in seconds",
            "records": "The records as they are now",
        },
    )

    def wanted(self, params: LowerTtlParams, before: Sequence[RecordSet]) -> tuple[RecordSet, ...]:
        """The same records with at most the asked TTL."""
        return tuple(
            record
            if record.ttl is None or record.ttl <= params.ttl_seconds
            else dataclasses.replace(record, ttl=params.ttl_seconds)
            for record in before
        )

    def verify(self, ctx: StepContext[LowerTtlParams]) -> Verification:
        """A fresh read; says for each name that needed nothing why."""
        checks, now = self.compared(ctx)
        before = self.before(ctx)
        reasons = tuple(
            Check(f"{name} needed no change", True, reason)
            for name in asked_names(ctx.params)
            if (reason := _nothing_to_do(at(before, name), ctx.params.ttl_seconds))
        )
        return Verification(
            checks=(*checks, *reasons),
            outputs={
                "previous_longest_ttl_seconds": longest_ttl_seconds(before),
                "records": [{"name": r.name, "record": describe([r]), "ttl_seconds": r.ttl} for r in now],
            },
        )


def _nothing_to_do(before: Sequence[RecordSet], ttl_seconds: int) -> str:
    if any(record.alias for record in before):
        return f"an alias has no TTL of its own; resolvers keep it for {ALIAS_TTL_SECONDS} s"
    if all(record.ttl is not None and record.ttl <= ttl_seconds for record in before):
        return f"its TTL was {longest_ttl_seconds(before)} s already"
    return ""
