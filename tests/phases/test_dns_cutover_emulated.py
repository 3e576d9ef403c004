"""The whole cutover on an emulated Route 53 and a real name server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from migrator.contracts.action import Verdict
from migrator.contracts.params import Seconds
from migrator.tools.aws import BotoAws
from migrator.tools.dns import DnsClient
from phases.dns_cutover.cutover import Cutover, CutoverParams
from phases.dns_cutover.lower_ttl import LowerTtl, LowerTtlParams
from phases.dns_cutover.snapshot import Snapshot, SnapshotParams
from phases.dns_cutover.watch import Watch, WatchParams
from tests.phases.zone_doubles import World, record
from tests.tools.aws_servers import moto_server, surroundings
from tests.tools.name_servers import NameServer, name_server

pytestmark = pytest.mark.engine

WWW, API = "www.example.com", "api.example.com"
NAMES = (WWW, API)
TARGET = "lb-1.us-west-2.elb.example.net"


@pytest.fixture
def exact_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Route 53's own batches (whole or not at all, a moment until in sync), taken out again at the end."""
    from moto.route53 import models, responses

    from migrator.lab.aws import batches

    changed = (
        (models.Route53Backend, "change_resource_record_sets"),
        (responses.Route53, "change_resource_record_sets"),
        (responses.Route53, "get_change"),
        (responses.Route53, "create_hosted_zone"),
    )
    for owner, name in changed:
        monkeypatch.setattr(owner, name, getattr(owner, name))
    batches.install(0.2)


@pytest.fixture
def endpoint() -> Iterator[str]:
    with moto_server() as found:
        yield found


@pytest.fixture
def servers() -> Iterator[NameServer]:
    with name_server() as found:
        yield found


def _zone(aws: BotoAws) -> str:
    made = aws.call("route53", "create_hosted_zone", Name="example.com", CallerReference="1")
    zone_id = str(made["HostedZone"]["Id"])
    records = (record(WWW, "CNAME", 3600, "front.example.net"), record(API, "CNAME", 300, "back.example.net"))
    changes = [{"Action": "CREATE", "ResourceRecordSet": each} for each in records]
    aws.call("route53", "change_resource_record_sets", HostedZoneId=zone_id, ChangeBatch={"Changes": changes})
    return zone_id


def _begin(world: World, action: Any, params: Any) -> None:
    world.baseline = {}
    probe = action.probe(world.context(params))
    assert probe.verdict is Verdict.ABSENT, probe.evidence
    world.baseline = dict(probe.facts)


def test_the_whole_cutover_and_back(
    exact_batches: None, endpoint: str, servers: NameServer, tmp_path: Path
) -> None:
    around = surroundings(
        endpoint,
        dns_authoritative=(("127.0.0.1", servers.port),),
        dns_resolvers=(("127.0.0.1", servers.port),),
    )
    aws, dns = BotoAws(around), DnsClient(around)
    zone_id = _zone(aws)

    def world(name: str) -> World:
        folder = tmp_path / name
        folder.mkdir()
        return World(folder, aws=aws, dns=dns)

    looking = world("snapshot")
    found = Snapshot().verify(looking.context(SnapshotParams(zone_id, NAMES)))
    assert found.ok, found.checks

    lowering, lower = world("lower"), LowerTtlParams(zone_id, NAMES, 60)
    _begin(lowering, LowerTtl(), lower)
    LowerTtl().apply(lowering.context(lower))
    found = LowerTtl().verify(lowering.context(lower))
    assert found.ok, found.checks
    assert found.outputs["previous_longest_ttl_seconds"] == 3600

    moving, move = world("move"), CutoverParams(zone_id, NAMES, TARGET, "Z1H1FL5HABSF5")
    _begin(moving, Cutover(), move)
    for _ in range(2):
        Cutover().apply(moving.context(move))
        assert Cutover().probe(moving.context(move)).verdict is Verdict.OURS
        found = Cutover().verify(moving.context(move))
        assert found.ok, found.checks
        assert found.outputs["change_id"]
        Cutover().undo(moving.context(move))
        assert Cutover().probe(moving.context(move)).verdict is Verdict.ABSENT
    LowerTtl().undo(lowering.context(lower))
    assert LowerTtl().probe(lowering.context(lower)).verdict is Verdict.ABSENT

    watching = world("watch")
    watch = WatchParams(zone_id, NAMES, TARGET, Seconds(20.0))
    servers.records[(TARGET, "A")] = (60, ["203.0.113.80"])
    for name in NAMES:
        servers.records[(name, "CNAME")] = (60, ["old.example.net."])

    def moved() -> None:
        for each in NAMES:
            servers.records.pop((each, "CNAME"), None)
            servers.records[(each, "A")] = (60, ["203.0.113.80"])

    watching.notes.on_sleep = moved
    found = Watch().verify(watching.context(watch))
    assert found.ok, found.checks
    assert len(found.outputs["seconds"]) == 2
