"""HTTP and TLS checks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

from migrator.errors import InDoubt, Refused
from migrator.sanitize import clean
from migrator.secrets import REDACTOR, Secret

MAX_BODY_BYTES = 1_048_576


class HttpNotSent(Refused):
    """The request was never sent: no address, no connection, or no trusted TLS."""


class TlsRefused(HttpNotSent):
    """The TLS handshake failed: the certificate is not trusted, expired, or for another name."""


class HttpInDoubt(InDoubt):
    """The request was sent, or part of it, and no whole answer came back."""


@dataclass(frozen=True)
class HttpRequest:
    """One request. The name in `host` is what TLS and the Host header say; `via` is a name or address to
    connect to in its place. `port` None means the scheme's own.

    `json` may hold `Secret`s at any depth, `headers` as values; both are revealed only on the wire.
    """

    host: str
    path: str = "/"
    method: str = "GET"
    scheme: Literal["https", "http"] = "https"
    port: int | None = None
    via: str = ""
    headers: Mapping[str, str | Secret] = field(default_factory=dict)
    json: Any = None
    timeout: float = 10.0

    def __str__(self) -> str:
        way = f" via {self.via}" if self.via else ""
        return f"{self.method} {self.scheme}://{self.host}{self.path}{way}"


@dataclass(frozen=True)
class HttpResponse:
    """A whole answer; redirects are not followed. `headers` have lower-case names. `body` is raw and at most
    `MAX_BODY_BYTES`; `cut` says that more came. `seconds` from connecting to the last byte; `address` is what
    DNS answered (not where a route led).
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    cut: bool
    seconds: float
    address: str

    @property
    def text(self) -> str:
        """The body as sanitised and scrubbed text."""
        return REDACTOR.scrub(clean(self.body.decode("utf-8", "replace")))

    def json(self) -> Any:
        """The body as JSON; `ValueError` when it is none. Strings in it are raw: clean them before showing."""
        if self.cut:
            raise ValueError(f"the answer is longer than {MAX_BODY_BYTES} bytes")
        try:
            return json.loads(self.body)
        except RecursionError as error:
            raise ValueError("the answer is nested too deeply") from error


@dataclass(frozen=True)
class TlsFacts:
    """A verified certificate and its connection. `not_after` in UTC; `names` are its subject alternative names."""

    issuer: str
    subject: str
    names: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    protocol: str
    address: str


class Http(Protocol):
    """A small client: no redirects, no cookies, no repeats. Server certificates are always verified."""

    def send(self, request: HttpRequest) -> HttpResponse:
        """Sends one request once. `HttpNotSent`, `TlsRefused` or `HttpInDoubt`."""
        ...

    def tls(self, host: str, *, port: int = 443, via: str = "", timeout: float = 10.0) -> TlsFacts:
        """Facts of the verified TLS connection for `host`. `HttpNotSent`, `TlsRefused` or `HttpInDoubt`."""
        ...
