"""A small HTTP client over the standard library: one request, verified TLS, a deadline, a bounded body."""

from __future__ import annotations

import http.client
import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from migrator.contracts.dns import Dns, DnsFailed
from migrator.contracts.http import (
    MAX_BODY_BYTES,
    HttpInDoubt,
    HttpNotSent,
    HttpRequest,
    HttpResponse,
    TlsFacts,
    TlsRefused,
)
from migrator.contracts.surroundings import Surroundings
from migrator.errors import Refused
from migrator.sanitize import clean_line
from migrator.secrets import REDACTOR, Secret

_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.:-]{0,252}[A-Za-z0-9_.])?")
_CHUNK_BYTES = 65_536


class HttpClient:
    """`contracts.http.Http` for one run's surroundings."""

    def __init__(self, surroundings: Surroundings, dns: Dns) -> None:
        self._reach = surroundings.reach
        self._ca_file = surroundings.ca_file
        self._dns = dns
        self._context: ssl.SSLContext | None = None

    def send(self, request: HttpRequest) -> HttpResponse:
        """Sends one request once; see the contract."""
        body, headers = _wire(request)
        port = request.port or (443 if request.scheme == "https" else 80)
        started = time.monotonic()
        where = str(request)
        with (
            self._connected(request.host, port, request.via, request.timeout, where) as (raw, address),
            _deadline(raw, request.timeout - (time.monotonic() - started)) as expired,
        ):
            sock = self._secured(raw, request.host, where) if request.scheme == "https" else raw
            # http.client speaks the protocol over the connection that was made and checked here.
            connection = http.client.HTTPConnection(request.host, port)
            connection.sock = sock
            try:
                connection.putrequest(request.method, request.path, skip_host=True, skip_accept_encoding=True)
                for name, value in headers.items():
                    connection.putheader(name, value)
                connection.endheaders(body)
                response = connection.getresponse()
                content, cut = _bounded(response)
                if expired.is_set():
                    raise TimeoutError("the deadline passed")
            except (OSError, http.client.HTTPException, ValueError) as error:
                reason = f"no whole answer in {request.timeout:g} s" if expired.is_set() else _words(error)
                raise HttpInDoubt(f"the answer did not arrive: {reason}", where=where) from error
            finally:
                sock.close()
        return HttpResponse(
            status=response.status,
            headers={clean_line(k).lower(): clean_line(v) for k, v in response.getheaders()},
            body=content,
            cut=cut,
            seconds=round(time.monotonic() - started, 4),
            address=address,
        )

    def tls(self, host: str, *, port: int = 443, via: str = "", timeout: float = 10.0) -> TlsFacts:
        """Facts of the verified connection; see the contract."""
        where = f"TLS of {host}:{port}" + (f" via {via}" if via else "")
        with (
            self._connected(host, port, via, timeout, where) as (raw, address),
            self._secured(raw, host, where) as sock,
        ):
            return _facts(sock, address)

    @contextmanager
    def _connected(
        self, host: str, port: int, via: str, timeout: float, where: str
    ) -> Iterator[tuple[socket.socket, str]]:
        """A TCP connection to the first address that accepts one, and that address as DNS named it."""
        for name in (host, via or host):
            if not _HOST.fullmatch(name):
                raise HttpNotSent("this is not a host name", where=clean_line(name))
        try:
            addresses = self._dns.resolve(via or host)
        except DnsFailed as error:
            raise HttpNotSent("the name was not resolved", where=where, detail=str(error)) from error
        until = time.monotonic() + timeout
        tried = []
        for address in addresses:
            try:
                target = self._reach.route(address, port)
                raw = socket.create_connection(target, timeout=max(until - time.monotonic(), 0.05))
            except (OSError, Refused) as error:
                tried.append(f"{address}:{port}: {_words(error)}")
                continue
            try:
                raw.settimeout(max(until - time.monotonic(), 0.05))
                yield raw, address
            finally:
                raw.close()
            return
        raise HttpNotSent("no connection", where=where, detail="\n".join(tried))

    def _secured(self, raw: socket.socket, host: str, where: str) -> ssl.SSLSocket:
        if self._context is None:
            self._context = ssl.create_default_context()
            if self._ca_file is not None:
                self._context.load_verify_locations(self._ca_file)
        try:
            return self._context.wrap_socket(raw, server_hostname=host)
        except ssl.SSLCertVerificationError as error:
            raise TlsRefused(
                f"the certificate is not valid for {host}: {clean_line(error.verify_message)}", where=where
            ) from error
        except (OSError, ValueError) as error:
            raise TlsRefused(f"the TLS handshake failed: {_words(error)}", where=where) from error


def _wire(request: HttpRequest) -> tuple[bytes | None, dict[str, str]]:
    """Body and headers as they go on the wire, secrets revealed."""
    headers = {
        "Host": _host_header(request),
        "User-Agent": "migrator",
        "Accept": "*/*",
        "Connection": "close",
    }
    body = None
    if request.json is not None:
        body = json.dumps(request.json, default=_reveal).encode()
        headers |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
    elif request.method not in ("GET", "HEAD", "DELETE", "OPTIONS"):
        headers["Content-Length"] = "0"
    headers |= {k: v.reveal() if isinstance(v, Secret) else v for k, v in request.headers.items()}
    for name, value in headers.items():
        if any(c in "\r\n\0" for c in name + value) or not value.isascii():
            raise HttpNotSent(f"the header {clean_line(name)!r} cannot be sent", where=str(request))
    if not re.fullmatch(r"/[!-~]*", request.path) or not re.fullmatch(r"[A-Z]+", request.method):
        raise HttpNotSent("path or method cannot be sent", where=clean_line(str(request)))
    return body, headers


def _host_header(request: HttpRequest) -> str:
    default = 443 if request.scheme == "https" else 80
    return request.host if request.port in (None, default) else f"{request.host}:{request.port}"


def _reveal(value: Any) -> Any:
    if isinstance(value, Secret):
        return value.reveal()
    raise TypeError(f"{type(value).__name__} is not JSON")


@contextmanager
def _deadline(raw: socket.socket, seconds: float) -> Iterator[threading.Event]:
    """Ends the connection when the whole exchange takes too long, however busily the other side drips."""
    expired = threading.Event()

    def end() -> None:
        expired.set()
        try:
            raw.shutdown(socket.SHUT_RDWR)
        except OSError:
            return

    timer = threading.Timer(max(seconds, 0.05), end)
    timer.daemon = True
    timer.start()
    try:
        yield expired
    finally:
        timer.cancel()


def _bounded(response: http.client.HTTPResponse) -> tuple[bytes, bool]:
    content = bytearray()
    while len(content) <= MAX_BODY_BYTES:
        chunk = response.read(_CHUNK_BYTES)
        if not chunk:
            if response.length:
                raise http.client.IncompleteRead(bytes(content), response.length)
            return bytes(content), False
        content += chunk
    return bytes(content[:MAX_BODY_BYTES]), True


def _facts(sock: ssl.SSLSocket, address: str) -> TlsFacts:
    found: Any = sock.getpeercert() or {}
    return TlsFacts(
        issuer=_distinguished(found.get("issuer", ())),
        subject=_distinguished(found.get("subject", ())),
        names=tuple(clean_line(value) for _, value in found.get("subjectAltName", ())),
        not_before=datetime.fromtimestamp(ssl.cert_time_to_seconds(found["notBefore"]), UTC),
        not_after=datetime.fromtimestamp(ssl.cert_time_to_seconds(found["notAfter"]), UTC),
        protocol=sock.version() or "",
        address=address,
    )


def _distinguished(name: Any) -> str:
    return clean_line(", ".join(f"{key}={value}" for part in name for key, value in part))


def _words(error: BaseException) -> str:
    return REDACTOR.scrub(clean_line(str(error))) or type(error).__name__
