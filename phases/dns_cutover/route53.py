"""Route 53 as a provider: one change batch, DELETE of exactly what was read and CREATE, never UPSERT."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from migrator.contracts.aws import Aws
from migrator.errors import Refused
from migrator.sanitize import clean_line
from phases.dns_cutover.records import Alias, RecordSet, host_name

_PLAIN = frozenset({"Name", "Type", "TTL", "ResourceRecords", "AliasTarget"})


class Route53Zone:
    """`provider.Zone` for a public hosted zone, by its id."""

    def __init__(self, aws: Aws, hosted_zone_id: str) -> None:
        self._aws = aws
        self._id = hosted_zone_id.rsplit("/", 1)[-1]
        self._described: dict[str, Any] = {}

    def zone_name(self) -> str:
        """The zone's name."""
        return host_name(str(self._describe()["HostedZone"]["Name"]))

    def name_servers(self) -> tuple[str, ...]:
        """The delegation set's servers."""
        return tuple(host_name(n) for n in self._describe().get("DelegationSet", {}).get("NameServers", ()))

    def records(self) -> tuple[RecordSet, ...]:
        """All record sets, freshly read."""
        pages = self._aws.pages(
            "route53", "list_resource_record_sets", "ResourceRecordSets", HostedZoneId=self._id
        )
        return tuple(from_route53(each) for each in pages)

    def exchange(self, old: Sequence[RecordSet], new: Sequence[RecordSet], comment: str) -> str:
        """One batch; Route 53 carries it out whole or not at all."""
        changes = [{"Action": "DELETE", "ResourceRecordSet": to_route53(record)} for record in old]
        changes += [{"Action": "CREATE", "ResourceRecordSet": to_route53(record)} for record in new]
        answer = self._aws.call(
            "route53",
            "change_resource_record_sets",
            HostedZoneId=self._id,
            ChangeBatch={"Comment": comment[:256], "Changes": changes},
        )
        return str(answer["ChangeInfo"]["Id"]).rsplit("/", 1)[-1]

    def settled(self, change_id: str) -> bool:
        """Whether the change is INSYNC."""
        answer = self._aws.call("route53", "get_change", Id=change_id)
        return bool(answer["ChangeInfo"]["Status"] == "INSYNC")

    def _describe(self) -> dict[str, Any]:
        if not self._described:
            found = self._aws.call("route53", "get_hosted_zone", Id=self._id)
            if found["HostedZone"].get("Config", {}).get("PrivateZone"):
                raise Refused(
                    "the hosted zone is private: its names are not what the world sees",
                    where=f"hosted zone {self._id}",
                    next="give the id of the public zone of the same name",
                )
            self._described = found
        return self._described


def from_route53(raw: Mapping[str, Any]) -> RecordSet:
    """A record set as the API lists it."""
    alias = raw.get("AliasTarget")
    return RecordSet(
        name=host_name(clean_line(str(raw["Name"])).replace("\\052", "*")),
        kind=clean_line(str(raw["Type"])),
        ttl=None if raw.get("TTL") is None or alias else int(raw["TTL"]),
        values=tuple(str(value["Value"]) for value in raw.get("ResourceRecords") or ()),
        alias=Alias(
            str(alias["DNSName"]), str(alias["HostedZoneId"]), bool(alias.get("EvaluateTargetHealth"))
        )
        if alias
        else None,
        routing={key: value for key, value in raw.items() if key not in _PLAIN and value not in (None, [])},
    )


def to_route53(record: RecordSet) -> dict[str, Any]:
    """A record set as a change batch wants it."""
    raw: dict[str, Any] = {"Name": f"{record.name}.", "Type": record.kind, **record.routing}
    if record.alias:
        raw["AliasTarget"] = {
            "HostedZoneId": record.alias.zone_id,
            "DNSName": record.alias.target,
            "EvaluateTargetHealth": record.alias.evaluate_target_health,
        }
    else:
        raw["TTL"] = record.ttl
        raw["ResourceRecords"] = [{"Value": value} for value in record.values]
    return raw
