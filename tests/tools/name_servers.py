"""A small authoritative name server on loopback, its records changed while it runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dnslib
from dnslib.server import BaseResolver, DNSLogger, DNSServer

from migrator.contracts.dns import DnsServer


class NameServer(BaseResolver):  # type: ignore[misc]
    """Answers from `records`: (name, type) to (ttl, values). Names in `rcodes` get that rcode."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], tuple[int, list[str]]] = {}
        self.rcodes: dict[str, int] = {}
        self.silent_udp = False
        self.asked: list[str] = []
        self.port = 0

    def resolve(self, request: Any, handler: Any) -> Any:
        name, kind = str(request.q.qname).rstrip(".").lower(), dnslib.QTYPE[request.q.qtype]
        self.asked.append(f"{handler.protocol} {name} {kind}")
        reply = request.reply()
        if handler.protocol == "udp" and self.silent_udp:
            time.sleep(0.5)
        if name in self.rcodes:
            reply.header.rcode = self.rcodes[name]
            return reply
        if not any(known == name for known, _ in self.records):
            reply.header.rcode = dnslib.RCODE.NXDOMAIN
            return reply
        for _ in range(8):
            found = self.records.get((name, kind)) or self.records.get((name, "CNAME"))
            if found is None:
                break
            actual = kind if (name, kind) in self.records else "CNAME"
            for value in found[1]:
                reply.add_answer(*dnslib.RR.fromZone(f"{name}. {found[0]} IN {actual} {value}"))
            if actual == kind:
                break
            name = found[1][0].rstrip(".").lower()
        return reply

    @property
    def server(self) -> DnsServer:
        return DnsServer("127.0.0.1", self.port, f"test {self.port}")


@contextmanager
def name_server() -> Iterator[NameServer]:
    """A name server that runs inside the block, on one port for UDP and TCP."""
    zone = NameServer()
    servers = _bound(zone)
    zone.port = servers[0].server.server_address[1]
    threads = [threading.Thread(target=each.server.serve_forever, args=(0.02,)) for each in servers]
    for thread in threads:
        thread.start()
    try:
        yield zone
    finally:
        for each, thread in zip(servers, threads, strict=True):
            each.server.shutdown()
            each.server.server_close()
            thread.join()


def _bound(zone: NameServer) -> tuple[DNSServer, DNSServer]:
    """A TCP and a UDP server on one port; another port where the first is taken by somebody's UDP."""
    quiet = DNSLogger(logf=lambda line: None)
    for _ in range(20):
        tcp = DNSServer(zone, address="127.0.0.1", port=0, tcp=True, logger=quiet)
        try:
            port = tcp.server.server_address[1]
            return tcp, DNSServer(zone, address="127.0.0.1", port=port, logger=quiet)
        except OSError:
            tcp.server.server_close()
    raise OSError("no port is free for both UDP and TCP")
