"""`parallel_infra.stack`: one Terraform stack, applied once, found again after any crash."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from migrator.contracts.action import (
    ActionSpec,
    Check,
    Confidence,
    Preview,
    Probe,
    Verdict,
    Verification,
)
from migrator.contracts.aws import AwsRefused
from migrator.contracts.context import StepContext
from migrator.contracts.params import Seconds
from migrator.contracts.terraform import Backend, Stack, StackPlan, StateSummary
from migrator.errors import InDoubt, Refused, StepError
from migrator.model.runbook import EffectClass
from phases.parallel_infra import guard, recovery

_RUN = "migrator:run"
_DEADLINE = Seconds(5_400.0)


@dataclass(frozen=True)
class StackParams:
    """`stack` names a folder under terraform/stacks. The run adds the variables `region` and `tags`.

    `allow_destroy` names addresses (with `*` at the end: all that begin so) of data-holding resources that may
    be deleted or replaced; `protect` names more types or addresses to be held as such. `existing` says what to
    do with a state that holds resources of an earlier run. `deadline` ends an apply that does not end.
    """

    stack: str
    bucket: str
    lock_table: str
    variables: Mapping[str, Any] = field(default_factory=dict)
    allow_destroy: tuple[str, ...] = ()
    protect: tuple[str, ...] = ()
    existing: Literal["refuse", "continue"] = "refuse"
    deadline: Seconds = _DEADLINE


Context = StepContext[StackParams]


class ApplyStack:
    """Plans a stack, refuses what would harm, applies exactly that plan, and proves that nothing is left to do."""

    spec = ActionSpec(
        name="parallel_infra.stack",
        summary="Creates the resources of one Terraform stack beside the old platform",
        effect=EffectClass.TERRAFORM,
        params=StackParams,
        outputs={"*": "the stack's own outputs, without sensitive ones"},
    )

    def preview(self, ctx: Context) -> Preview:
        """What Terraform would change; against an empty state when the state's bucket is not there yet."""
        known = self._bucket_exists(ctx)
        stack = self._prepare(ctx, backend=known, folder="" if known else "preview")
        ctx.tools.terraform.init(stack, ctx.channel)
        plan = ctx.tools.terraform.plan(stack, ctx.channel)
        changes = tuple(f"{change.action} {change.address}" for change in plan.changes)
        if not changes and not plan.empty:
            changes = ("outputs change",)
        return Preview(changes, Confidence.PROVEN if known else Confidence.CHECKED)

    def probe(self, ctx: Context) -> Probe:
        """Follows a living apply to its end, then lock, state and plan decide."""
        stack = self._prepare(ctx)
        self._follow_living(ctx, stack)
        situation = recovery.look(ctx, stack)
        facts = _facts(situation.state)
        if situation.unknown:
            return Probe(Verdict.UNKNOWN, "\n".join(situation.unknown), facts)
        if situation.work:
            return Probe(Verdict.PARTIAL, "; ".join(situation.work), facts)
        if not situation.state.resources:
            return Probe(Verdict.ABSENT, "the state holds no resource", facts)
        foreign = self._foreign(ctx, situation.state)
        if foreign and not any(stream.touched for stream in situation.streams):
            return Probe(Verdict.FOREIGN, foreign, facts)
        ctx.tools.terraform.init(stack, ctx.channel)
        plan = ctx.tools.terraform.plan(stack, ctx.channel)
        if plan.empty:
            held = len(situation.state.resources)
            return Probe(Verdict.OURS, f"{held} resources are as planned; nothing to change", facts)
        return Probe(Verdict.PARTIAL, f"Terraform would still change: {_listed(plan)}", facts)

    def apply(self, ctx: Context) -> None:
        """Settles what a lost apply left, then plans, checks and applies."""
        stack = self._prepare(ctx)
        self._must_be_free(ctx, stack)
        settled = recovery.settle(ctx, stack)
        plan = ctx.tools.terraform.plan(stack, ctx.channel)
        doubled = [c.address for c in plan.changes if c.action == "create" and c.address in settled.imports]
        if doubled:
            raise Refused(
                "the plan would create again what is there", where=stack.name, detail=", ".join(doubled)
            )
        params = ctx.params
        guard.check_plan(plan.changes, params.allow_destroy, params.protect, stack.name)
        ctx.channel.log(f"plan {plan.fingerprint[:12]}: {_listed(plan) or 'nothing to change'}")
        ctx.channel.remember({"plan_fingerprint": plan.fingerprint, "source_digest": stack.digest})
        if not plan.empty:
            self._run(ctx, stack, plan)
        ctx.tools.terraform.adopt(stack, {})

    def verify(self, ctx: Context) -> Verification:
        """A fresh plan must be empty; outputs come from the state."""
        stack = self._prepare(ctx)
        terraform = ctx.tools.terraform
        assert stack.backend is not None
        terraform.init(stack, ctx.channel)
        plan = terraform.plan(stack, ctx.channel)
        state, lock = terraform.state(stack.backend), terraform.lock(stack.backend)
        tainted = [resource.address for resource in state.resources if resource.tainted]
        checks = (
            Check("a fresh plan is empty", plan.empty, _listed(plan)),
            Check(
                "the state holds the stack",
                state.exists and not tainted,
                f"{len(state.resources)} resources, serial {state.serial}"
                + (f"; not whole: {', '.join(tainted)}" if tainted else ""),
            ),
            Check("the state is not locked", lock is None, f"held by {lock.who}" if lock else ""),
        )
        outputs = terraform.outputs(stack, ctx.channel) if plan.empty else {}
        return Verification(checks, outputs, {"terraform": [self._report(ctx)]})

    def undo(self, ctx: Context) -> None:
        """Destroys what this run's state holds, and nothing that was there before."""
        stack = self._prepare(ctx)
        terraform = ctx.tools.terraform
        assert stack.backend is not None
        if not self._bucket_exists(ctx):
            return
        self._follow_living(ctx, stack)
        self._must_be_free(ctx, stack)
        settled = recovery.settle(ctx, stack)
        if settled.imports:
            plan = terraform.plan(stack, ctx.channel, targets=sorted(settled.imports))
            guard.check_plan(plan.changes, ctx.params.allow_destroy, ctx.params.protect, stack.name)
            self._run(ctx, stack, plan)
            terraform.adopt(stack, {})
        state = terraform.state(stack.backend)
        if not state.resources:
            return
        self._refuse_foreign(ctx, stack, state)
        guard.check_protection(state.resources, stack.name)
        plan = terraform.plan(stack, ctx.channel, destroy=True)
        held = {resource.address for resource in state.resources}
        others = [c.address for c in plan.changes if c.action != "delete" or c.address not in held]
        if others:
            raise Refused("the destroy plan holds other changes", where=stack.name, detail=", ".join(others))
        guard.check_plan(plan.changes, ctx.params.allow_destroy, ctx.params.protect, stack.name)
        self._run(ctx, stack, plan)
        left = terraform.state(stack.backend).resources
        if left:
            raise InDoubt(
                f"{len(left)} resources are still in the state",
                where=stack.name,
                detail=", ".join(resource.address for resource in left),
            )

    # --- parts --------------------------------------------------------------------------------------------

    def _prepare(self, ctx: Context, *, backend: bool = True, folder: str = "") -> Stack:
        params = ctx.params
        environment = str(params.variables.get("environment", ""))
        where = Backend(
            bucket=params.bucket,
            key="/".join(part for part in (environment, params.stack, "terraform.tfstate") if part),
            region=ctx.region,
            lock_table=params.lock_table,
        )
        variables = {
            "region": ctx.region,
            **params.variables,
            "tags": {**params.variables.get("tags", {}), **ctx.tags},
        }
        work = ctx.work / folder if folder else ctx.work
        work.mkdir(mode=0o700, parents=True, exist_ok=True)
        return ctx.tools.terraform.prepare(
            ctx.shipped, work, params.stack, where if backend else None, variables
        )

    @staticmethod
    def _bucket_exists(ctx: Context) -> bool:
        try:
            ctx.tools.aws.call("s3", "head_bucket", Bucket=ctx.params.bucket)
        except AwsRefused as error:
            if error.code in ("404", "NoSuchBucket", "NotFound"):
                return False
            raise
        return True

    @staticmethod
    def _follow_living(ctx: Context, stack: Stack) -> None:
        for child in ctx.children:
            if child.label.startswith("terraform apply"):
                ctx.tools.terraform.follow(stack, child, ctx.channel)

    @staticmethod
    def _must_be_free(ctx: Context, stack: Stack) -> None:
        for child in ctx.children:
            if ctx.tools.processes.alive(child):
                raise InDoubt("an apply of this step still runs", where=stack.name)

    def _run(self, ctx: Context, stack: Stack, plan: StackPlan) -> None:
        terraform = ctx.tools.terraform
        number = 1 + sum(1 for folder in ctx.work.glob("apply-[0-9]*") if folder.is_dir())
        folder = ctx.work / f"apply-{number:04}"
        child = terraform.apply(stack, plan, folder, ctx.params.deadline, ctx.channel.spawned, ctx.channel)
        done, applied = terraform.follow(stack, child, ctx.channel)
        if done.ok:
            return
        detail = "\n\n".join(applied.errors)
        if done.code == 1 and not applied.touched and terraform.stream(folder).settled:
            raise Refused("terraform apply was refused before any change", where=stack.name, detail=detail)
        if done.code is None or done.reason != "exit":
            raise InDoubt(f"terraform apply ended by {done.reason}", where=stack.name, detail=detail)
        raise StepError(
            f"terraform apply failed (exit code {done.code})",
            where=stack.name,
            detail=detail,
            next="correct the cause named above, then retry the step",
        )

    @staticmethod
    def _foreign(ctx: Context, state: StateSummary) -> str:
        """Why the state is not this run's; empty when it is, or when the runbook says to continue it."""
        if ctx.params.existing == "continue":
            return ""
        runs = {resource.tags[_RUN] for resource in state.resources if _RUN in resource.tags}
        if ctx.run_id in runs or ctx.tags.get(_RUN) in runs:
            return ""
        by = f"run {', '.join(sorted(runs))}" if runs else "something else than a run of migrator"
        return (
            f"the state holds {len(state.resources)} resources made by {by}: "
            "undo that run, or say `existing: continue` in the runbook"
        )

    def _refuse_foreign(self, ctx: Context, stack: Stack, state: StateSummary) -> None:
        before = set(ctx.baseline.get("resources", ()))
        there = [resource.address for resource in state.resources if resource.address in before]
        if there:
            raise Refused(
                f"{len(there)} resources were in the state before this run",
                where=stack.name,
                detail="\n".join(there),
                next="destroy them by hand if they are really to go",
            )
        others = [
            resource.address
            for resource in state.resources
            if resource.tags.get(_RUN, ctx.tags.get(_RUN)) != ctx.tags.get(_RUN)
        ]
        if others:
            raise Refused(
                "resources of another run are in the state", where=stack.name, detail="\n".join(others)
            )

    @staticmethod
    def _report(ctx: Context) -> dict[str, Any]:
        streams = recovery.applies(ctx)
        return {
            "stack": ctx.params.stack,
            "added": sum(stream.added for stream in streams),
            "changed": sum(stream.changed for stream in streams),
            "destroyed": sum(stream.destroyed for stream in streams),
            "seconds": round(sum(stream.seconds for stream in streams), 1),
        }


def _facts(state: StateSummary) -> dict[str, Any]:
    return {
        "serial": state.serial,
        "lineage": state.lineage,
        "resources": [resource.address for resource in state.resources],
    }


def _listed(plan: StackPlan, most: int = 12) -> str:
    parts = [f"{change.action} {change.address}" for change in plan.changes]
    more = f" and {len(parts) - most} more" if len(parts) > most else ""
    if not parts and not plan.empty:
        return "outputs"
    return ", ".join(parts[:most]) + more
