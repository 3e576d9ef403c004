"""Route 53 as it is: a batch of changes is all or nothing, exact, and takes a moment to be in sync."""

from __future__ import annotations

import copy
import math
import threading
import time
import uuid
from datetime import UTC, datetime
from typing import Any

from moto.core.responses import ActionResult
from moto.route53 import models, responses

from migrator.lab.aws.errors import ServiceFault

_lock = threading.RLock()
_changes: dict[str, tuple[float, datetime]] = {}


class InvalidChangeBatchError(ServiceFault):
    """A change of the batch does not fit the zone; nothing of the batch was done."""

    def __init__(self, message: str) -> None:
        super().__init__("InvalidChangeBatch", f"[{message}]")


def install(change_seconds: float) -> None:
    """Replace moto's batch handling; a change is PENDING for `change_seconds`."""
    if not hasattr(models.Route53Backend, "change_resource_record_sets"):
        raise AttributeError("moto's Route 53 has changed: is it the pinned version?")

    def change(self: Any, zoneid: str, change_list: list[dict[str, Any]]) -> None:
        with _lock:
            zone = self.get_hosted_zone(zoneid)
            before = list(zone.rrsets)
            try:
                for entry in change_list:
                    _apply(zone, copy.deepcopy(entry))
            except Exception:
                zone.rrsets = before
                raise
            zone.rr_changes.extend(copy.deepcopy(change_list))

    def change_response(self: Any) -> ActionResult:
        respond(self)
        return _new_change()

    def get_change(self: Any) -> ActionResult:
        identity = str(self._get_param("Id")).rsplit("/", 1)[-1]
        # Changes of operations left to moto carry its fixed ids; they are in sync at once.
        made, submitted = _changes.get(identity, (-math.inf, datetime.now(UTC)))
        status = "PENDING" if time.monotonic() - made < change_seconds else "INSYNC"
        return _change_info(identity, status, submitted)

    def create_zone(self: Any) -> Any:
        result = create(self)
        identity, submitted = _remember()
        result.result["ChangeInfo"] = {
            "Id": f"/change/{identity}",
            "Status": "PENDING",
            "SubmittedAt": submitted,
        }
        return result

    respond: Any = responses.Route53.change_resource_record_sets
    create: Any = responses.Route53.create_hosted_zone
    models.Route53Backend.change_resource_record_sets = change  # type: ignore[method-assign]
    responses.Route53.change_resource_record_sets = change_response  # type: ignore[method-assign]
    responses.Route53.get_change = get_change  # type: ignore[method-assign]
    responses.Route53.create_hosted_zone = create_zone  # type: ignore[method-assign]


def published_cnames(account: str) -> set[tuple[str, str]]:
    """(name, target) of every CNAME in the account's public zones, names with their final dot."""
    found = set()
    for zone in list(models.route53_backends[account]["aws"].zones.values()):
        for record in list(zone.rrsets):
            if record.type == "CNAME" and not zone.private_zone:
                found |= {(_dotted(record.name), _dotted(value)) for value in values_of(record)}
    return found


def values_of(record: Any) -> list[str]:
    """A record's values as text, however moto keeps them."""
    return [entry["Value"] if isinstance(entry, dict) else str(entry) for entry in record.records or []]


def _new_change() -> ActionResult:
    identity, submitted = _remember()
    return _change_info(identity, "PENDING", submitted)


def _remember() -> tuple[str, datetime]:
    identity = "C" + uuid.uuid4().hex[:20].upper()
    submitted = datetime.now(UTC)
    _changes[identity] = (time.monotonic(), submitted)
    return identity, submitted


def _change_info(identity: str, status: str, submitted: datetime) -> ActionResult:
    return ActionResult(
        {"ChangeInfo": {"Id": f"/change/{identity}", "Status": status, "SubmittedAt": submitted}}
    )


def _apply(zone: Any, change: dict[str, Any]) -> None:
    wanted = change["ResourceRecordSet"]
    action = change["Action"]
    wanted["Name"] = _dotted(wanted["Name"])
    if not (wanted["Name"] == _dotted(zone.name) or wanted["Name"].endswith("." + _dotted(zone.name))):
        raise InvalidChangeBatchError(
            f"RRSet with DNS name {wanted['Name']} is not permitted in zone {_dotted(zone.name)}"
        )
    if "ResourceRecords" in wanted:
        wanted["ResourceRecords"] = [
            entry["Value"] if isinstance(entry, dict) else entry for entry in wanted["ResourceRecords"] or []
        ]
    present = [record for record in zone.rrsets if _identity(record) == _wanted_identity(wanted)]
    label = f"[name='{wanted['Name']}', type='{wanted['Type']}']"
    if action == "DELETE":
        if not present:
            raise InvalidChangeBatchError(f"Tried to delete resource record set {label} but it was not found")
        if _content(present[0]) != _wanted_content(wanted):
            raise InvalidChangeBatchError(
                f"Tried to delete resource record set {label} but the values provided do not match the current values"
            )
        zone.rrsets = [record for record in zone.rrsets if record is not present[0]]
        return
    if action == "CREATE" and present:
        raise InvalidChangeBatchError(f"Tried to create resource record set {label} but it already exists")
    if action not in ("CREATE", "UPSERT"):
        raise ServiceFault("InvalidInput", f"Invalid action {action}")
    _refuse_cname_conflict(zone, wanted, label)
    zone.rrsets = [record for record in zone.rrsets if record not in present] + [_record_set(wanted)]


def _record_set(wanted: dict[str, Any]) -> Any:
    kind: Any = models.RecordSet
    return kind(wanted)


def _refuse_cname_conflict(zone: Any, wanted: dict[str, Any], label: str) -> None:
    others = {record.type for record in zone.rrsets if _dotted(record.name) == wanted["Name"]} - {
        wanted["Type"]
    }
    if (wanted["Type"] == "CNAME" and others) or "CNAME" in others:
        raise InvalidChangeBatchError(
            f"RRSet {label} conflicts with an existing record of another type with the same DNS name"
        )


def _identity(record: Any) -> tuple[str, str, str]:
    return _dotted(record.name), str(record.type), record.set_identifier or ""


def _wanted_identity(wanted: dict[str, Any]) -> tuple[str, str, str]:
    return wanted["Name"], wanted["Type"], wanted.get("SetIdentifier") or ""


def _content(record: Any) -> tuple[Any, ...]:
    alias = record.alias_target or {}
    ttl = None if alias or record.ttl is None else int(record.ttl)
    return sorted(values_of(record)), ttl, _alias(alias), _number(record.weight)


def _wanted_content(wanted: dict[str, Any]) -> tuple[Any, ...]:
    alias = wanted.get("AliasTarget") or {}
    ttl = None if alias or wanted.get("TTL") is None else int(wanted["TTL"])
    return sorted(wanted.get("ResourceRecords") or []), ttl, _alias(alias), _number(wanted.get("Weight"))


def _alias(alias: dict[str, Any]) -> tuple[str, str] | None:
    return (_dotted(str(alias["DNSName"])), str(alias.get("HostedZoneId"))) if alias else None


def _number(value: Any) -> int | None:
    return None if value is None else int(value)


def _dotted(name: str) -> str:
    return name.lower().rstrip(".") + "."
