"""The lab's parts that need no process: spec, names, rules, figures, ledger, guard, images."""

from __future__ import annotations

import hashlib
import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from migrator.lab import balancer, guard
from migrator.lab.figures import Figures, Outage
from migrator.lab.fronts import Decision
from migrator.lab.images import write_layout
from migrator.lab.ledger import Ledger, reconcile
from migrator.lab.names import Names, Target
from migrator.lab.spec import SpecError, spec_from
from migrator.lab.standins import user_data_values


@pytest.mark.parametrize(
    ("document", "named"),
    [
        ({"domian": "example.com"}, "domian"),
        ({"dns_ttl_seconds": "5"}, "dns_ttl_seconds"),
        ({"dns_ttl_seconds": -1}, "dns_ttl_seconds"),
        ({"traffic": {"client": 3}}, "traffic.client"),
        ({"traffic": {"enabled": 1}}, "traffic.enabled"),
        ({"database": 7}, "database"),
    ],
)
def test_a_wrong_spec_is_refused_by_key(document: dict[str, Any], named: str) -> None:
    with pytest.raises(SpecError, match=named.replace(".", r"\.")):
        spec_from(document)


def test_a_spec_has_defaults_and_takes_values() -> None:
    spec = spec_from({"domain": "example.org", "traffic": {"clients": 3}})
    assert (spec.api_host, spec.traffic.clients, spec.account) == ("api.example.org", 3, "111122223333")


def _zone(*records: dict[str, Any]) -> list[dict[str, Any]]:
    whole = [
        {"weight": None, "set_identifier": None, "alias": None, "values": [], **entry} for entry in records
    ]
    return [{"id": "Z1", "name": "example.com.", "private": False, "records": whole}]


def test_names_follow_cname_and_alias_to_a_port() -> None:
    names = Names(alias_ttl_seconds=3)
    names.publish("old.host.test", Target("old", "o", {443: 1111}))
    names.publish("new.elb.test", Target("new", "n", {443: 2222, 80: 2223}), addresses=2)
    names.set_zones(
        _zone(
            {"name": "api.example.com.", "type": "CNAME", "ttl": 60, "values": ["old.host.test"]},
            {"name": "www.example.com.", "type": "A", "ttl": None, "alias": "dualstack.new.elb.test."},
        )
    )
    exists, records = names.rrset("API.example.com", "A")
    assert exists
    assert [(record.type, record.ttl, record.value) for record in records] == [("CNAME", 60, "old.host.test")]
    _, records = names.rrset("www.example.com.", "A")
    assert [record.ttl for record in records] == [3, 3]
    assert {names.route(record.value, 80) for record in records} == {2223}
    assert names.final_target("api.example.com") == Target("old", "o", {443: 1111})
    assert names.route("new.elb.test", 443) == 2222
    assert names.route("new.elb.test", 22) is None
    names.withdraw("new.elb.test")
    assert names.rrset("www.example.com", "A") == (True, [])
    assert names.rrset("nowhere.example.com", "A") == (False, [])


def test_weights_choose_and_zero_is_never_chosen() -> None:
    names = Names(1)
    entry = {"name": "api.example.com.", "type": "A", "ttl": 1}
    names.set_zones(
        _zone(
            {**entry, "values": ["203.0.113.200"], "weight": 0, "set_identifier": "a"},
            {**entry, "values": ["203.0.113.201"], "weight": 5, "set_identifier": "b"},
        )
    )
    assert {names.rrset("api.example.com", "A")[1][0].value for _ in range(50)} == {"203.0.113.201"}


LISTENER = {
    "rules": [
        {
            "priority": "default",
            "conditions": [],
            "actions": [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}],
        },
        {
            "priority": 20,
            "conditions": [{"Field": "host-header", "HostHeaderConfig": {"Values": ["*.example.com"]}}],
            "actions": [{"Type": "forward", "TargetGroupArn": "front"}],
        },
        {
            "priority": 10,
            "conditions": [
                {"Field": "host-header", "Values": ["api.example.com"]},
                {"Field": "path-pattern", "Values": ["/api/*"]},
            ],
            "actions": [{"Type": "forward", "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": "back"}]}}],
        },
    ]
}


@pytest.mark.parametrize(
    ("host", "path", "decision"),
    [
        ("api.example.com", "/api/v1", Decision(ports=(1, 2))),
        ("api.example.com", "/other", Decision(ports=(3,))),
        ("example.net", "/", Decision(status=404)),
    ],
)
def test_listener_rules_by_priority(host: str, path: str, decision: Decision) -> None:
    ports = {"back": (1, 2), "front": (3,)}
    assert balancer.decide(LISTENER, lambda arn: ports[arn], host, path) == decision


def test_no_healthy_target_is_503_and_redirect_keeps_path_and_query() -> None:
    assert balancer.decide(LISTENER, lambda _: (), "www.example.com", "/").status == 503
    redirect = {
        "Type": "redirect",
        "RedirectConfig": {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"},
    }
    listener = {"rules": [{"priority": "default", "conditions": [], "actions": [redirect]}]}
    found = balancer.decide(listener, lambda _: (), "www.example.com", "/a?b=1")
    assert (found.status, found.location) == (301, "https://www.example.com/a?b=1")


def test_outage_counts_from_the_first_failed_to_the_next_good_write() -> None:
    outage = Outage()
    for succeeded, started, ended in [
        (True, 0.0, 0.1),
        (False, 1.0, 1.1),
        (True, 0.9, 1.2),  # began before the failure: proves nothing about the time after it
        (False, 2.0, 2.1),
        (True, 3.0, 3.5),
        (False, 5.0, 5.1),
    ]:
        outage.write(succeeded, started, ended)
    assert outage.seconds == pytest.approx(2.5)
    assert outage.until(6.0) == pytest.approx(3.5)
    assert outage.intervals == 1


def test_figures_hold_a_second_by_second_time_line() -> None:
    figures = Figures(100.0)
    figures.request(write=True, failure="", served_by="old", started=100.1, ended=100.2)
    figures.request(write=True, failure="status 503", served_by="old", started=101.1, ended=101.2)
    figures.request(write=False, failure="", served_by="new", started=102.0, ended=102.5)
    document = figures.document(103.0)
    assert [(entry["ok"], entry["failed"]) for entry in document["timeline"]] == [(1, 0), (0, 1), (1, 0)]
    assert document["failures"] == {"status 503": 1}
    assert document["served_by"] == {"old": 2, "new": 1}
    assert document["unavailable_seconds"] == pytest.approx(1.9)
    assert len(figures.document(103.0, last_seconds=1)["timeline"]) == 1


def test_the_ledger_finds_lost_doubled_and_unknown_writes(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger")
    for reference in "abcde":
        ledger.sent(reference)
    for reference in "abc":
        ledger.acknowledged(reference, "old")
    found = reconcile(tmp_path / "ledger", {"a": 1, "b": 2, "d": 1, "foreign": 9})
    assert (found.acknowledged, found.found, found.lost, found.duplicated) == (3, 2, 1, 1)
    assert (found.unknown, found.unknown_found, found.lost_ids) == (2, 1, ["c"])


def test_user_data_is_read_by_known_keys_only() -> None:
    text = "#!/bin/bash\nTOKEN=x\ncat <<'EOF'\nSERVICE=backend\nPORT=3000\nIMAGE=r/i@sha256:1\nEOF\nSERVICE=frontend\n"
    assert user_data_values(text) == {"SERVICE": "backend", "PORT": "3000", "IMAGE": "r/i@sha256:1"}


def test_an_image_layout_is_whole_and_the_same_every_time(tmp_path: Path) -> None:
    one = write_layout(tmp_path / "one", "backend", 40_000)
    other = write_layout(tmp_path / "other", "backend", 40_000)
    assert one.digest == other.digest
    for blob in (one.layout / "blobs" / "sha256").iterdir():
        assert hashlib.sha256(blob.read_bytes()).hexdigest() == blob.name
    manifest = json.loads((one.layout / "blobs" / "sha256" / one.digest.removeprefix("sha256:")).read_text())
    assert len(manifest["layers"]) == 4


def test_the_guard_refuses_and_records_what_leaves_loopback(tmp_path: Path) -> None:
    file = tmp_path / "violations"
    program = (
        "import socket, sys\nfrom pathlib import Path\nfrom migrator.lab import guard\n"
        "guard.install_from_environment()\n"
        "for address in (('203.0.113.9', 443), ('127.0.0.1', 1)):\n"
        "    try: socket.create_connection(address, 0.2)\n"
        "    except guard.OutsideContactError: print('refused')\n"
        "    except OSError: print('tried')\n"
        "try: socket.getaddrinfo('example.com', 443)\n"
        "except guard.OutsideContactError: print('refused')\n"
    )
    environment = {guard.GUARD_VARIABLE: str(file), "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["refused", "tried", "refused"]
    assert [entry["target"] for entry in guard.violations(file)] == ["203.0.113.9", "example.com"]
    assert socket.gethostname()  # this process has no guard
