"""Compare-and-set on the records of a few names: what both changing actions share.

The baseline (the first probe's facts) says what was there. What is wanted is computed from it, so that after a
crash the same answer comes out: now = wanted: ours; now = baseline: absent; a mixture of both: partial;
anything else: foreign. `memory` holds `sent` (an exchange was or may have been sent), `held` (the wanted records
were seen in place) and the ids of changes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Generic, Protocol, TypeVar

from migrator.contracts.action import ActionSpec, Check, Preview, Probe, Verdict, Verification
from migrator.contracts.aws import AwsRefused
from migrator.contracts.context import StepContext
from migrator.errors import InDoubt, Refused
from phases.dns_cutover.provider import Zone
from phases.dns_cutover.records import (
    RecordSet,
    at,
    contains,
    describe,
    directing,
    host_name,
    less,
    obstacles,
    same,
)
from phases.dns_cutover.route53 import Route53Zone

_BUSY = frozenset({"PriorRequestNotComplete"})
_BUSY_ATTEMPTS = 5
_FIRST_LOOK_SECONDS, _LONGEST_LOOK_SECONDS = 0.5, 5.0


class ZoneParams(Protocol):
    """What every action on a zone is given."""

    @property
    def hosted_zone_id(self) -> str: ...

    @property
    def names(self) -> tuple[str, ...]: ...


P = TypeVar("P", bound=ZoneParams)


def open_zone(ctx: StepContext[Any], hosted_zone_id: str) -> Zone:
    """The zone at its provider; today that is Route 53."""
    return Route53Zone(ctx.tools.aws, hosted_zone_id)


def asked_names(params: ZoneParams) -> tuple[str, ...]:
    """The names in the form that is compared, each once."""
    names = tuple(dict.fromkeys(host_name(name) for name in params.names))
    if not names:
        raise Refused("no name was given", next="list the names in `names`")
    return names


class RecordExchange(ABC, Generic[P]):
    """An action that replaces the records of a few names by others, in one exact exchange."""

    spec: ActionSpec

    @abstractmethod
    def wanted(self, params: P, before: Sequence[RecordSet]) -> tuple[RecordSet, ...]:
        """What shall be there, given what was there. Pure."""

    @abstractmethod
    def verify(self, ctx: StepContext[P]) -> Verification:
        """A fresh read; see `compared`."""

    def preview(self, ctx: StepContext[P]) -> Preview:
        """Each name with what it has and what it would get."""
        zone = open_zone(ctx, ctx.params.hosted_zone_id)
        now = self._read(ctx, zone)
        blocking = obstacles(asked_names(ctx.params), now, zone.zone_name())
        if blocking:
            raise _cannot_move(blocking)
        wanted = self.wanted(ctx.params, now)
        return Preview(
            tuple(
                f"{name}: {describe(at(now, name))} becomes {describe(at(wanted, name))}"
                for name in asked_names(ctx.params)
                if not same(at(now, name), at(wanted, name))
            )
        )

    def probe(self, ctx: StepContext[P]) -> Probe:
        """Compares the zone with the baseline; the first time, takes the baseline."""
        zone = open_zone(ctx, ctx.params.hosted_zone_id)
        now = self._read(ctx, zone)
        names = asked_names(ctx.params)
        facts = {"records": [record.to_json() for record in now]}
        if "records" not in ctx.baseline:
            blocking = obstacles(names, now, zone.zone_name())
            if blocking:
                return Probe(Verdict.FOREIGN, str(_cannot_move(blocking)), facts)
            same_already = same(now, self.wanted(ctx.params, now))
            evidence = "already as wanted, nothing to change: " if same_already else ""
            return Probe(
                Verdict.ABSENT, evidence + "; ".join(f"{n}: {describe(at(now, n))}" for n in names), facts
            )
        before, wanted = self._ends(ctx)
        verdict = judge(before, wanted, now, sent=_sent(ctx))
        if verdict is Verdict.OURS and same(before, wanted) and not ctx.memory.get("held"):
            verdict = Verdict.ABSENT
        return Probe(verdict, _evidence(verdict, names, before, wanted, now), facts)

    def apply(self, ctx: StepContext[P]) -> None:
        """Exchanges what is there of the baseline for what is wanted; nothing when it is so already."""
        before, wanted = self._ends(ctx)
        change_id = self._exchange(ctx, before, wanted, wanted, f"{self.spec.name} {ctx.key}")
        ctx.channel.remember({"held": True, "change_id": change_id or ctx.memory.get("change_id", "")})

    def undo(self, ctx: StepContext[P]) -> None:
        """Gives back exactly the baseline; refuses when somebody else has changed the names since."""
        before, wanted = self._ends(ctx)
        if _sent(ctx):
            change_id = self._exchange(ctx, before, wanted, before, f"undo of {self.spec.name} {ctx.key}")
            change_id = change_id or str(ctx.memory.get("undo_change_id", ""))
            if change_id:
                ctx.channel.remember({"undo_change_id": change_id})
                settle(ctx, open_zone(ctx, ctx.params.hosted_zone_id), change_id)
        else:
            ctx.channel.log("this run has changed none of these records: nothing to take back")
        ctx.channel.remember({"sent": False, "held": False, "change_id": "", "undo_change_id": ""})

    def compared(self, ctx: StepContext[P]) -> tuple[tuple[Check, ...], tuple[RecordSet, ...]]:
        """Waits until the change is in sync, reads the zone afresh: a check a name, and what is there."""
        zone = open_zone(ctx, ctx.params.hosted_zone_id)
        _, wanted = self._ends(ctx)
        checks = []
        change_id = str(ctx.memory.get("change_id", ""))
        if change_id:
            settle(ctx, zone, change_id)
            checks.append(Check("all name servers of the zone have the change", True, f"change {change_id}"))
        now = self._read(ctx, zone)
        checks += [
            Check(f"{name} is as wanted", same(at(now, name), at(wanted, name)), describe(at(now, name)))
            for name in asked_names(ctx.params)
        ]
        return tuple(checks), now

    def before(self, ctx: StepContext[P]) -> tuple[RecordSet, ...]:
        """The baseline's records."""
        if "records" not in ctx.baseline:
            raise Refused("the baseline of the records is missing", where=ctx.step_id)
        return tuple(RecordSet.from_json(each) for each in ctx.baseline["records"])

    def _ends(self, ctx: StepContext[P]) -> tuple[tuple[RecordSet, ...], tuple[RecordSet, ...]]:
        before = self.before(ctx)
        return before, self.wanted(ctx.params, before)

    def _read(self, ctx: StepContext[P], zone: Zone) -> tuple[RecordSet, ...]:
        names = asked_names(ctx.params)
        return directing((r for r in zone.records() if r.name in names), zone.zone_name())

    def _exchange(
        self,
        ctx: StepContext[P],
        before: tuple[RecordSet, ...],
        wanted: tuple[RecordSet, ...],
        goal: tuple[RecordSet, ...],
        comment: str,
    ) -> str:
        """Brings the names to `goal` from either end or a mixture; the change's id, empty if none was needed."""
        zone = open_zone(ctx, ctx.params.hosted_zone_id)
        names = asked_names(ctx.params)
        blocking = obstacles(names, before, zone.zone_name())
        if blocking:
            raise _cannot_move(blocking)
        now = self._read(ctx, zone)
        verdict = judge(before, wanted, now, sent=_sent(ctx))
        if verdict is Verdict.FOREIGN:
            raise Refused(
                "the records are no longer what this run read or wrote; nothing was changed",
                where=f"zone {zone.zone_name()}",
                detail=_evidence(verdict, names, before, wanted, now),
                next="find out who changed them; put them back, or undo this step and begin it anew",
            )
        old, new = less(now, goal), less(goal, now)
        if not old and not new:
            return ""
        ctx.channel.check_cancelled()
        sent_before = _sent(ctx)
        ctx.channel.remember({"sent": True, "change_id": "", "undo_change_id": ""})
        for name in names:
            ctx.channel.log(f"{name}: {describe(at(now, name))} → {describe(at(goal, name))}")
        try:
            return _patiently(ctx, zone, old, new, comment)
        except AwsRefused as error:
            after = self._read(ctx, zone)
            if same(after, now):
                ctx.channel.remember({"sent": sent_before})
                raise
            evidence = _evidence(judge(before, wanted, after, sent=False), names, before, wanted, after)
            if all(contains((*before, *wanted), record) for record in after):
                raise InDoubt("the batch was refused, but records are changed", detail=evidence) from error
            ctx.channel.remember({"sent": sent_before})
            raise Refused(
                "somebody changed the records while this step was at work; nothing of ours was written",
                where=f"zone {zone.zone_name()}",
                detail=evidence,
                next="find out who changed them, then try again",
            ) from error


def judge(
    before: Sequence[RecordSet], wanted: Sequence[RecordSet], now: Sequence[RecordSet], *, sent: bool
) -> Verdict:
    """What the records tell. `sent`: this run has sent its exchange at least once."""
    if same(now, wanted) and (sent or same(before, wanted)):
        return Verdict.OURS
    if same(now, before):
        return Verdict.ABSENT
    if sent and now and all(contains((*before, *wanted), record) for record in now):
        return Verdict.PARTIAL
    return Verdict.FOREIGN


def settle(ctx: StepContext[Any], zone: Zone, change_id: str) -> None:
    """Waits until all name servers have the change; the step's deadline ends it."""
    pause = _FIRST_LOOK_SECONDS
    while not zone.settled(change_id):
        ctx.channel.progress(f"change {change_id} is on its way to the zone's name servers")
        ctx.channel.check_cancelled()
        ctx.channel.sleep(pause)
        pause = min(pause * 2, _LONGEST_LOOK_SECONDS)


def _patiently(
    ctx: StepContext[Any], zone: Zone, old: Sequence[RecordSet], new: Sequence[RecordSet], comment: str
) -> str:
    """Sends the exchange; waits where the provider says that an earlier change is still at work."""
    for _ in range(_BUSY_ATTEMPTS - 1):
        try:
            return zone.exchange(old, new, comment)
        except AwsRefused as error:
            if error.code not in _BUSY:
                raise
            ctx.channel.sleep(2.0)
    return zone.exchange(old, new, comment)


def _sent(ctx: StepContext[Any]) -> bool:
    return bool(ctx.memory.get("sent"))


def _cannot_move(blocking: Sequence[str]) -> Refused:
    return Refused(
        "these names cannot be moved by one exact exchange",
        detail="\n".join(blocking),
        next="reduce each name to one simple CNAME or A record, or move it by hand",
    )


def _evidence(
    verdict: Verdict,
    names: Sequence[str],
    before: Sequence[RecordSet],
    wanted: Sequence[RecordSet],
    now: Sequence[RecordSet],
) -> str:
    if verdict is Verdict.ABSENT:
        return "; ".join(f"{name} is as it was: {describe(at(now, name))}" for name in names)
    if verdict is Verdict.OURS:
        return "; ".join(f"{name} is as wanted: {describe(at(now, name))}" for name in names)
    return "\n".join(
        f"{name}: was {describe(at(before, name))}; shall be {describe(at(wanted, name))};"
        f" is now {describe(at(now, name))}"
        for name in names
    )
