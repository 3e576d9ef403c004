"""Two DNS servers on loopback: one authoritative for the emulated zones, one that caches and honours TTLs."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
import time
from collections.abc import Callable
from typing import Any

from dnslib import QTYPE, RCODE, RR, DNSRecord

from migrator.lab.names import Names, Record

Answer = Callable[[DNSRecord], DNSRecord]
_MOST_UDP_BYTES = 1232


class Authority:
    """Answers from the emulated zones and the fronts' own names; refuses everything else."""

    def __init__(self, names: Names) -> None:
        self._names = names

    def __call__(self, request: DNSRecord) -> DNSRecord:
        """The authoritative answer to one question."""
        reply = request.reply(ra=0, aa=1)
        name, kind = str(request.q.qname), QTYPE[request.q.qtype]
        if not self._names.authoritative_for(name):
            reply.header.rcode = RCODE.REFUSED
            reply.header.aa = 0
            return reply
        for _ in range(8):
            exists, records = self._names.rrset(name, kind)
            _add(reply, records)
            if not records:
                if not exists and not reply.rr:
                    reply.header.rcode = RCODE.NXDOMAIN
                soa = self._names.soa(str(request.q.qname))
                if soa:
                    reply.add_auth(*RR.fromZone(_line(soa, soa.ttl)))
                return reply
            if records[0].type == kind or records[0].type != "CNAME":
                return reply
            name = records[0].value
        return reply


class Resolver:
    """A caching resolver: what it has once learnt it repeats until the record's time to live is over."""

    def __init__(self, names: Names, negative_ttl_seconds: int) -> None:
        self._names = names
        self._negative_ttl = negative_ttl_seconds
        self._cache: dict[tuple[str, str], tuple[float, bool, list[Record]]] = {}
        self._lock = threading.Lock()

    def __call__(self, request: DNSRecord) -> DNSRecord:
        """The answer a client gets now, with the seconds that each record has left."""
        reply = request.reply(ra=1, aa=0)
        name, kind = str(request.q.qname), QTYPE[request.q.qtype]
        for _ in range(8):
            left, exists, records = self._ask(name, kind)
            _add(reply, records, left)
            if not records:
                if not exists:
                    reply.header.rcode = RCODE.NXDOMAIN
                return reply
            if records[0].type == kind or records[0].type != "CNAME":
                return reply
            name = records[0].value
        return reply

    def _ask(self, name: str, kind: str) -> tuple[int, bool, list[Record]]:
        now = time.monotonic()
        key = (name.lower().rstrip("."), kind)
        with self._lock:
            known = self._cache.get(key)
            if known and known[0] > now:
                return round(known[0] - now), known[1], known[2]
        exists, records = self._names.rrset(name, kind)
        ttl = min((record.ttl for record in records), default=self._negative_ttl)
        with self._lock:
            self._cache[key] = (now + ttl, exists, records)
        return ttl, exists, records


class DnsServer:
    """Serves one answerer over UDP and TCP on the same free port of 127.0.0.1."""

    def __init__(self, answer: Answer, label: str) -> None:
        self._udp, self._tcp = _bind_pair(answer)
        self.port: int = self._udp.server_address[1]
        for server in (self._udp, self._tcp):
            thread = threading.Thread(
                target=server.serve_forever, args=(5,), name=f"dns-{label}", daemon=True
            )
            thread.start()

    def stop(self) -> None:
        """Stop answering."""
        for server in (self._udp, self._tcp):
            threading.Thread(target=server.shutdown, daemon=True).start()
            server.server_close()


def _bind_pair(answer: Answer) -> tuple[socketserver.UDPServer, socketserver.TCPServer]:
    for _ in range(20):
        udp = _Udp(("127.0.0.1", 0), _UdpHandler)
        udp.answer = answer
        with contextlib.suppress(OSError):
            tcp = _Tcp(("127.0.0.1", udp.server_address[1]), _TcpHandler)
            tcp.answer = answer
            return udp, tcp
        udp.server_close()
    raise OSError("no free port for UDP and TCP")


class _Udp(socketserver.UDPServer):
    answer: Answer


class _Tcp(socketserver.ThreadingTCPServer):
    answer: Answer
    daemon_threads = True
    allow_reuse_address = True


class _UdpHandler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        data, connection = self.request
        packed = _respond(self.server, data)
        if packed is None:
            return
        if len(packed) > _MOST_UDP_BYTES:
            packed = DNSRecord.parse(packed).truncate().pack()
        with contextlib.suppress(OSError):
            connection.sendto(packed, self.client_address)


class _TcpHandler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.request.settimeout(10)
        with contextlib.suppress(OSError):
            while size := _exactly(self.request, 2):
                data = _exactly(self.request, int.from_bytes(size, "big"))
                packed = _respond(self.server, data) if data else None
                if packed is None:
                    return
                self.request.sendall(len(packed).to_bytes(2, "big") + packed)


def _respond(server: Any, data: bytes) -> bytes | None:
    try:
        request = DNSRecord.parse(data)
    except Exception:  # noqa: BLE001 - dnslib raises many kinds for a malformed packet; it is dropped
        return None
    return bytes(server.answer(request).pack())


def _exactly(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = connection.recv(count - len(data))
        if not piece:
            return b""
        data += piece
    return data


def _add(reply: DNSRecord, records: list[Record], left: int | None = None) -> None:
    for record in records:
        reply.add_answer(*RR.fromZone(_line(record, record.ttl if left is None else left)))


def _line(record: Record, ttl: int) -> str:
    value = record.value
    if record.type in ("CNAME", "NS", "PTR") and not value.endswith("."):
        value += "."
    return f"{record.name} {ttl} IN {record.type} {value}"
