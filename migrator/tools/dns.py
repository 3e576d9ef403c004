"""DNS over dnspython: each server is asked by itself, foreign exceptions stop here."""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Sequence

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.resolver

from migrator.contracts.dns import DnsAnswer, DnsFailed, DnsServer, DnsStatus
from migrator.contracts.surroundings import Surroundings
from migrator.sanitize import clean_line

_MAX_CHAIN = 8
_DNS_PORT = 53
_RCODES = {
    dns.rcode.NXDOMAIN: DnsStatus.NO_SUCH_NAME,
    dns.rcode.SERVFAIL: DnsStatus.SERVER_FAILURE,
    dns.rcode.REFUSED: DnsStatus.REFUSED,
    dns.rcode.NOTAUTH: DnsStatus.REFUSED,
}


class DnsClient:
    """`contracts.dns.Dns` for one run's surroundings."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings

    def ask(self, server: DnsServer, name: str, kind: str = "A", timeout: float = 3.0) -> DnsAnswer:
        """One server's own answer; see the contract."""
        started = time.monotonic()
        answer = _Answer(name, kind, server)
        try:
            wanted = dns.name.from_text(name)
            rdtype = dns.rdatatype.from_text(kind)
        except (dns.exception.DNSException, UnicodeError, ValueError) as error:
            return answer.failed(DnsStatus.BAD_ANSWER, f"not a question: {_words(error)}", started)
        for _ in range(_MAX_CHAIN):
            try:
                response = _exchange(dns.message.make_query(wanted, rdtype), server, timeout)
            except (dns.exception.Timeout, OSError) as error:
                return answer.failed(DnsStatus.NO_ANSWER, _words(error), started)
            except (dns.exception.DNSException, EOFError, ValueError) as error:
                return answer.failed(DnsStatus.BAD_ANSWER, _words(error), started)
            end = answer.take(response, wanted, rdtype)
            if end is None or answer.values:
                return answer.finished(response, started)
            wanted = end
        return answer.failed(DnsStatus.BAD_ANSWER, f"a chain of more than {_MAX_CHAIN} aliases", started)

    def authoritative(self, zone: str, name_servers: Sequence[str] = ()) -> tuple[DnsServer, ...]:
        """The servers of a zone; see the contract."""
        if self._surroundings.dns_authoritative is not None:
            return tuple(
                DnsServer(host, port, f"authoritative {host}:{port}")
                for host, port in self._surroundings.dns_authoritative
            )
        names = [n.rstrip(".").lower() for n in name_servers] or self._name_servers_of(zone)
        return tuple(
            DnsServer(self.resolve(name)[0], _DNS_PORT, f"authoritative {name}") for name in sorted(names)
        )

    def resolvers(self, public: Sequence[str] = ()) -> tuple[DnsServer, ...]:
        """The resolvers to ask; see the contract."""
        if self._surroundings.dns_resolvers is not None:
            return tuple(
                DnsServer(host, port, f"resolver {host}:{port}")
                for host, port in self._surroundings.dns_resolvers
            )
        system = [(host, f"resolver {host} (system)") for host in _system_resolvers()]
        known = {host for host, _ in system}
        more = [(host, f"resolver {host}") for host in dict.fromkeys(public) if host not in known]
        return tuple(DnsServer(host, _DNS_PORT, label) for host, label in [*system, *more])

    def resolve(self, name: str) -> tuple[str, ...]:
        """The addresses of a name; see the contract."""
        try:
            return (str(ipaddress.ip_address(name)),)
        except ValueError:
            pass
        if self._surroundings.dns_resolvers is None:
            return _system_addresses(name)
        answer: DnsAnswer | None = None
        for server in self.resolvers():
            for kind in ("A", "AAAA"):
                answer = self.ask(server, name, kind)
                if answer.values:
                    return answer.values
                if answer.status not in (DnsStatus.NO_DATA, DnsStatus.ANSWER):
                    break
            if answer is not None and answer.status is DnsStatus.NO_SUCH_NAME:
                break
        if answer is None:
            raise DnsFailed("there is no resolver to ask", status=DnsStatus.NO_ANSWER, where=name)
        raise DnsFailed(
            f"{answer.server.label} gave no address: {answer.describe()}", status=answer.status, where=name
        )

    def _name_servers_of(self, zone: str) -> list[str]:
        tried = []
        for server in self.resolvers():
            answer = self.ask(server, zone, "NS")
            if answer.values:
                return [value.rstrip(".").lower() for value in answer.values]
            tried.append(f"{server.label}: {answer.describe()}")
        raise DnsFailed(
            "the name servers of the zone were not found",
            status=DnsStatus.NO_DATA,
            where=zone,
            detail="\n".join(tried),
            next="check that the zone is delegated by its registrar",
        )


class _Answer:
    """Gathers one server's answer over the links of a chain."""

    def __init__(self, name: str, kind: str, server: DnsServer) -> None:
        self.name, self.kind, self.server = name.rstrip(".").lower(), kind, server
        self.values: tuple[str, ...] = ()
        self._chain: list[str] = []
        self._ttls: list[int] = []

    def take(
        self, response: dns.message.Message, wanted: dns.name.Name, rdtype: dns.rdatatype.RdataType
    ) -> dns.name.Name | None:
        """Takes one response in; the name at which the chain goes on, None where it ends here."""
        name = wanted
        for _ in range(_MAX_CHAIN):
            found = response.get_rrset(dns.message.ANSWER, name, dns.rdataclass.IN, rdtype)
            if found is not None:
                self._ttls.append(found.ttl)
                self.values = tuple(sorted(clean_line(rdata.to_text()) for rdata in found))
                return None
            alias = response.get_rrset(dns.message.ANSWER, name, dns.rdataclass.IN, dns.rdatatype.CNAME)
            if alias is None:
                break
            self._ttls.append(alias.ttl)
            name = alias[0].target
            self._chain.append(clean_line(name.to_text(omit_final_dot=True)).lower())
        return name if name != wanted and response.rcode() == dns.rcode.NOERROR else None

    def finished(self, response: dns.message.Message, started: float) -> DnsAnswer:
        rcode = response.rcode()
        if self.values or (self._chain and rcode in (dns.rcode.NOERROR, dns.rcode.REFUSED)):
            return self._answer(DnsStatus.ANSWER, "", started)
        if rcode == dns.rcode.NOERROR:
            return self._answer(DnsStatus.NO_DATA, "", started)
        status = _RCODES.get(rcode, DnsStatus.BAD_ANSWER)
        if self._chain and status is DnsStatus.NO_SUCH_NAME and response.flags & dns.flags.AA:
            # An authoritative server of a parent of the target has no say over a zone it does not hold.
            return self._answer(DnsStatus.ANSWER, "", started)
        return self._answer(status, f"rcode {dns.rcode.to_text(rcode)}", started)

    def failed(self, status: DnsStatus, detail: str, started: float) -> DnsAnswer:
        return self._answer(status, detail, started)

    def _answer(self, status: DnsStatus, detail: str, started: float) -> DnsAnswer:
        return DnsAnswer(
            self.name,
            self.kind,
            self.server,
            status,
            values=self.values,
            chain=tuple(self._chain),
            ttl=min(self._ttls, default=None),
            seconds=round(time.monotonic() - started, 3),
            detail=detail,
        )


def _exchange(query: dns.message.QueryMessage, server: DnsServer, timeout: float) -> dns.message.Message:
    try:
        return dns.query.udp(
            query, server.address, timeout=timeout, port=server.port, raise_on_truncation=True
        )
    except (dns.message.Truncated, dns.exception.Timeout):
        return dns.query.tcp(query, server.address, timeout=timeout, port=server.port)


def _system_resolvers() -> list[str]:
    try:
        return [str(server) for server in dns.resolver.Resolver().nameservers]
    except (dns.exception.DNSException, OSError):
        return []


def _system_addresses(name: str) -> tuple[str, ...]:
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        missing = getattr(error, "errno", None) in (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", None))
        status = DnsStatus.NO_SUCH_NAME if missing else DnsStatus.NO_ANSWER
        raise DnsFailed(f"no address was found: {_words(error)}", status=status, where=name) from error
    return tuple(dict.fromkeys(str(each[4][0]) for each in found))


def _words(error: BaseException) -> str:
    return clean_line(str(error)) or type(error).__name__
