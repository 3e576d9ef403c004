"""The lock table: its properties, and its lock items."""

from __future__ import annotations

from migrator.contracts.action import Check
from migrator.contracts.aws import AwsRefused
from migrator.errors import InDoubt, Refused
from phases.state_bootstrap.parts import (
    Context,
    Half,
    Property,
    aws,
    foreign_maker,
    lacking,
    read,
    tag_list,
    tag_map,
)

_TABLE_SECONDS = 180


def table_as_it_is(ctx: Context) -> Half:
    """The table: there or not, whose, and what it lacks."""
    name = ctx.params.lock_table
    what = f"the table {name}"
    found = read(ctx, "dynamodb", "describe_table", TableName=name)
    if found is None or found["Table"].get("TableStatus") == "DELETING":
        return Half(what, exists=False)
    foreign = foreign_maker(ctx, what, _table_tags(ctx))
    keys = [(key["AttributeName"], key["KeyType"]) for key in found["Table"]["KeySchema"]]
    if not foreign and keys != [("LockID", "HASH")]:
        foreign = f"{what} has another key than LockID"
    return Half(what, True, foreign, () if foreign else lacking(ctx, TABLE))


def create_table(ctx: Context) -> None:
    """Creates it with the run's tags."""
    aws(
        ctx,
        "dynamodb",
        "create_table",
        TableName=ctx.params.lock_table,
        AttributeDefinitions=[{"AttributeName": "LockID", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "LockID", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
        Tags=tag_list(ctx.tags),
    )


def await_table(ctx: Context, *, gone: bool = False) -> None:
    """Until it is active or gone; `InDoubt` after three minutes."""
    for _ in range(_TABLE_SECONDS):
        found = read(ctx, "dynamodb", "describe_table", TableName=ctx.params.lock_table)
        if (found is None) if gone else (found and found["Table"]["TableStatus"] == "ACTIVE"):
            return
        ctx.channel.check_cancelled()
        ctx.channel.sleep(1.0)
    raise InDoubt(f"the table did not {'go' if gone else 'become active'}", where=ctx.params.lock_table)


def _table_arn(ctx: Context) -> str:
    found = aws(ctx, "dynamodb", "describe_table", TableName=ctx.params.lock_table)
    return str(found["Table"]["TableArn"])


def _table_tags(ctx: Context) -> dict[str, str]:
    found = aws(ctx, "dynamodb", "list_tags_of_resource", ResourceArn=_table_arn(ctx))
    return tag_map(found.get("Tags", []))


def _has_table_tags(ctx: Context) -> bool:
    return ctx.tags.items() <= _table_tags(ctx).items()


def _put_table_tags(ctx: Context) -> None:
    aws(ctx, "dynamodb", "tag_resource", ResourceArn=_table_arn(ctx), Tags=tag_list(ctx.tags))


def _has_recovery(ctx: Context) -> bool:
    found = aws(ctx, "dynamodb", "describe_continuous_backups", TableName=ctx.params.lock_table)
    recovery = found["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
    return bool(recovery.get("PointInTimeRecoveryStatus") == "ENABLED")


def _put_recovery(ctx: Context) -> None:
    aws(
        ctx,
        "dynamodb",
        "update_continuous_backups",
        TableName=ctx.params.lock_table,
        PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
    )


def _is_on_demand(ctx: Context) -> bool:
    found = aws(ctx, "dynamodb", "describe_table", TableName=ctx.params.lock_table)
    return bool(found["Table"].get("BillingModeSummary", {}).get("BillingMode") == "PAY_PER_REQUEST")


def _put_on_demand(ctx: Context) -> None:
    aws(ctx, "dynamodb", "update_table", TableName=ctx.params.lock_table, BillingMode="PAY_PER_REQUEST")
    await_table(ctx)


TABLE = (
    Property("the run's tags", _has_table_tags, _put_table_tags),
    Property("billing by request", _is_on_demand, _put_on_demand),
    Property("point-in-time recovery", _has_recovery, _put_recovery),
)


def table_lock_works(ctx: Context) -> Check:
    """Puts an item on the condition that it is not there, twice; removes it."""
    item = {"LockID": {"S": ctx.key}}
    table, condition = ctx.params.lock_table, "attribute_not_exists(LockID)"
    name = "a lock item excludes a second writer"
    try:
        aws(ctx, "dynamodb", "put_item", TableName=table, Item=item, ConditionExpression=condition)
    except AwsRefused as error:
        return Check(name, False, f"the first writer was refused: {error.code}")
    try:
        aws(ctx, "dynamodb", "put_item", TableName=table, Item=item, ConditionExpression=condition)
        second = "a second writer was let in"
    except AwsRefused as error:
        second = "" if error.code == "ConditionalCheckFailedException" else f"unexpected: {error.code}"
    aws(ctx, "dynamodb", "delete_item", TableName=table, Key=item)
    return Check(name, not second, second or "the second was refused")


def must_hold_no_lock(ctx: Context) -> None:
    """`Refused` while somebody holds a lock, or something else is in the table."""
    table = ctx.params.lock_table
    found = aws(ctx, "dynamodb", "scan", TableName=table, ConsistentRead=True)
    locks = [item["LockID"]["S"] for item in found["Items"] if "Info" in item]
    others = [item["LockID"]["S"] for item in found["Items"] if not {"Info", "Digest"} & set(item)]
    others = [name for name in others if name != ctx.key]
    if locks or others:
        raise Refused(
            "the lock table is in use",
            where=table,
            detail="\n".join([*locks, *others]),
            next="wait until the writers have ended",
        )
