"""The action: bucket and lock table, whole, and a lock that excludes a second writer."""

from __future__ import annotations

from migrator.contracts.action import ActionSpec, Check, Preview, Probe, Verdict, Verification
from migrator.errors import Refused
from migrator.model.runbook import EffectClass
from phases.state_bootstrap.bucket import (
    BUCKET,
    bucket_as_it_is,
    create_bucket,
    file_lock_works,
    removable_versions,
)
from phases.state_bootstrap.parts import BackendParams, Context, aws
from phases.state_bootstrap.table import (
    TABLE,
    await_table,
    create_table,
    must_hold_no_lock,
    table_as_it_is,
    table_lock_works,
)


class StateBackend:
    """Makes the bucket and the lock table, whole, and proves that the lock excludes a second writer."""

    spec = ActionSpec(
        name="state_bootstrap.backend",
        summary="Creates the bucket and the lock table for Terraform's state",
        effect=EffectClass.NAMED,
        params=BackendParams,
        outputs={"bucket": "the bucket's name", "lock_table": "the table's name", "region": "where both are"},
    )

    def preview(self, ctx: Context) -> Preview:
        """What would be made or repaired."""
        changes: list[str] = []
        for half in (bucket_as_it_is(ctx), table_as_it_is(ctx)):
            if half.foreign:
                raise Refused(half.foreign, where=half.what, next="choose another name")
            if not half.exists:
                changes.append(f"create {half.what}")
            changes += [f"{half.what}: set {name}" for name in half.lacks if half.exists]
        return Preview(tuple(changes))

    def probe(self, ctx: Context) -> Probe:
        """Bucket and table by their names, whose they are by their tags, and every property."""
        bucket, table = bucket_as_it_is(ctx), table_as_it_is(ctx)
        facts = {"bucket_existed": bucket.exists, "table_existed": table.exists}
        foreign = "; ".join(half.foreign for half in (bucket, table) if half.foreign)
        if foreign:
            return Probe(Verdict.FOREIGN, foreign, facts)
        if not bucket.exists and not table.exists:
            return Probe(Verdict.ABSENT, "neither bucket nor table is there", facts)
        lacking = [f"{half.what} is not there" for half in (bucket, table) if not half.exists]
        lacking += [
            f"{half.what} lacks {name}" for half in (bucket, table) if half.exists for name in half.lacks
        ]
        if lacking:
            return Probe(Verdict.PARTIAL, "; ".join(lacking), facts)
        return Probe(Verdict.OURS, "bucket and table are there with every property", facts)

    def apply(self, ctx: Context) -> None:
        """Creates what is not there and sets what is lacking."""
        bucket, table = bucket_as_it_is(ctx), table_as_it_is(ctx)
        for half in (bucket, table):
            if half.foreign:
                raise Refused(half.foreign, where=half.what, next="choose another name")
        if not bucket.exists:
            create_bucket(ctx)
        if not table.exists:
            create_table(ctx)
        await_table(ctx)
        for half, properties in ((bucket, BUCKET), (table, TABLE)):
            for item in properties:
                if (not half.exists or item.name in half.lacks) and not item.holds(ctx):
                    ctx.channel.log(f"{half.what}: {item.name}")
                    item.put(ctx)

    def verify(self, ctx: Context) -> Verification:
        """Reads every property back, and takes a lock twice: the second time must be refused."""
        checks = []
        for half, properties in ((bucket_as_it_is(ctx), BUCKET), (table_as_it_is(ctx), TABLE)):
            checks.append(Check(f"{half.what} is ours", half.exists and not half.foreign, half.foreign))
            checks += [Check(f"{half.what}: {item.name}", item.name not in half.lacks) for item in properties]
        if all(check.ok for check in checks):
            checks += [file_lock_works(ctx), table_lock_works(ctx)]
        params = ctx.params
        outputs = {"bucket": params.bucket, "lock_table": params.lock_table, "region": ctx.region}
        return Verification(tuple(checks), outputs)

    def undo(self, ctx: Context) -> None:
        """Removes bucket and table if this run made them and no resource is left in any state."""
        bucket, table = bucket_as_it_is(ctx), table_as_it_is(ctx)
        remove_bucket = bucket.exists and not ctx.baseline.get("bucket_existed", False)
        remove_table = table.exists and not ctx.baseline.get("table_existed", False)
        for half, remove in ((bucket, remove_bucket), (table, remove_table)):
            if remove and half.foreign:
                raise Refused(half.foreign, where=half.what)
        # Both are looked at before either is touched.
        versions = removable_versions(ctx) if remove_bucket else []
        if remove_table:
            must_hold_no_lock(ctx)
        if remove_bucket:
            for key, version in versions:
                aws(ctx, "s3", "delete_object", Bucket=ctx.params.bucket, Key=key, VersionId=version)
            aws(ctx, "s3", "delete_bucket", Bucket=ctx.params.bucket)
        if remove_table:
            aws(ctx, "dynamodb", "delete_table", TableName=ctx.params.lock_table)
            await_table(ctx, gone=True)
