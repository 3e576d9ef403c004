"""State and locks, read where the S3 backend keeps them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from migrator.contracts.aws import Aws, AwsRefused
from migrator.contracts.terraform import Backend, StateLock, StateResource, StateSummary
from migrator.errors import Refused
from migrator.sanitize import clean_line

_ABSENT = {"404", "NoSuchKey", "NotFound", "NoSuchBucket", "ResourceNotFoundException"}
_FORMAT = 4
_PROTECTIONS = ("deletion_protection", "enable_deletion_protection", "deletion_protection_enabled")


def summary(text: str | bytes, where: str) -> StateSummary:
    """What a state file holds; `Refused` when it is not one."""
    try:
        state = json.loads(text)
        if state["version"] != _FORMAT:
            raise Refused(
                f"the state has format {clean_line(str(state['version']), 20)}; known is {_FORMAT}",
                where=where,
            )
        resources = tuple(
            _instance(resource, instance)
            for resource in state.get("resources", [])
            if resource.get("mode") == "managed"
            for instance in resource.get("instances", [])
            if not instance.get("deposed")
        )
        return StateSummary(int(state["serial"]), str(state["lineage"]), resources)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Refused(
            "the state cannot be read",
            where=where,
            detail=clean_line(str(error), 200),
            next="look at the object; the bucket keeps earlier versions of it",
        ) from None


def _instance(resource: Mapping[str, Any], instance: Mapping[str, Any]) -> StateResource:
    module = f"{resource['module']}." if resource.get("module") else ""
    index = f"[{json.dumps(instance['index_key'])}]" if "index_key" in instance else ""
    attributes = instance.get("attributes") or {}
    return StateResource(
        address=f"{module}{resource['type']}.{resource['name']}{index}",
        type=str(resource["type"]),
        id=str(attributes.get("id", "")),
        tags=dict(attributes.get("tags_all") or {}),
        tainted=instance.get("status") == "tainted",
        protected=any(attributes.get(name) is True for name in _PROTECTIONS),
    )


def _object(aws: Aws, backend: Backend, key: str) -> bytes | None:
    try:
        found = aws.call("s3", "get_object", region=backend.region, Bucket=backend.bucket, Key=key)
    except AwsRefused as error:
        if error.code in _ABSENT:
            return None
        raise
    body = found["Body"]
    return body if isinstance(body, bytes) else bytes(body.read())


def read_state(aws: Aws, backend: Backend) -> StateSummary:
    """What the state holds; serial -1 when there is none."""
    text = _object(aws, backend, backend.key)
    return StateSummary() if text is None else summary(text, f"s3://{backend.bucket}/{backend.key}")


def read_lock(aws: Aws, backend: Backend) -> StateLock | None:
    """The lock on the state. Where file and table differ, the file's: it is taken first and given up last."""
    found: dict[str, Mapping[str, Any]] = {}
    file = _object(aws, backend, f"{backend.key}.tflock")
    if file is not None:
        found["file"] = _lock_info(file)
    item = _lock_item(aws, backend)
    if item is not None:
        found["table"] = _lock_info(item)
    if not found:
        return None
    info = found.get("file") or found["table"]
    same = tuple(place for place, other in found.items() if other.get("ID") == info.get("ID"))
    return StateLock(
        id=clean_line(str(info.get("ID", "")), 100),
        operation=clean_line(str(info.get("Operation", "")), 100),
        who=clean_line(str(info.get("Who", "")), 300),
        created=clean_line(str(info.get("Created", "")), 60),
        places=same,
    )


def _lock_item(aws: Aws, backend: Backend) -> str | None:
    if not backend.lock_table:
        return None
    try:
        found = aws.call(
            "dynamodb",
            "get_item",
            region=backend.region,
            TableName=backend.lock_table,
            Key={"LockID": {"S": f"{backend.bucket}/{backend.key}"}},
            ConsistentRead=True,
        )
    except AwsRefused as error:
        if error.code in _ABSENT:
            return None
        raise
    item = found.get("Item")
    return str(item["Info"]["S"]) if item and "Info" in item else None


def _lock_info(text: str | bytes) -> Mapping[str, Any]:
    try:
        info = json.loads(text)
    except ValueError:
        return {}
    return info if isinstance(info, dict) else {}


def remove_lock_item(aws: Aws, backend: Backend, lock: StateLock) -> None:
    """Removes the table's half of this lock, and no other."""
    item = _lock_item(aws, backend)
    if item is None or _lock_info(item).get("ID") != lock.id:
        return
    aws.call(
        "dynamodb",
        "delete_item",
        region=backend.region,
        TableName=backend.lock_table,
        Key={"LockID": {"S": f"{backend.bucket}/{backend.key}"}},
        ConditionExpression="Info = :info",
        ExpressionAttributeValues={":info": {"S": item}},
    )
