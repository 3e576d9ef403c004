"""What bucket and table have in common: how they are asked, whose they are, and what they must have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from migrator.contracts.aws import AwsRefused
from migrator.contracts.context import StepContext

RUN_TAG, STEP_TAG = "migrator:run", "migrator:step"
NOT_THERE = frozenset(
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


@dataclass(frozen=True)
class BackendParams:
    """`bucket` is unique in all of AWS. `existing` says what to do with a bucket and table of an earlier run."""

    bucket: str
    lock_table: str
    existing: Literal["refuse", "continue"] = "refuse"


Context = StepContext[BackendParams]


@dataclass(frozen=True)
class Property:
    """One thing that bucket or table must have: `holds` reads it, `put` sets it."""

    name: str
    holds: Callable[[Context], bool]
    put: Callable[[Context], None]


@dataclass(frozen=True)
class Half:
    """Bucket or table as it is: there or not, whose, and what it lacks."""

    what: str
    exists: bool
    foreign: str = ""
    lacks: tuple[str, ...] = ()


def aws(ctx: Context, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
    """A call to AWS for this step."""
    return ctx.tools.aws.call(service, operation, **parameters)


def read(ctx: Context, service: str, operation: str, **parameters: Any) -> dict[str, Any] | None:
    """The answer, or None when AWS says that there is no such thing."""
    try:
        return aws(ctx, service, operation, **parameters)
    except AwsRefused as error:
        if error.code in NOT_THERE:
            return None
        raise


def foreign_maker(ctx: Context, what: str, tags: Mapping[str, str]) -> str:
    """Who else made it, in words; empty when it may be used."""
    if ctx.params.existing == "continue" or carries(ctx, tags):
        return ""
    made_by = f"run {tags[RUN_TAG]}" if RUN_TAG in tags else "somebody else"
    return f"{what} was made by {made_by}"


def carries(ctx: Context, tags: Mapping[str, str]) -> bool:
    """Whether the tags are those of this run and step."""
    return all(tags.get(name) == ctx.tags[name] for name in (RUN_TAG, STEP_TAG))


def lacking(ctx: Context, properties: tuple[Property, ...]) -> tuple[str, ...]:
    """Names of the properties that do not hold."""
    return tuple(item.name for item in properties if not item.holds(ctx))


def tag_map(items: list[Mapping[str, str]]) -> dict[str, str]:
    """AWS's list of tags by key."""
    return {item["Key"]: item["Value"] for item in items}


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as AWS takes them, in order."""
    return [{"Key": name, "Value": value} for name, value in sorted(tags.items())]
