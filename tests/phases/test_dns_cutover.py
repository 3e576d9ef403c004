"""The cutover's actions: lifecycle, crashes, foreign edits, on a Route 53 that is exact and atomic."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from migrator.contracts.action import Verdict
from migrator.contracts.aws import AwsInDoubt, AwsRefused
from migrator.contracts.params import Seconds, build
from migrator.errors import InDoubt, Refused
from phases import dns_cutover
from phases.dns_cutover.cutover import Cutover, CutoverParams
from phases.dns_cutover.exchange import RecordExchange
from phases.dns_cutover.lower_ttl import LowerTtl, LowerTtlParams
from phases.dns_cutover.records import RecordSet
from phases.dns_cutover.route53 import from_route53, to_route53
from phases.dns_cutover.snapshot import Snapshot, SnapshotParams
from phases.dns_cutover.watch import WatchParams
from tests.phases.zone_doubles import API, WWW, Crash, Record, StrictRoute53, World, old_records, record

NAMES = (WWW, API)
TARGET = "lb-1.us-west-2.elb.example.net"
CUTOVER = CutoverParams("/hostedzone/Z1", ("WWW.example.com.", API), TARGET.upper(), "ZLB")
LOWER = LowerTtlParams("Z1", NAMES, 60)


def alias(name: str) -> Record:
    return {
        "Name": f"{name}.",
        "Type": "A",
        "AliasTarget": {"HostedZoneId": "ZLB", "DNSName": f"{TARGET}.", "EvaluateTargetHealth": True},
    }


@dataclass(frozen=True)
class Case:
    """A changing action and what it leaves."""

    action: RecordExchange[Any]
    params: Any
    after: tuple[Record, ...]


CASES = {
    "cutover": Case(Cutover(), CUTOVER, (alias(API), alias(WWW))),
    "lower_ttl": Case(
        LowerTtl(),
        LOWER,
        (
            record(API, "CNAME", 60, "back.old.example.net"),
            record(WWW, "CNAME", 60, "Front.Old.example.net."),
        ),
    ),
}
each_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


def begun(case: Case, work: Path) -> tuple[StrictRoute53, World]:
    """A zone, and a step after its first probe."""
    zone = StrictRoute53(*old_records())
    world = World(work, aws=zone)
    probe = case.action.probe(world.context(case.params))
    assert probe.verdict is Verdict.ABSENT
    world.baseline = json.loads(json.dumps(probe.facts))
    return zone, world


@each_case
def test_lifecycle(case: Case, tmp_path: Path) -> None:
    zone, world = begun(case, tmp_path)
    before = zone.at(*NAMES)
    for _ in range(2):
        ctx = world.context(case.params)
        assert case.action.probe(ctx).verdict is Verdict.ABSENT
        assert len(case.action.preview(ctx).changes) == 2
        case.action.apply(ctx)
        assert zone.at(*NAMES) == list(case.after)
        found = case.action.verify(world.context(case.params))
        assert found.ok, found.checks
        assert case.action.probe(ctx).verdict is Verdict.OURS
        case.action.apply(ctx)
        case.action.undo(world.context(case.params))
        assert zone.at(*NAMES) == before
        case.action.undo(world.context(case.params))
        assert not case.action.verify(world.context(case.params)).ok
    assert len(zone.batches) == 4, "each change in one batch, nothing sent twice"


@each_case
def test_waits_until_in_sync(case: Case, tmp_path: Path) -> None:
    zone, world = begun(case, tmp_path)
    zone.pending_looks = 7
    started = world.clock.now()
    case.action.apply(world.context(case.params))
    assert case.action.verify(world.context(case.params)).ok
    assert zone.pending_looks < 0
    assert (world.clock.now() - started).total_seconds() > 5


@each_case
def test_crash_after_the_effect_is_ours(case: Case, tmp_path: Path) -> None:
    zone, world = begun(case, tmp_path)

    def crash() -> None:
        raise Crash

    zone.after_change = crash
    with pytest.raises(Crash):
        case.action.apply(world.context(case.params))
    zone.after_change = lambda: None
    assert case.action.probe(world.context(case.params)).verdict is Verdict.OURS
    assert case.action.verify(world.context(case.params)).ok
    case.action.undo(world.context(case.params))
    assert case.action.probe(world.context(case.params)).verdict is Verdict.ABSENT


@each_case
def test_crash_before_the_effect_is_absent(case: Case, tmp_path: Path) -> None:
    zone, world = begun(case, tmp_path)

    def crash() -> None:
        raise Crash

    zone.before_change = crash
    with pytest.raises(Crash):
        case.action.apply(world.context(case.params))
    assert case.action.probe(world.context(case.params)).verdict is Verdict.ABSENT
    case.action.undo(world.context(case.params))
    assert zone.batches == []


@each_case
def test_crash_in_an_undo_goes_on(case: Case, tmp_path: Path) -> None:
    zone, world = begun(case, tmp_path)
    before = zone.at(*NAMES)
    case.action.apply(world.context(case.params))

    def crash() -> None:
        raise Crash

    zone.after_change = crash
    with pytest.raises(Crash):
        case.action.undo(world.context(case.params))
    case.action.undo(world.context(case.params))
    assert zone.at(*NAMES) == before


@each_case
def test_foreign_edit_before_apply(case: Case, tmp_path: Path) -> None:
    zone, world = begun(case, tmp_path)
    zone.replace(API, record(API, "CNAME", 300, "elsewhere.example.org"))
    seen = zone.at(*NAMES)
    probe = case.action.probe(world.context(case.params))
    assert probe.verdict is Verdict.FOREIGN
    assert "back.old.example.net" in probe.evidence
    assert "elsewhere.example.org" in probe.evidence
    with pytest.raises(Refused, match="nothing was changed") as caught:
        case.action.apply(world.context(case.params))
    assert "back.old.example.net" in caught.value.detail
    assert "elsewhere.example.org" in caught.value.detail
    assert zone.at(*NAMES) == seen


@each_case
def test_foreign_edit_between_read_and_write(case: Case, tmp_path: Path) -> None:
    zone, world = begun(case, tmp_path)
    zone.before_change = lambda: zone.replace(API, record(API, "CNAME", 300, "elsewhere.example.org"))
    with pytest.raises(Refused, match="somebody changed") as caught:
        case.action.apply(world.context(case.params))
    assert "elsewhere.example.org" in caught.value.detail
    assert zone.at(WWW) == [old_records()[0]]
    assert case.action.probe(world.context(case.params)).verdict is Verdict.FOREIGN


@each_case
def test_foreign_edit_before_undo(case: Case, tmp_path: Path) -> None:
    zone, world = begun(case, tmp_path)
    case.action.apply(world.context(case.params))
    zone.replace(API, record(API, "CNAME", 60, "elsewhere.example.org"))
    seen = zone.at(*NAMES)
    assert case.action.probe(world.context(case.params)).verdict is Verdict.FOREIGN
    with pytest.raises(Refused):
        case.action.undo(world.context(case.params))
    assert zone.at(*NAMES) == seen


@each_case
def test_somebody_elses_same_change_is_not_ours(case: Case, tmp_path: Path) -> None:
    zone, world = begun(case, tmp_path)
    for each in case.after:
        zone.replace(each["Name"].rstrip("."), copy.deepcopy(each))
    assert case.action.probe(world.context(case.params)).verdict is Verdict.FOREIGN
    case.action.undo(world.context(case.params))
    assert zone.at(*NAMES) == list(case.after)


@each_case
def test_half_a_batch_is_partial_and_mended(case: Case, tmp_path: Path) -> None:
    zone, world = begun(case, tmp_path)
    before = zone.at(*NAMES)
    case.action.apply(world.context(case.params))
    zone.replace(WWW, old_records()[0])
    assert case.action.probe(world.context(case.params)).verdict is Verdict.PARTIAL
    case.action.apply(world.context(case.params))
    assert zone.at(*NAMES) == list(case.after)
    zone.replace(WWW, old_records()[0])
    case.action.undo(world.context(case.params))
    assert zone.at(*NAMES) == before


@each_case
def test_a_vanished_record_is_foreign(case: Case, tmp_path: Path) -> None:
    zone, world = begun(case, tmp_path)
    zone.replace(API)
    assert case.action.probe(world.context(case.params)).verdict is Verdict.FOREIGN


@each_case
def test_a_call_in_doubt_is_settled_by_reading(case: Case, tmp_path: Path) -> None:
    zone, world = begun(case, tmp_path)

    def cut() -> None:
        raise AwsInDoubt("connection cut")

    zone.after_change = cut
    with pytest.raises(InDoubt):
        case.action.apply(world.context(case.params))
    assert case.action.probe(world.context(case.params)).verdict is Verdict.OURS


@each_case
def test_a_busy_zone_is_asked_again(case: Case, tmp_path: Path) -> None:
    zone, world = begun(case, tmp_path)
    busy = iter([True, True, False])

    def refuse() -> None:
        if next(busy):
            raise AwsRefused("busy", code="PriorRequestNotComplete")

    zone.before_change = refuse
    case.action.apply(world.context(case.params))
    assert zone.at(*NAMES) == list(case.after)


@each_case
def test_any_other_refusal_is_passed_on(case: Case, tmp_path: Path) -> None:
    zone, world = begun(case, tmp_path)

    def refuse() -> None:
        raise AwsRefused("no permission", code="AccessDenied")

    zone.before_change = refuse
    with pytest.raises(AwsRefused, match="no permission"):
        case.action.apply(world.context(case.params))
    assert world.notes.memory["sent"] is False
    assert case.action.probe(world.context(case.params)).verdict is Verdict.ABSENT


@pytest.mark.parametrize(
    ("records", "word"),
    [
        ([], "no record"),
        ([record(WWW, "A", 60, "203.0.113.1", "203.0.113.2")], "several values"),
        ([record(WWW, "A", 60, "203.0.113.1", SetIdentifier="a", Weight=10)], "routing policy"),
        ([record(WWW, "A", 60, "203.0.113.1", HealthCheckId="h")], "routing policy"),
        ([record(WWW, "A", 60, "203.0.113.1"), record(WWW, "AAAA", 60, "2001:db8::1")], "AAAA"),
        ([record(WWW, "A", 60, "203.0.113.1"), record(WWW, "HTTPS", 60, "1 .")], "HTTPS"),
        ([record(WWW, "NS", 60, "ns1.example.org")], "NS"),
    ],
)
@each_case
def test_what_cannot_be_moved_is_refused(
    case: Case, records: list[Record], word: str, tmp_path: Path
) -> None:
    zone = StrictRoute53(*old_records())
    zone.replace(WWW, *records)
    world = World(tmp_path, aws=zone)
    probe = case.action.probe(world.context(case.params))
    assert probe.verdict is Verdict.FOREIGN
    assert word in probe.evidence
    assert WWW in probe.evidence
    world.baseline = dict(probe.facts)
    with pytest.raises(Refused) as caught:
        case.action.apply(world.context(case.params))
    assert word in caught.value.detail
    with pytest.raises(Refused):
        case.action.preview(world.context(case.params))
    assert zone.batches == []


def test_a_name_outside_the_zone_is_refused(tmp_path: Path) -> None:
    world = World(tmp_path, aws=StrictRoute53())
    params = CutoverParams("Z1", ("www.badexample.com",), TARGET, "ZLB")
    assert "does not belong" in Cutover().probe(world.context(params)).evidence


def test_the_top_of_the_zone_keeps_its_mail(tmp_path: Path) -> None:
    mail = record("example.com", "MX", 300, "10 mail.example.net.")
    zone = StrictRoute53(record("example.com", "A", 300, "203.0.113.1"), mail)
    world = World(tmp_path, aws=zone)
    params = CutoverParams("Z1", ("example.com",), TARGET, "ZLB")
    before = zone.at("example.com")
    world.baseline = dict(Cutover().probe(world.context(params)).facts)
    Cutover().apply(world.context(params))
    assert alias("example.com") in zone.at("example.com")
    assert mail in zone.at("example.com")
    Cutover().undo(world.context(params))
    assert zone.at("example.com") == before


def test_cutover_says_before_and_after(tmp_path: Path) -> None:
    _, world = begun(CASES["cutover"], tmp_path)
    Cutover().apply(world.context(CUTOVER))
    found = Cutover().verify(world.context(CUTOVER))
    assert found.outputs["change_id"] == "C1"
    rows = {row["name"]: row for row in found.report["dns"]}
    assert rows[API]["before"] == "CNAME back.old.example.net (TTL 300 s)"
    assert TARGET in rows[API]["after"]
    json.dumps(found.outputs)


def test_undo_of_the_cutover_gives_back_the_lowered_record(tmp_path: Path) -> None:
    zone, lowering = begun(CASES["lower_ttl"], tmp_path)
    LowerTtl().apply(lowering.context(LOWER))
    lowered = zone.at(*NAMES)
    moving = World(tmp_path, aws=zone)
    moving.baseline = dict(Cutover().probe(moving.context(CUTOVER)).facts)
    Cutover().apply(moving.context(CUTOVER))
    Cutover().undo(moving.context(CUTOVER))
    assert zone.at(*NAMES) == lowered
    LowerTtl().undo(lowering.context(LOWER))
    assert zone.at(*NAMES) == sorted(old_records(), key=lambda r: r["Name"])


def test_lower_ttl_gives_the_earlier_ttl_to_wait_for(tmp_path: Path) -> None:
    _, world = begun(CASES["lower_ttl"], tmp_path)
    LowerTtl().apply(world.context(LOWER))
    assert LowerTtl().verify(world.context(LOWER)).outputs["previous_longest_ttl_seconds"] == 3600


def test_lower_ttl_with_nothing_to_do_says_why(tmp_path: Path) -> None:
    zone = StrictRoute53(record(WWW, "CNAME", 30, "front.old.example.net"), alias(API))
    world = World(tmp_path, aws=zone)
    probe = LowerTtl().probe(world.context(LOWER))
    assert probe.verdict is Verdict.ABSENT
    assert "nothing to change" in probe.evidence
    world.baseline = dict(probe.facts)
    LowerTtl().apply(world.context(LOWER))
    found = LowerTtl().verify(world.context(LOWER))
    assert found.ok
    assert {"an alias has no TTL of its own; resolvers keep it for 60 s", "its TTL was 30 s already"} <= {
        check.detail for check in found.checks
    }
    assert found.outputs["previous_longest_ttl_seconds"] == 60
    assert LowerTtl().probe(world.context(LOWER)).verdict is Verdict.OURS
    LowerTtl().undo(world.context(LOWER))
    assert LowerTtl().probe(world.context(LOWER)).verdict is Verdict.ABSENT
    assert zone.batches == []


@each_case
def test_after_a_refusal_the_step_can_be_undone_and_begun_anew(case: Case, tmp_path: Path) -> None:
    zone, world = begun(case, tmp_path)
    zone.before_change = lambda: zone.replace(API, record(API, "CNAME", 300, "elsewhere.example.org"))
    with pytest.raises(Refused):
        case.action.apply(world.context(case.params))
    zone.before_change = lambda: None
    case.action.undo(world.context(case.params))
    assert zone.batches == []
    world.baseline = {}
    world.baseline = dict(case.action.probe(world.context(case.params)).facts)
    case.action.apply(world.context(case.params))
    assert case.action.verify(world.context(case.params)).ok
    case.action.undo(world.context(case.params))
    assert zone.at(API) == [record(API, "CNAME", 300, "elsewhere.example.org")]


@each_case
def test_a_lost_change_id_is_not_replaced_by_an_older_one(case: Case, tmp_path: Path) -> None:
    zone, world = begun(case, tmp_path)
    case.action.apply(world.context(case.params))
    case.action.undo(world.context(case.params))

    def crash() -> None:
        raise Crash

    zone.after_change = crash
    with pytest.raises(Crash):
        case.action.apply(world.context(case.params))
    found = case.action.verify(world.context(case.params))
    assert not any("C1" in check.detail for check in found.checks)


def test_private_zones_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zone = StrictRoute53(*old_records())
    described: Mapping[str, Any] = {"HostedZone": {"Name": "example.com.", "Config": {"PrivateZone": True}}}
    monkeypatch.setattr(zone, "_get_hosted_zone", lambda Id: described)  # noqa: N803
    with pytest.raises(Refused, match="private"):
        Cutover().probe(World(tmp_path, aws=zone).context(CUTOVER))


def test_snapshot_keeps_the_whole_zone(tmp_path: Path) -> None:
    zone = StrictRoute53(*old_records(), record("mail.example.com", "A", 60, "203.0.113.25"))
    world = World(tmp_path, aws=zone)
    params = SnapshotParams("Z1", NAMES)
    found = Snapshot().verify(world.context(params))
    assert found.ok, found.checks
    file = Path(found.outputs["file"])
    assert file.stat().st_mode & 0o777 == 0o600
    assert hashlib.sha256(file.read_bytes()).hexdigest() == found.outputs["sha256"]
    kept = [RecordSet.from_json(each) for each in json.loads(file.read_text())["records"]]
    assert len(kept) == found.outputs["zone_records"] == 5
    assert found.outputs["longest_ttl_seconds"] == 3600
    assert Snapshot().verify(world.context(params)).outputs["file"] == str(file)
    zone.replace(API)
    changed = Snapshot().verify(world.context(params))
    assert not changed.ok
    assert changed.outputs["file"] != str(file)
    assert file.exists()


def test_records_survive_the_way_there_and_back() -> None:
    odd = record("\\052.example.com", "TXT", 60, '"a\\032b"', '"c"', SetIdentifier="x", Weight=0)
    read = from_route53(odd)
    assert read.name == "*.example.com"
    assert RecordSet.from_json(json.loads(json.dumps(read.to_json()))) == read
    assert to_route53(read) == {**odd, "Name": "*.example.com."}
    assert to_route53(from_route53(alias(API))) == alias(API)


def test_actions_are_well_formed() -> None:
    names = [action.spec.name for action in dns_cutover.ACTIONS]
    assert names == [f"dns_cutover.{name}" for name in ("snapshot", "lower_ttl", "cutover", "watch")]
    built = build(
        WatchParams, {"hosted_zone_id": "Z1", "names": ["a"], "target_dns_name": "b", "timeout": "5m"}
    )
    assert built.timeout == Seconds(300.0)
