"""The bucket: its properties, its lock files, and what must not be removed with it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from migrator.contracts.action import Check
from migrator.contracts.aws import AwsRefused
from migrator.errors import Refused
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

_TLS_SID = "DenyInsecureTransport"
_LOCK_SUFFIX = ".tflock"
_STATE_SUFFIX = ".tfstate"


def bucket_as_it_is(ctx: Context) -> Half:
    """The bucket: there or not, whose, and what it lacks."""
    name = ctx.params.bucket
    what = f"the bucket {name}"
    try:
        if read(ctx, "s3", "head_bucket", Bucket=name, ExpectedBucketOwner=ctx.account) is None:
            return Half(what, exists=False)
    except AwsRefused as error:
        if error.code in ("403", "AccessDenied", "Forbidden", "301", "PermanentRedirect"):
            return Half(what, exists=True, foreign=f"{what} belongs to somebody else")
        raise
    tags = tag_map((read(ctx, "s3", "get_bucket_tagging", Bucket=name) or {}).get("TagSet", []))
    foreign = foreign_maker(ctx, what, tags)
    if foreign and not tags and _made_by_this_step(ctx):
        foreign = ""
    return Half(what, True, foreign, () if foreign else lacking(ctx, BUCKET))


def _made_by_this_step(ctx: Context) -> bool:
    """A bucket gets its tags only after its creation: until then, the time that was noted before tells."""
    noted = ctx.memory.get("bucket_creation_sent")
    if not noted:
        return False
    buckets = aws(ctx, "s3", "list_buckets")["Buckets"]
    made = [bucket["CreationDate"] for bucket in buckets if bucket["Name"] == ctx.params.bucket]
    return bool(made) and made[0] >= datetime.fromisoformat(str(noted)) - timedelta(seconds=60)


def create_bucket(ctx: Context) -> None:
    """Creates it in the run's region; `Refused` when its name is taken."""
    more: dict[str, Any] = {}
    if ctx.region != "us-east-1":
        more["CreateBucketConfiguration"] = {"LocationConstraint": ctx.region}
    ctx.channel.remember({"bucket_creation_sent": datetime.now(UTC).isoformat()})
    try:
        aws(
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
    found = read(ctx, "s3", "get_bucket_tagging", Bucket=ctx.params.bucket) or {}
    return ctx.tags.items() <= tag_map(found.get("TagSet", [])).items()


def _put_tags(ctx: Context) -> None:
    found = read(ctx, "s3", "get_bucket_tagging", Bucket=ctx.params.bucket) or {}
    tags = {**tag_map(found.get("TagSet", [])), **ctx.tags}
    aws(ctx, "s3", "put_bucket_tagging", Bucket=ctx.params.bucket, Tagging={"TagSet": tag_list(tags)})


def _is_versioned(ctx: Context) -> bool:
    return aws(ctx, "s3", "get_bucket_versioning", Bucket=ctx.params.bucket).get("Status") == "Enabled"


def _put_versioning(ctx: Context) -> None:
    status = {"Status": "Enabled"}
    aws(ctx, "s3", "put_bucket_versioning", Bucket=ctx.params.bucket, VersioningConfiguration=status)


def _is_encrypted(ctx: Context) -> bool:
    found = read(ctx, "s3", "get_bucket_encryption", Bucket=ctx.params.bucket) or {}
    rules = found.get("ServerSideEncryptionConfiguration", {}).get("Rules", [])
    return any(
        rule.get("ApplyServerSideEncryptionByDefault", {}).get("SSEAlgorithm") in ("AES256", "aws:kms")
        for rule in rules
    )


def _put_encryption(ctx: Context) -> None:
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": True}
    aws(
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
    found = read(ctx, "s3", "get_public_access_block", Bucket=ctx.params.bucket) or {}
    return bool(found.get("PublicAccessBlockConfiguration") == _CLOSED)


def _put_closed(ctx: Context) -> None:
    aws(
        ctx,
        "s3",
        "put_public_access_block",
        Bucket=ctx.params.bucket,
        PublicAccessBlockConfiguration=_CLOSED,
    )


def _is_owner_enforced(ctx: Context) -> bool:
    found = read(ctx, "s3", "get_bucket_ownership_controls", Bucket=ctx.params.bucket) or {}
    rules = found.get("OwnershipControls", {}).get("Rules", [])
    return any(rule.get("ObjectOwnership") == "BucketOwnerEnforced" for rule in rules)


def _put_owner_enforced(ctx: Context) -> None:
    rules = [{"ObjectOwnership": "BucketOwnerEnforced"}]
    aws(
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
    found = read(ctx, "s3", "get_bucket_policy", Bucket=ctx.params.bucket)
    return list(json.loads(found["Policy"])["Statement"]) if found else []


def _wants_tls(ctx: Context) -> bool:
    return _tls_statement(ctx) in _statements(ctx)


def _put_tls(ctx: Context) -> None:
    others = [statement for statement in _statements(ctx) if statement.get("Sid") != _TLS_SID]
    policy = {"Version": "2012-10-17", "Statement": [*others, _tls_statement(ctx)]}
    aws(ctx, "s3", "put_bucket_policy", Bucket=ctx.params.bucket, Policy=json.dumps(policy))


BUCKET = (
    Property("the run's tags", _has_tags, _put_tags),
    Property("owner-enforced objects", _is_owner_enforced, _put_owner_enforced),
    Property("no public access", _is_closed, _put_closed),
    Property("versioning", _is_versioned, _put_versioning),
    Property("encryption", _is_encrypted, _put_encryption),
    Property("access over TLS only", _wants_tls, _put_tls),
)


def file_lock_works(ctx: Context) -> Check:
    """Creates a file on the condition that it is not there, twice; removes it for good."""
    bucket, key = ctx.params.bucket, f"{ctx.key}{_LOCK_SUFFIX}"
    name = "a lock file excludes a second writer"
    try:
        made = aws(ctx, "s3", "put_object", Bucket=bucket, Key=key, Body=b"{}", IfNoneMatch="*")
    except AwsRefused as error:
        return Check(name, False, f"the first writer was refused: {error.code}")
    try:
        aws(ctx, "s3", "put_object", Bucket=bucket, Key=key, Body=b"{}", IfNoneMatch="*")
        second = "a second writer was let in"
    except AwsRefused as error:
        second = "" if error.code in ("PreconditionFailed", "412") else f"unexpected: {error.code}"
    for version in _versions(ctx, key) or [(key, made.get("VersionId", "null"))]:
        aws(ctx, "s3", "delete_object", Bucket=bucket, Key=key, VersionId=version[1])
    return Check(name, not second, second or "the second was refused")


def _versions(ctx: Context, prefix: str = "") -> list[tuple[str, str]]:
    """Key and version id of every version and delete marker."""
    found: list[tuple[str, str]] = []
    more: dict[str, Any] = {}
    while True:
        page = aws(ctx, "s3", "list_object_versions", Bucket=ctx.params.bucket, Prefix=prefix, **more)
        for kind in ("Versions", "DeleteMarkers"):
            found += [(item["Key"], item["VersionId"]) for item in page.get(kind, [])]
        if not page.get("IsTruncated"):
            return found
        more = {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page["NextVersionIdMarker"]}


def removable_versions(ctx: Context) -> list[tuple[str, str]]:
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
        found = read(ctx, "s3", "get_object", Bucket=ctx.params.bucket, Key=key)
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
