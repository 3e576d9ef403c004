"""After a lost apply: whose lock is it, what was not saved, what was created and is in no state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from migrator.contracts.context import StepContext
from migrator.contracts.terraform import Applied, AppliedResource, Stack, StateLock, StateSummary
from migrator.errors import InDoubt
from phases.parallel_infra.guard import STATEFUL
from phases.parallel_infra.orphans import NO_SECOND, Finder, Found

_BEFORE = timedelta(seconds=5)
_AFTER = timedelta(seconds=90)
_QUIET = timedelta(seconds=20)


@dataclass(frozen=True)
class Situation:
    """How a stack stands. `unknown` are sentences on what cannot be settled mechanically; none: all can be."""

    state: StateSummary
    streams: tuple[Applied, ...]
    stale_lock: StateLock | None = None
    unsaved: StateSummary | None = None
    imports: Mapping[str, str] = field(default_factory=dict)
    tainted: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def work(self) -> tuple[str, ...]:
        """What is to be settled before the next plan can be applied, one sentence each."""
        return (
            *((f"the lock {self.stale_lock.id} of our lost apply is released",) if self.stale_lock else ()),
            *(
                (f"the state that could not be saved (serial {self.unsaved.serial}) is pushed",)
                if self.unsaved
                else ()
            ),
            *(f"{address} ({found}) is taken into the state" for address, found in self.imports.items()),
            *(f"{address}, whose creation was cut short, is kept" for address in self.tainted),
        )


def look(ctx: StepContext[Any], stack: Stack) -> Situation:
    """Read-only. Every apply of this step must have ended before."""
    terraform, backend = ctx.tools.terraform, stack.backend
    assert backend is not None
    streams = applies(ctx)
    state = terraform.state(backend)
    lock, unknown = terraform.lock(backend), []
    if lock is not None and not _ours(lock, terraform.owner(), streams):
        unknown.append(
            f"the state is locked by {lock.who} since {lock.created} ({lock.operation}, id {lock.id}); "
            "wait for its end, or prove that it is gone and run `terraform force-unlock`"
        )
    unsaved = terraform.errored(stack)
    if unsaved is not None and state.exists and unsaved.lineage != state.lineage:
        unknown.append("errored.tfstate belongs to another state: another writer made this one in between")
    if unsaved is not None and unsaved.serial <= state.serial:
        unsaved = None
    situation = Situation(state, streams, lock, unsaved, unknown=tuple(unknown))
    if unknown or unsaved is not None:
        return situation
    imports, lost = _orphans(ctx, stack, state, streams)
    return Situation(state, streams, lock, None, imports, _cut_short(state, streams), lost)


def _cut_short(state: StateSummary, streams: tuple[Applied, ...]) -> tuple[str, ...]:
    """What holds data, was being created by an apply of ours that did not end well, and would be replaced."""
    begun = {
        resource.address
        for stream in streams
        if not stream.whole
        for resource in stream.resources
        if resource.action == "create"
    }
    return tuple(
        resource.address
        for resource in state.resources
        if resource.tainted and resource.type in STATEFUL and resource.address in begun
    )


def applies(ctx: StepContext[Any]) -> tuple[Applied, ...]:
    """The saved streams of all applies of this step, oldest first."""
    folders = sorted(ctx.work.glob("apply-[0-9]*"), key=lambda folder: folder.name)
    return tuple(ctx.tools.terraform.stream(folder) for folder in folders if folder.is_dir())


def settle(ctx: StepContext[Any], stack: Stack) -> Situation:
    """Releases our lock, pushes what was not saved, leaves import blocks; `InDoubt` when it cannot."""
    terraform = ctx.tools.terraform
    terraform.init(stack, ctx.channel)
    situation = look(ctx, stack)
    _must_be_known(situation, stack)
    if situation.stale_lock is not None:
        ctx.channel.log(f"releasing the lock {situation.stale_lock.id} of our lost apply")
        terraform.force_unlock(stack, situation.stale_lock, ctx.channel)
    if situation.unsaved is not None:
        terraform.push_errored(stack, ctx.channel)
    if situation.stale_lock is not None or situation.unsaved is not None:
        situation = look(ctx, stack)
        _must_be_known(situation, stack)
    for sentence in situation.work:
        ctx.channel.log(sentence)
    for address in situation.tainted:
        terraform.untaint(stack, address, ctx.channel)
    terraform.adopt(stack, situation.imports)
    return situation


def _must_be_known(situation: Situation, stack: Stack) -> None:
    if situation.unknown:
        raise InDoubt(
            "the stack cannot be settled mechanically",
            where=stack.name,
            detail="\n".join(situation.unknown),
            next="settle what is named above, then retry the step",
        )


def _ours(lock: StateLock, owner: str, streams: tuple[Applied, ...]) -> bool:
    """Whether one of our applies, all of them gone, took this lock: same user and host, made while it ran."""
    if lock.who != owner:
        return False
    try:
        created = datetime.fromisoformat(lock.created)
    except ValueError:
        return False
    for stream in streams:
        if not stream.first or (stream.settled and stream.whole):
            continue
        first, last = (datetime.fromisoformat(at) for at in (stream.first, stream.last))
        if first - _BEFORE <= created <= last + _AFTER:
            return True
    return False


def _orphans(
    ctx: StepContext[Any], stack: Stack, state: StateSummary, streams: tuple[Applied, ...]
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Address to import id of what we created and no state holds; and what cannot be told."""
    held = {resource.address for resource in state.resources}
    missing = {address: resource for address, resource in _created(streams).items() if address not in held}
    if not missing:
        return {}, ()
    terraform = ctx.tools.terraform
    terraform.init(stack, ctx.channel)
    finder = Finder(ctx, state, {resource.id for resource in state.resources})
    imports = {
        address: resource.id
        for address, resource in missing.items()
        if resource.state == "done" and resource.id and finder.imports_by_id(resource.type)
    }
    unknown: list[str] = []
    left = {
        address: r for address, r in missing.items() if address not in imports and r.type not in NO_SECOND
    }
    if left:
        _let_settle(ctx, streams[-1])
        terraform.adopt(stack, imports)
        plan = terraform.plan(stack, ctx.channel)
        values = terraform.planned_values(stack, plan.file)
        finder.taken |= set(imports.values())
        for address, resource in left.items():
            if address not in values:
                continue
            found = finder.find(resource.type, values[address], streams[0].first, streams[-1].last)
            if found.id:
                imports[address] = found.id
                finder.taken.add(found.id)
            elif not found.absent:
                unknown.append(_sentence(resource, found))
        terraform.adopt(stack, {})
    return imports, tuple(unknown)


def _let_settle(ctx: StepContext[Any], stream: Applied) -> None:
    """Waits until a request that was under way when the apply died has had its time to be carried out."""
    quiet = datetime.fromisoformat(stream.last) + _QUIET if stream.last else datetime.now(UTC)
    while (left := (quiet - datetime.now(UTC)).total_seconds()) > 0:
        ctx.channel.progress("waiting until requests under way have settled", unit="seconds")
        ctx.channel.check_cancelled()
        ctx.channel.sleep(min(left, 1.0))


def _sentence(resource: AppliedResource, found: Found) -> str:
    known = f", {resource.id}" if resource.id else ""
    return (
        f"{resource.address} ({resource.type}{known}) was being created when the apply was lost, "
        f"and it is not in the state: {found.evidence}"
    )


def _created(streams: tuple[Applied, ...]) -> dict[str, AppliedResource]:
    """The newest creation of each address that may have left something behind."""
    created: dict[str, AppliedResource] = {}
    for stream in streams:
        if stream.settled and stream.whole:
            created.clear()
            continue
        for resource in stream.resources:
            if resource.action == "create" and not (resource.state == "failed" and stream.settled):
                created[resource.address] = resource
            elif resource.action == "delete" and resource.state == "done":
                created.pop(resource.address, None)
    return created
