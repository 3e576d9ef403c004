"""Where Terraform keeps its state: a bucket that keeps every version, and a table for locks."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from migrator.contracts.action import ActionSpec, Check, Preview, Probe, Verdict, Verification
from migrator.contracts.aws import AwsRefused
from migrator.contracts.context import StepContext
from migrator.errors import InDoubt, Refused
from migrator.model.runbook import EffectClass

_RUN, _STEP = "migrator:run", "migrator:step"
_NOT_THERE = frozenset(
    {
        "404",
        "NoSuchBucket",
        "NoSuchBucketPolicy",
        "NoSuchPublicAccessBlockConfiguration",
        "NoSuchTagSet",
        "NotFound",
        "OwnershipControlsNotFoundError",
        "ResourceNotFoundException",
        "ServerSideEncryptionConfigurationNotFoundError",
    }
)
_TLS_SID = "DenyInsecureTransport"
_TABLE_SECONDS = 180
_LOCK_SUFFIX = ".tflock"
_STATE_SUFFIX = ".tfstate"


@dataclass(frozen=True)
class BackendParams:
    """`bucket` is unique in all of AWS. `existing` says what to do with a bucket and table of an earlier run."""

    bucket: str
    lock_table: str
    existing: Literal["refuse", "continue"] = "refuse"


Context = StepContext[BackendParams]


@dataclass(frozen=True)
class _Property:
    """One thing that bucket or table must have: `holds` reads it, `put` sets it."""

    name: str
    holds: Callable[[Context], bool]
    put: Callable[[Context], None]


@dataclass(frozen=True)
class _Half:
    """Bucket or table as it is: there or not, whose, and what it lacks."""

    what: str
    exists: bool
    foreign: str = ""
    lacks: tuple[str, ...] = ()


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
        for half in (_bucket(ctx), _table(ctx)):
            if half.foreign:
                raise Refused(half.foreign, where=half.what, next="choose another name")
            if not half.exists:
                changes.append(f"create {half.what}")
            changes += [f"{half.what}: set {name}" for name in half.lacks if half.exists]
        return Preview(tuple(changes))

    def probe(self, ctx: Context) -> Probe:
        """Bucket and table by their names, whose they are by their tags, and every property."""
        bucket, table = _bucket(ctx), _table(ctx)
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
        bucket, table = _bucket(ctx), _table(ctx)
        for half in (bucket, table):
            if half.foreign:
                raise Refused(half.foreign, where=half.what, next="choose another name")
        if not bucket.exists:
            _create_bucket(ctx)
        if not table.exists:
            _create_table(ctx)
        _await_table(ctx)
        for half, properties in ((bucket, _BUCKET), (table, _TABLE)):
            for item in properties:
                if (not half.exists or item.name in half.lacks) and not item.holds(ctx):
                    ctx.channel.log(f"{half.what}: {item.name}")
                    item.put(ctx)

    def verify(self, ctx: Context) -> Verification:
        """Reads every property back, and takes a lock twice: the second time must be refused."""
        checks = []
        for half, properties in ((_bucket(ctx), _BUCKET), (_table(ctx), _TABLE)):
            checks.append(Check(f"{half.what} is ours", half.exists and not half.foreign, half.foreign))
            checks += [Check(f"{half.what}: {item.name}", item.name not in half.lacks) for item in properties]
        if all(check.ok for check in checks):
            checks += [_file_lock_works(ctx), _table_lock_works(ctx)]
        params = ctx.params
        outputs = {"bucket": params.bucket, "lock_table": params.lock_table, "region": ctx.region}
        return Verification(tuple(checks), outputs)

    def undo(self, ctx: Context) -> None:
        """Removes bucket and table if this run made them and no resource is left in any state."""
        bucket, table = _bucket(ctx), _table(ctx)
        remove_bucket = bucket.exists and not ctx.baseline.get("bucket_existed", False)
        remove_table = table.exists and not ctx.baseline.get("table_existed", False)
        for half, remove in ((bucket, remove_bucket), (table, remove_table)):
            if remove and half.foreign:
                raise Refused(half.foreign, where=half.what)
        # Both are looked at before either is touched.
        versions = _removable_versions(ctx) if remove_bucket else []
        if remove_table:
            _must_hold_no_lock(ctx)
        if remove_bucket:
            for key, version in versions:
                _aws(ctx, "s3", "delete_object", Bucket=ctx.params.bucket, Key=key, VersionId=version)
            _aws(ctx, "s3", "delete_bucket", Bucket=ctx.params.bucket)
        if remove_table:
            _aws(ctx, "dynamodb", "delete_table", TableName=ctx.params.lock_table)
            _await_table(ctx, gone=True)


ACTIONS = (StateBackend(),)


# --- what is there ----------------------------------------------------------------------------------------


def _aws(ctx: Context, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
    return ctx.tools.aws.call(service, operation, **parameters)


def _read(ctx: Context, service: str, operation: str, **parameters: Any) -> dict[str, Any] | None:
    """The answer, or None when AWS says that there is no such thing."""
    try:
        return _aws(ctx, service, operation, **parameters)
    except AwsRefused as error:
        if error.code in _NOT_THERE:
            return None
        raise


def _bucket(ctx: Context) -> _Half:
    name = ctx.params.bucket
    what = f"the bucket {name}"
    try:
        if _read(ctx, "s3", "head_bucket", Bucket=name, ExpectedBucketOwner=ctx.account) is None:
            return _Half(what, exists=False)
    except AwsRefused as error:
        if error.code in ("403", "AccessDenied", "Forbidden", "301", "PermanentRedirect"):
            return _Half(what, exists=True, foreign=f"{what} belongs to somebody else")
        raise
    tags = _tags((_read(ctx, "s3", "get_bucket_tagging", Bucket=name) or {}).get("TagSet", []))
    foreign = _foreign(ctx, what, tags)
    if foreign and not tags and _made_by_this_step(ctx):
        foreign = ""
    return _Half(what, True, foreign, () if foreign else _lacking(ctx, _BUCKET))


def _table(ctx: Context) -> _Half:
    name = ctx.params.lock_table
    what = f"the table {name}"
    found = _read(ctx, "dynamodb", "describe_table", TableName=name)
    if found is None or found["Table"].get("TableStatus") == "DELETING":
        return _Half(what, exists=False)
    foreign = _foreign(ctx, what, _table_tags(ctx))
    keys = [(key["AttributeName"], key["KeyType"]) for key in found["Table"]["KeySchema"]]
    if not foreign and keys != [("LockID", "HASH")]:
        foreign = f"{what} has another key than LockID"
    return _Half(what, True, foreign, () if foreign else _lacking(ctx, _TABLE))


def _foreign(ctx: Context, what: str, tags: Mapping[str, str]) -> str:
    if ctx.params.existing == "continue" or _carries(ctx, tags):
        return ""
    made_by = f"run {tags[_RUN]}" if _RUN in tags else "somebody else"
    return f"{what} was made by {made_by}"


def _carries(ctx: Context, tags: Mapping[str, str]) -> bool:
    return all(tags.get(name) == ctx.tags[name] for name in (_RUN, _STEP))


def _made_by_this_step(ctx: Context) -> bool:
    """A bucket gets its tags only after its creation: until then, the time that was noted before tells."""
    noted = ctx.memory.get("bucket_creation_sent")
    if not noted:
        return False
    buckets = _aws(ctx, "s3", "list_buckets")["Buckets"]
    made = [bucket["CreationDate"] for bucket in buckets if bucket["Name"] == ctx.params.bucket]
    return bool(made) and made[0] >= datetime.fromisoformat(str(noted)) - timedelta(seconds=60)


def _lacking(ctx: Context, properties: tuple[_Property, ...]) -> tuple[str, ...]:
    return tuple(item.name for item in properties if not item.holds(ctx))


def _tags(items: list[Mapping[str, str]]) -> dict[str, str]:
    return {item["Key"]: item["Value"] for item in items}


def _tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": name, "Value": value} for name, value in sorted(tags.items())]


# --- the bucket -------------------------------------------------------------------------------------------


def _create_bucket(ctx: Context) -> None:
    more: dict[str, Any] = {}
    if ctx.region != "us-east-1":
        more["CreateBucketConfiguration"] = {"LocationConstraint": ctx.region}
    ctx.channel.remember({"bucket_creation_sent": datetime.now(UTC).isoformat()})
    try:
        _aws(
            ctx,
            "s3",
            "create_bucket",
            Bucket=ctx.params.bucket,
            ObjectOwnership="BucketOwnerEnforced",
            **more,
        )
    except AwsRefused as error:
        if error.code in ("BucketAlreadyExists", "BucketAlreadyOwnedByYou"):
            raise Refused(
                "the bucket's name is taken",
                where=ctx.params.bucket,
                next="bucket names are unique in all of AWS: choose another",
            ) from None
        raise


def _has_tags(ctx: Context) -> bool:
    found = _read(ctx, "s3", "get_bucket_tagging", Bucket=ctx.params.bucket) or {}
    return ctx.tags.items() <= _tags(found.get("TagSet", [])).items()


def _put_tags(ctx: Context) -> None:
    found = _read(ctx, "s3", "get_bucket_tagging", Bucket=ctx.params.bucket) or {}
    tags = {**_tags(found.get("TagSet", [])), **ctx.tags}
    _aws(ctx, "s3", "put_bucket_tagging", Bucket=ctx.params.bucket, Tagging={"TagSet": _tag_list(tags)})


def _is_versioned(ctx: Context) -> bool:
    return _aws(ctx, "s3", "get_bucket_versioning", Bucket=ctx.params.bucket).get("Status") == "Enabled"


def _put_versioning(ctx: Context) -> None:
    status = {"Status": "Enabled"}
    _aws(ctx, "s3", "put_bucket_versioning", Bucket=ctx.params.bucket, VersioningConfiguration=status)


def _is_encrypted(ctx: Context) -> bool:
    found = _read(ctx, "s3", "get_bucket_encryption", Bucket=ctx.params.bucket) or {}
    rules = found.get("ServerSideEncryptionConfiguration", {}).get("Rules", [])
    return any(
        rule.get("ApplyServerSideEncryptionByDefault", {}).get("SSEAlgorithm") in ("AES256", "aws:kms")
        for rule in rules
    )


def _put_encryption(ctx: Context) -> None:
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": True}
    _aws(
        ctx,
        "s3",
        "put_bucket_encryption",
        Bucket=ctx.params.bucket,
        ServerSideEncryptionConfiguration={"Rules": [rule]},
    )


_CLOSED = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}


def _is_closed(ctx: Context) -> bool:
    found = _read(ctx, "s3", "get_public_access_block", Bucket=ctx.params.bucket) or {}
    return bool(found.get("PublicAccessBlockConfiguration") == _CLOSED)


def _put_closed(ctx: Context) -> None:
    _aws(
        ctx,
        "s3",
        "put_public_access_block",
        Bucket=ctx.params.bucket,
        PublicAccessBlockConfiguration=_CLOSED,
    )


def _is_owner_enforced(ctx: Context) -> bool:
    found = _read(ctx, "s3", "get_bucket_ownership_controls", Bucket=ctx.params.bucket) or {}
    rules = found.get("OwnershipControls", {}).get("Rules", [])
    return any(rule.get("ObjectOwnership") == "BucketOwnerEnforced" for rule in rules)


def _put_owner_enforced(ctx: Context) -> None:
    rules = [{"ObjectOwnership": "BucketOwnerEnforced"}]
    _aws(
        ctx,
        "s3",
        "put_bucket_ownership_controls",
        Bucket=ctx.params.bucket,
        OwnershipControls={"Rules": rules},
    )


def _tls_statement(ctx: Context) -> dict[str, Any]:
    arn = f"arn:aws:s3:::{ctx.params.bucket}"
    return {
        "Sid": _TLS_SID,
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def _statements(ctx: Context) -> list[dict[str, Any]]:
    found = _read(ctx, "s3", "get_bucket_policy", Bucket=ctx.params.bucket)
    return list(json.loads(found["Policy"])["Statement"]) if found else []


def _wants_tls(ctx: Context) -> bool:
    return _tls_statement(ctx) in _statements(ctx)


def _put_tls(ctx: Context) -> None:
    others = [statement for statement in _statements(ctx) if statement.get("Sid") != _TLS_SID]
    policy = {"Version": "2012-10-17", "Statement": [*others, _tls_statement(ctx)]}
    _aws(ctx, "s3", "put_bucket_policy", Bucket=ctx.params.bucket, Policy=json.dumps(policy))


_BUCKET = (
    _Property("the run's tags", _has_tags, _put_tags),
    _Property("owner-enforced objects", _is_owner_enforced, _put_owner_enforced),
    _Property("no public access", _is_closed, _put_closed),
    _Property("versioning", _is_versioned, _put_versioning),
    _Property("encryption", _is_encrypted, _put_encryption),
    _Property("access over TLS only", _wants_tls, _put_tls),
)


# --- the table --------------------------------------------------------------------------------------------


def _create_table(ctx: Context) -> None:
    _aws(
        ctx,
        "dynamodb",
        "create_table",
        TableName=ctx.params.lock_table,
        AttributeDefinitions=[{"AttributeName": "LockID", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "LockID", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
        Tags=_tag_list(ctx.tags),
    )


def _await_table(ctx: Context, *, gone: bool = False) -> None:
    for _ in range(_TABLE_SECONDS):
        found = _read(ctx, "dynamodb", "describe_table", TableName=ctx.params.lock_table)
        if (found is None) if gone else (found and found["Table"]["TableStatus"] == "ACTIVE"):
            return
        ctx.channel.check_cancelled()
        ctx.channel.sleep(1.0)
    raise InDoubt(f"the table did not {'go' if gone else 'become active'}", where=ctx.params.lock_table)


def _table_arn(ctx: Context) -> str:
    found = _aws(ctx, "dynamodb", "describe_table", TableName=ctx.params.lock_table)
    return str(found["Table"]["TableArn"])


def _table_tags(ctx: Context) -> dict[str, str]:
    found = _aws(ctx, "dynamodb", "list_tags_of_resource", ResourceArn=_table_arn(ctx))
    return _tags(found.get("Tags", []))


def _has_table_tags(ctx: Context) -> bool:
    return ctx.tags.items() <= _table_tags(ctx).items()


def _put_table_tags(ctx: Context) -> None:
    _aws(ctx, "dynamodb", "tag_resource", ResourceArn=_table_arn(ctx), Tags=_tag_list(ctx.tags))


def _has_recovery(ctx: Context) -> bool:
    found = _aws(ctx, "dynamodb", "describe_continuous_backups", TableName=ctx.params.lock_table)
    recovery = found["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
    return bool(recovery.get("PointInTimeRecoveryStatus") == "ENABLED")


def _put_recovery(ctx: Context) -> None:
    _aws(
        ctx,
        "dynamodb",
        "update_continuous_backups",
        TableName=ctx.params.lock_table,
        PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
    )


def _is_on_demand(ctx: Context) -> bool:
    found = _aws(ctx, "dynamodb", "describe_table", TableName=ctx.params.lock_table)
    return bool(found["Table"].get("BillingModeSummary", {}).get("BillingMode") == "PAY_PER_REQUEST")


def _put_on_demand(ctx: Context) -> None:
    _aws(ctx, "dynamodb", "update_table", TableName=ctx.params.lock_table, BillingMode="PAY_PER_REQUEST")
    _await_table(ctx)


_TABLE = (
    _Property("the run's tags", _has_table_tags, _put_table_tags),
    _Property("billing by request", _is_on_demand, _put_on_demand),
    _Property("point-in-time recovery", _has_recovery, _put_recovery),
)


# --- locks ------------------------------------------------------------------------------------------------


def _file_lock_works(ctx: Context) -> Check:
    """Creates a file on the condition that it is not there, twice; removes it for good."""
    bucket, key = ctx.params.bucket, f"{ctx.key}{_LOCK_SUFFIX}"
    name = "a lock file excludes a second writer"
    try:
        made = _aws(ctx, "s3", "put_object", Bucket=bucket, Key=key, Body=b"{}", IfNoneMatch="*")
    except AwsRefused as error:
        return Check(name, False, f"the first writer was refused: {error.code}")
    try:
        _aws(ctx, "s3", "put_object", Bucket=bucket, Key=key, Body=b"{}", IfNoneMatch="*")
        second = "a second writer was let in"
    except AwsRefused as error:
        second = "" if error.code in ("PreconditionFailed", "412") else f"unexpected: {error.code}"
    for version in _versions(ctx, key) or [(key, made.get("VersionId", "null"))]:
        _aws(ctx, "s3", "delete_object", Bucket=bucket, Key=key, VersionId=version[1])
    return Check(name, not second, second or "the second was refused")


def _table_lock_works(ctx: Context) -> Check:
    """Puts an item on the condition that it is not there, twice; removes it."""
    item = {"LockID": {"S": ctx.key}}
    table, condition = ctx.params.lock_table, "attribute_not_exists(LockID)"
    name = "a lock item excludes a second writer"
    try:
        _aws(ctx, "dynamodb", "put_item", TableName=table, Item=item, ConditionExpression=condition)
    except AwsRefused as error:
        return Check(name, False, f"the first writer was refused: {error.code}")
    try:
        _aws(ctx, "dynamodb", "put_item", TableName=table, Item=item, ConditionExpression=condition)
        second = "a second writer was let in"
    except AwsRefused as error:
        second = "" if error.code == "ConditionalCheckFailedException" else f"unexpected: {error.code}"
    _aws(ctx, "dynamodb", "delete_item", TableName=table, Key=item)
    return Check(name, not second, second or "the second was refused")


def _must_hold_no_lock(ctx: Context) -> None:
    table = ctx.params.lock_table
    found = _aws(ctx, "dynamodb", "scan", TableName=table, ConsistentRead=True)
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


# --- removal ----------------------------------------------------------------------------------------------


def _versions(ctx: Context, prefix: str = "") -> list[tuple[str, str]]:
    """Key and version id of every version and delete marker."""
    found: list[tuple[str, str]] = []
    more: dict[str, Any] = {}
    while True:
        page = _aws(ctx, "s3", "list_object_versions", Bucket=ctx.params.bucket, Prefix=prefix, **more)
        for kind in ("Versions", "DeleteMarkers"):
            found += [(item["Key"], item["VersionId"]) for item in page.get(kind, [])]
        if not page.get("IsTruncated"):
            return found
        more = {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page["NextVersionIdMarker"]}


def _removable_versions(ctx: Context) -> list[tuple[str, str]]:
    """All versions, when each object is an empty state or a lock that was given up; else `Refused`."""
    versions = _versions(ctx)
    kept = []
    for key in sorted({key for key, _ in versions}):
        reason = _why_keep(ctx, key)
        if reason:
            kept.append(f"{key}: {reason}")
    if kept:
        raise Refused(
            "the bucket is not empty",
            where=ctx.params.bucket,
            detail="\n".join(kept),
            next="undo the steps that made the resources in these states",
        )
    return versions


def _why_keep(ctx: Context, key: str) -> str:
    try:
        found = _read(ctx, "s3", "get_object", Bucket=ctx.params.bucket, Key=key)
    except AwsRefused as error:
        if error.code != "NoSuchKey":
            raise
        found = None
    if key.endswith(_LOCK_SUFFIX):
        return "" if found is None or key == f"{ctx.key}{_LOCK_SUFFIX}" else "this lock is held"
    if not key.endswith(_STATE_SUFFIX):
        return "this is not a state"
    if found is None:
        return "this state was deleted; its earlier versions may name resources"
    body = found["Body"]
    try:
        resources = json.loads(body if isinstance(body, bytes) else body.read())["resources"]
    except (ValueError, KeyError, TypeError):
        return "this is not a state that can be read"
    held = sum(len(r.get("instances", [])) for r in resources if r.get("mode") == "managed")
    return f"{held} resources are in this state" if held else ""
