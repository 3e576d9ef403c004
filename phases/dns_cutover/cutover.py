"""The cutover itself: all names to the new load balancer in one exchange."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from migrator.contracts.action import ActionSpec, Verification
from migrator.contracts.context import StepContext
from migrator.model.runbook import EffectClass
from phases.dns_cutover.exchange import RecordExchange, asked_names
from phases.dns_cutover.records import Alias, RecordSet, at, describe, host_name


@dataclass(frozen=True)
class CutoverParams:
    """Which names, and the load balancer that they shall lead to (its DNS name and its own zone id)."""

    hosted_zone_id: str
    names: tuple[str, ...]
    target_dns_name: str
    target_zone_id: str
    evaluate_target_health: bool = True


class Cutover(RecordExchange[CutoverParams]):
    """Replaces the record of each name by an alias to the target; `undo` gives back what was there."""

    spec = ActionSpec(
        name="dns_cutover.cutover",
        summary="Point DNS names at the new load balancer",
        effect=EffectClass.COMPARE_AND_SET,
        params=CutoverParams,
        outputs={
            "change_id": "The provider's id of the change",
            "before": "Name to record, before",
            "after": "Name to record, now",
        },
    )

    def wanted(
        self,
        params: CutoverParams,
        before: Sequence[RecordSet],  # noqa: ARG002 - what is there does not matter
    ) -> tuple[RecordSet, ...]:
        """An alias to the target at each name."""
        alias = Alias(
            f"{host_name(params.target_dns_name)}.", params.target_zone_id, params.evaluate_target_health
        )
        return tuple(RecordSet(name, "A", None, alias=alias) for name in asked_names(params))

    def verify(self, ctx: StepContext[CutoverParams]) -> Verification:
        """The change is in sync, and a fresh read shows the aliases."""
        checks, now = self.compared(ctx)
        before = self.before(ctx)
        names = asked_names(ctx.params)
        rows = [{"name": n, "before": describe(at(before, n)), "after": describe(at(now, n))} for n in names]
        return Verification(
            checks=checks,
            outputs={
                "change_id": str(ctx.memory.get("change_id", "")),
                "before": {row["name"]: row["before"] for row in rows},
                "after": {row["name"]: row["after"] for row in rows},
            },
            report={"dns": rows},
        )
