"""Watching a switch spread: never green without the new answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from migrator.contracts.dns import DnsStatus
from migrator.contracts.params import Seconds
from phases.dns_cutover.watch import Watch, WatchParams
from tests.phases.zone_doubles import API, WWW, ScriptedDns, StrictRoute53, World, old_records

NAMES = (WWW, API)
TARGET = "lb-1.us-west-2.elb.example.net"
WATCH = WatchParams("Z1", NAMES, f"{TARGET}.", Seconds(300.0), ("203.0.113.8",))
NEW = (DnsStatus.ANSWER, (), ("203.0.113.80",))
OLD = (DnsStatus.ANSWER, ("back.old.example.net",), ("203.0.113.9",))


def watched(tmp_path: Path) -> tuple[ScriptedDns, World]:
    dns = ScriptedDns(("ns1",), ("local",))
    dns.answers[("*", TARGET)] = (DnsStatus.ANSWER, (), ("203.0.113.80", "203.0.113.81"))
    for name in NAMES:
        dns.answers[("*", name)] = NEW
    return dns, World(tmp_path, aws=StrictRoute53(*old_records()), dns=dns)


def test_watch_measures_each_server(tmp_path: Path) -> None:
    dns, world = watched(tmp_path)
    dns.answers[("203.0.113.8", API)] = OLD
    started = world.clock.now()

    def expire() -> None:
        if (world.clock.now() - started).total_seconds() > 40:
            dns.answers.pop(("203.0.113.8", API), None)

    world.notes.on_sleep = expire
    found = Watch().verify(world.context(WATCH))
    assert found.ok, found.checks
    seconds = found.outputs["seconds"]
    assert set(seconds) == {"ns1", "local", "203.0.113.8"}
    assert seconds["ns1"] == 0
    assert 40 < seconds["203.0.113.8"] < 60
    assert len(dns.asked) < 100, "it asks politely"


@pytest.mark.parametrize(
    "answer",
    [
        OLD,
        (DnsStatus.ANSWER, (), ("203.0.113.80", "203.0.113.9")),
        (DnsStatus.NO_ANSWER, (), ()),
        (DnsStatus.SERVER_FAILURE, (), ()),
        (DnsStatus.NO_SUCH_NAME, (), ()),
        (DnsStatus.NO_DATA, (), ()),
        (DnsStatus.ANSWER, (), ()),
    ],
)
def test_watch_is_never_green_without_the_new_answer(answer: Any, tmp_path: Path) -> None:
    dns, world = watched(tmp_path)
    dns.answers[("local", WWW)] = answer
    found = Watch().verify(world.context(WATCH))
    assert not found.ok
    assert [check.name for check in found.checks if not check.ok] == [f"local leads {WWW} to the new target"]
    assert "local" not in found.outputs["seconds"]


def test_watch_sees_a_server_fall_back(tmp_path: Path) -> None:
    dns, world = watched(tmp_path)
    dns.answers[("ns1", API)] = OLD
    world.notes.on_sleep = lambda: dns.answers.update({("ns1", API): NEW, ("local", WWW): OLD})
    found = Watch().verify(world.context(WATCH))
    assert [check.name for check in found.checks if not check.ok] == [f"local leads {WWW} to the new target"]


def test_watch_accepts_a_chain_to_the_target(tmp_path: Path) -> None:
    dns, world = watched(tmp_path)
    del dns.answers[("*", TARGET)]
    for name in NAMES:
        dns.answers[("*", name)] = (DnsStatus.ANSWER, (TARGET,), ())
    assert Watch().verify(world.context(WATCH)).ok


def test_watch_without_addresses_of_the_target_is_not_green(tmp_path: Path) -> None:
    dns, world = watched(tmp_path)
    del dns.answers[("*", TARGET)]
    assert not Watch().verify(world.context(WATCH)).ok
