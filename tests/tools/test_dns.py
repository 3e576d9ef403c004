"""The DNS tool against real answers on loopback."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import dnslib
import pytest

from migrator.contracts.dns import DnsFailed, DnsServer, DnsStatus
from migrator.contracts.surroundings import Surroundings
from migrator.tools.dns import DnsClient
from tests.tools.name_servers import NameServer, name_server


class _Direct:
    def route(self, host: str, port: int) -> tuple[str, int]:
        return host, port


def client(*resolvers: DnsServer, authoritative: tuple[tuple[str, int], ...] | None = None) -> DnsClient:
    addresses = tuple((r.address, r.port) for r in resolvers) or None
    return DnsClient(
        Surroundings(
            "111122223333",
            "us-west-2",
            _Direct(),
            dns_resolvers=addresses,
            dns_authoritative=authoritative,
        )
    )


@pytest.fixture
def zone() -> Iterator[NameServer]:
    with name_server() as served:
        yield served


def test_addresses_chain_and_smallest_ttl(zone: NameServer) -> None:
    zone.records[("www.example.com", "CNAME")] = (300, ["Old.Example.NET."])
    zone.records[("old.example.net", "A")] = (30, ["203.0.113.9", "203.0.113.10"])
    answer = client().ask(zone.server, "WWW.example.com.")
    assert answer.status is DnsStatus.ANSWER
    assert answer.values == ("203.0.113.10", "203.0.113.9")
    assert answer.chain == ("old.example.net",)
    assert answer.ttl == 30
    assert "TTL 30 s" in answer.describe()


def test_chain_that_leaves_the_zone_is_an_answer(zone: NameServer) -> None:
    zone.records[("www.example.com", "CNAME")] = (300, ["old.example.net."])
    zone.rcodes["old.example.net"] = dnslib.RCODE.REFUSED
    answer = client().ask(zone.server, "www.example.com")
    assert (answer.status, answer.chain, answer.values) == (DnsStatus.ANSWER, ("old.example.net",), ())


@pytest.mark.parametrize(
    ("rcode", "status"),
    [
        (dnslib.RCODE.NXDOMAIN, DnsStatus.NO_SUCH_NAME),
        (dnslib.RCODE.SERVFAIL, DnsStatus.SERVER_FAILURE),
        (dnslib.RCODE.REFUSED, DnsStatus.REFUSED),
        (dnslib.RCODE.NOERROR, DnsStatus.NO_DATA),
        (dnslib.RCODE.FORMERR, DnsStatus.BAD_ANSWER),
    ],
)
def test_kinds_of_no_are_told_apart(zone: NameServer, rcode: int, status: DnsStatus) -> None:
    zone.rcodes["www.example.com"] = rcode
    answer = client().ask(zone.server, "www.example.com")
    assert answer.status is status
    assert not answer.values


def test_a_failing_resolver_behind_a_chain_is_no_answer(zone: NameServer) -> None:
    zone.records[("www.example.com", "CNAME")] = (300, ["old.example.net."])
    zone.rcodes["old.example.net"] = dnslib.RCODE.SERVFAIL
    assert client().ask(zone.server, "www.example.com").status is DnsStatus.SERVER_FAILURE


def test_silence_on_udp_is_asked_again_by_tcp(zone: NameServer) -> None:
    zone.records[("www.example.com", "A")] = (60, ["203.0.113.9"])
    zone.silent_udp = True
    answer = client().ask(zone.server, "www.example.com", timeout=0.2)
    assert answer.values == ("203.0.113.9",)
    assert zone.asked[-1].startswith("tcp")


def test_long_answers_come_by_tcp(zone: NameServer) -> None:
    zone.records[("www.example.com", "A")] = (60, [f"203.0.113.{n}" for n in range(1, 200)])
    assert len(client().ask(zone.server, "www.example.com").values) == 199


def test_nobody_there_is_no_answer() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
        closed.bind(("127.0.0.1", 0))
        server = DnsServer("127.0.0.1", closed.getsockname()[1], "silent")
        assert client().ask(server, "www.example.com", timeout=0.1).status is DnsStatus.NO_ANSWER


def test_a_loop_of_aliases_ends(zone: NameServer) -> None:
    zone.records[("a.example.com", "CNAME")] = (1, ["b.example.com."])
    zone.records[("b.example.com", "CNAME")] = (1, ["a.example.com."])
    assert client().ask(zone.server, "a.example.com").status is not DnsStatus.NO_ANSWER
    assert not client().ask(zone.server, "a.example.com").values


def test_a_bad_name_is_no_crash(zone: NameServer) -> None:
    assert client().ask(zone.server, f"{'x' * 70}.example.com").status is DnsStatus.BAD_ANSWER


def test_resolve_through_the_surroundings(zone: NameServer) -> None:
    zone.records[("www.example.com", "CNAME")] = (1, ["old.example.net."])
    zone.records[("old.example.net", "A")] = (1, ["203.0.113.9"])
    tool = client(zone.server)
    assert tool.resolve("www.example.com") == ("203.0.113.9",)
    assert tool.resolve("203.0.113.7") == ("203.0.113.7",)
    with pytest.raises(DnsFailed) as caught:
        tool.resolve("nowhere.example.com")
    assert caught.value.status is DnsStatus.NO_SUCH_NAME


def test_resolve_tries_the_next_resolver(zone: NameServer) -> None:
    zone.records[("www.example.com", "A")] = (1, ["203.0.113.9"])
    with name_server() as broken:
        broken.rcodes["www.example.com"] = dnslib.RCODE.SERVFAIL
        assert client(broken.server, zone.server).resolve("www.example.com") == ("203.0.113.9",)


def test_resolve_as_the_system_does(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "127.0.0.1" in client().resolve("localhost")

    def fails(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fails)
    with pytest.raises(DnsFailed) as caught:
        client().resolve("nowhere.example.com")
    assert caught.value.status is DnsStatus.NO_SUCH_NAME


def test_servers_of_a_zone(zone: NameServer) -> None:
    zone.records[("example.com", "NS")] = (60, ["ns2.example.net.", "ns1.example.net."])
    zone.records[("ns1.example.net", "A")] = (60, ["203.0.113.1"])
    zone.records[("ns2.example.net", "A")] = (60, ["203.0.113.2"])
    tool = client(zone.server)
    expected = ["203.0.113.1", "203.0.113.2"]
    assert [s.address for s in tool.authoritative("example.com")] == expected
    assert [s.address for s in tool.authoritative("example.com", ["ns1.example.net"])] == expected[:1]
    pinned = client(zone.server, authoritative=(("127.0.0.1", 5353),))
    assert [(s.address, s.port) for s in pinned.authoritative("example.com")] == [("127.0.0.1", 5353)]
    with pytest.raises(DnsFailed):
        tool.authoritative("example.org")


def test_public_resolvers_are_added_to_the_systems_only(
    zone: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("migrator.tools.dns._system_resolvers", lambda: ["203.0.113.53"])
    found = client().resolvers(["203.0.113.53", "203.0.113.54"])
    assert [s.address for s in found] == ["203.0.113.53", "203.0.113.54"]
    assert len({s.label for s in found}) == 2
    assert [s.port for s in client(zone.server).resolvers(["203.0.113.54"])] == [zone.port]
