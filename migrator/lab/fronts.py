"""Reverse proxies on loopback: the load balancer's listeners and the container services' public endpoints."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from migrator.lab.serving import LoopbackServer

UPSTREAM_SECONDS = 15.0
_HOP_HEADERS = {"connection", "keep-alive", "transfer-encoding", "upgrade", "proxy-connection", "te"}


@dataclass(frozen=True)
class Decision:
    """What to do with a request: pass it to one of `ports`, or answer `status` (with `location` for a redirect)."""

    ports: tuple[int, ...] = ()
    status: int = 503
    location: str | None = None
    body: str = ""


Decide = Callable[[str, str], Decision]
"""From host and path (with query) to a decision."""


@dataclass
class Front:
    """One listening front; `requests` counts what it answered, `by_status` how."""

    label: str
    decide: Decide
    context: ssl.SSLContext | None = None
    requests: int = 0
    by_status: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._turn = itertools.count()
        self._server = LoopbackServer(_bound_handler(self), self.label, self.context)
        self.port = self._server.port

    def set_context(self, context: ssl.SSLContext) -> None:
        """Use other certificates from now on."""
        if context is not self.context:
            self.context = context
            self._server.set_context(context)

    def stop(self) -> None:
        """Stop listening; open connections end."""
        self._server.stop()

    def count(self, status: int) -> None:
        """Remember one answer."""
        with self._lock:
            self.requests += 1
            self.by_status[status] = self.by_status.get(status, 0) + 1

    def pick(self, ports: tuple[int, ...]) -> int:
        """The next of the healthy ports, round robin."""
        return ports[next(self._turn) % len(ports)]


def _bound_handler(front: Front) -> type[BaseHTTPRequestHandler]:
    class Handler(_Proxy):
        """Requests of this front."""

    Handler.front = front
    return Handler


class _Proxy(BaseHTTPRequestHandler):
    front: Front
    protocol_version = "HTTP/1.1"
    _upstreams: dict[int, http.client.HTTPConnection]

    def setup(self) -> None:
        """One set of kept upstream connections a client connection."""
        super().setup()
        self._upstreams = {}

    def finish(self) -> None:
        """Close what was kept."""
        for connection in self._upstreams.values():
            connection.close()
        with contextlib.suppress(OSError, ValueError):
            super().finish()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Say nothing a request."""

    def do_GET(self) -> None:
        host = self.headers.get("Host", "").split(":")[0].lower()
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else b""
        decision = self.front.decide(host, self.path)
        if not decision.ports:
            headers = {"Location": decision.location} if decision.location else {}
            self._answer(decision.status, headers, decision.body.encode())
            return
        self._pass_on(self.front.pick(decision.ports), body)

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_GET  # noqa: N815

    def _pass_on(self, port: int, body: bytes) -> None:
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_HEADERS}
        headers["X-Forwarded-Proto"] = "https" if self.front.context else "http"
        kept = port in self._upstreams
        try:
            response, content = self._ask(port, body, headers)
        except (OSError, http.client.HTTPException) as error:
            self._drop(port)
            refused = isinstance(error, ConnectionRefusedError)
            # A kept connection that the application had closed: nothing was executed, one fresh try is safe for reads.
            if kept and not refused and self.command in ("GET", "HEAD"):
                with contextlib.suppress(OSError, http.client.HTTPException):
                    response, content = self._ask(port, body, headers)
                    self._relay(response, content)
                    return
            self._answer(504 if isinstance(error, TimeoutError) else 502, {}, b"")
            return
        self._relay(response, content)

    def _ask(self, port: int, body: bytes, headers: dict[str, str]) -> tuple[http.client.HTTPResponse, bytes]:
        connection = self._upstreams.get(port)
        if connection is None:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=UPSTREAM_SECONDS)
            self._upstreams[port] = connection
        connection.request(self.command, self.path, body=body or None, headers=headers)
        response = connection.getresponse()
        content = response.read()
        if response.will_close:
            self._drop(port)
        return response, content

    def _drop(self, port: int) -> None:
        connection = self._upstreams.pop(port, None)
        if connection is not None:
            connection.close()

    def _relay(self, response: http.client.HTTPResponse, content: bytes) -> None:
        headers = {
            name: value
            for name, value in response.getheaders()
            if name.lower() not in _HOP_HEADERS | {"content-length", "date", "server"}
        }
        self._answer(response.status, headers, content)

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.front.count(status)
        with contextlib.suppress(OSError):
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)
