"""A client of the registry protocol (`/v2/`) over urllib3: reads and writes blobs and manifests."""

from __future__ import annotations

import base64
import json
import re
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import IO, Any, Protocol
from urllib.parse import quote, urlencode, urljoin, urlsplit

import urllib3

from migrator.contracts.surroundings import Reach
from migrator.errors import CredentialsError, InDoubt, Refused, StepError
from migrator.sanitize import clean_line
from migrator.secrets import REDACTOR, Secret
from migrator.tools.images.manifests import ACCEPT, MAX_MANIFEST_BYTES, Descriptor

_TIMEOUT = urllib3.Timeout(connect=10, read=120)
_MAX_REDIRECTS = 3
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
_HTTPS_PORT, _HTTP_PORT = 443, 80


class Readable(Protocol):
    """What an upload reads from."""

    def read(self, size: int = -1, /) -> bytes:
        """The next piece; empty at the end."""
        ...


class Connections:
    """Connection pools by address. Routes go through `Reach`; the name in TLS stays the one asked for."""

    def __init__(self, reach: Reach, ca_file: Path | None) -> None:
        self._reach = reach
        self._ca_file = ca_file
        self._pools: dict[tuple[str, str, int], urllib3.HTTPConnectionPool] = {}
        self._lock = threading.Lock()

    def pool(self, scheme: str, host: str, port: int) -> urllib3.HTTPConnectionPool:
        """The pool for an address; made once."""
        with self._lock:
            key = (scheme, host, port)
            if key not in self._pools:
                self._pools[key] = self._make(scheme, host, port)
            return self._pools[key]

    def _make(self, scheme: str, host: str, port: int) -> urllib3.HTTPConnectionPool:
        address, routed_port = self._reach.route(host, port)
        settings: dict[str, Any] = {"timeout": _TIMEOUT, "retries": False, "maxsize": 4}
        if scheme == "http":
            return urllib3.HTTPConnectionPool(address, routed_port, **settings)
        context = ssl.create_default_context()
        if self._ca_file is not None:
            context.load_verify_locations(self._ca_file)
        return urllib3.HTTPSConnectionPool(
            address, routed_port, ssl_context=context, server_hostname=host, assert_hostname=host, **settings
        )


class RegistryClient:
    """One repository of one registry. Credentials go to that host alone, never along a redirect."""

    def __init__(
        self,
        connections: Connections,
        host: str,
        name: str,
        username: str = "",
        password: Secret | None = None,
    ) -> None:
        self.where = f"{host}/{name}"
        self._connections = connections
        # Registries on this machine speak HTTP, as every engine assumes.
        local = host.split(":")[0] in {"localhost", "127.0.0.1"}
        self._base = f"{'http' if local else 'https'}://{host}"
        self._name = name
        self._authorization = _basic(username, password) if password else None
        self._given = self._authorization

    def manifest(self, reference: str) -> tuple[bytes, str] | None:
        """Bytes and media type under a tag or digest; None when there is none."""
        answer = self._ask("GET", f"/v2/{self._name}/manifests/{reference}", {"Accept": ACCEPT})
        if answer.status == HTTPStatus.NOT_FOUND:
            return None
        self._expect(answer, "read a manifest", HTTPStatus.OK)
        if len(answer.data) > MAX_MANIFEST_BYTES:
            raise Refused("the manifest is too large", where=self.where)
        return answer.data, answer.headers.get("Content-Type", "").split(";")[0].strip()

    def has(self, blob: Descriptor) -> bool:
        """Whether the registry holds this blob."""
        answer = self._ask("HEAD", f"/v2/{self._name}/blobs/{blob.digest}")
        if answer.status == HTTPStatus.NOT_FOUND:
            return False
        self._expect(answer, "look for a blob", HTTPStatus.OK)
        return True

    def put_blob(self, blob: Descriptor, content: Readable) -> None:
        """Uploads one blob in a single request; `content` is read in pieces and may raise."""
        answer = self._ask("POST", f"/v2/{self._name}/blobs/uploads/", {"Content-Length": "0"})
        self._expect(answer, "begin an upload", HTTPStatus.ACCEPTED)
        place = answer.headers.get("Location", "")
        separator = "&" if "?" in place else "?"
        target = f"{place}{separator}{urlencode({'digest': blob.digest})}"
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(blob.size)}
        answer = self._ask("PUT", target, headers, body=content)
        self._expect(answer, "upload a blob", HTTPStatus.CREATED)

    def put_manifest(self, reference: str, content: bytes, media_type: str) -> None:
        """Puts a manifest under a tag or digest. `InDoubt` when the registry's answer did not come."""
        path = f"/v2/{self._name}/manifests/{quote(reference, safe=':')}"
        answer = self._ask("PUT", path, {"Content-Type": media_type}, body=content)
        self._expect(answer, "put a manifest", HTTPStatus.CREATED)

    @contextmanager
    def blob(self, digest: str) -> Iterator[IO[bytes]]:
        """A blob's content as a stream; where the registry redirects to its storage, that is followed."""
        answer = self._ask("GET", f"/v2/{self._name}/blobs/{digest}", stream=True)
        try:
            for _ in range(_MAX_REDIRECTS):
                place = answer.get_redirect_location()
                if not place:
                    break
                answer.drain_conn()
                answer = self._send("GET", str(place), {}, None, stream=True)
            self._expect(answer, "read a blob", HTTPStatus.OK)
            yield answer  # type: ignore[misc]  # a response is a readable stream
        finally:
            answer.close()

    def _ask(
        self,
        method: str,
        place: str,
        headers: Mapping[str, str] | None = None,
        body: Any = None,
        stream: bool = False,
    ) -> urllib3.BaseHTTPResponse:
        """One request; a challenge for a bearer token is answered once, before any body was sent."""
        answer = self._send(method, place, headers or {}, body, stream)
        challenge = answer.headers.get("WWW-Authenticate", "")
        if answer.status != HTTPStatus.UNAUTHORIZED or not challenge.lower().startswith("bearer "):
            return answer
        if body is not None and not isinstance(body, bytes):
            return answer
        answer.drain_conn()
        self._authorization = self._bearer(dict(_CHALLENGE.findall(challenge)))
        return self._send(method, place, headers or {}, body, stream)

    def _send(
        self, method: str, place: str, headers: Mapping[str, str], body: Any, stream: bool
    ) -> urllib3.BaseHTTPResponse:
        url = urlsplit(urljoin(self._base, place))
        host, port = url.hostname or "", url.port or (_HTTPS_PORT if url.scheme == "https" else _HTTP_PORT)
        sent = dict(headers) | {"Host": url.netloc, "User-Agent": "migrator"}
        if self._authorization and f"{url.scheme}://{url.netloc}" == self._base:
            sent["Authorization"] = self._authorization
        target = url.path + (f"?{url.query}" if url.query else "")
        try:
            return self._connections.pool(url.scheme, host, port).request(
                method, target, body=body, headers=sent, redirect=False, preload_content=not stream
            )
        except urllib3.exceptions.HTTPError as error:
            raise self._translated(error, changes=method == "PUT") from error
        except OSError as error:
            raise Refused("the registry cannot be reached", where=self.where, detail=str(error)) from error

    def _translated(self, error: Exception, changes: bool) -> StepError:
        detail = clean_line(REDACTOR.scrub(str(error)), 500)
        not_sent = isinstance(
            error, urllib3.exceptions.NewConnectionError | urllib3.exceptions.ConnectTimeoutError
        )
        if not_sent or not changes or "CERTIFICATE_VERIFY_FAILED" in detail:
            return Refused("the registry does not answer", where=self.where, detail=detail)
        return InDoubt("the connection to the registry was cut", where=self.where, detail=detail)

    def _bearer(self, challenge: Mapping[str, str]) -> str:
        realm = challenge.get("realm", "")
        if not realm.startswith("https://") and not self._base.startswith("http://"):
            raise CredentialsError("the registry sends its token seeker to an unsafe place", where=self.where)
        asked = {name: challenge[name] for name in ("service", "scope") if name in challenge}
        headers = {"Authorization": self._given} if self._given else {}
        url = urlsplit(realm)
        port = url.port or (_HTTPS_PORT if url.scheme == "https" else _HTTP_PORT)
        pool = self._connections.pool(url.scheme, url.hostname or "", port)
        try:
            answer = pool.request(
                "GET", f"{url.path}?{urlencode(asked)}", headers=headers | {"Host": url.netloc}
            )
            found = json.loads(answer.data)
            token = Secret(str(found.get("token") or found["access_token"]))
        except (urllib3.exceptions.HTTPError, ValueError, KeyError, AttributeError) as error:
            raise CredentialsError("the registry gives no token", where=self.where) from error
        return f"Bearer {token.reveal()}"

    def _expect(self, answer: urllib3.BaseHTTPResponse, what: str, *statuses: int) -> None:
        if answer.status in statuses:
            return
        detail = clean_line(REDACTOR.scrub(answer.data[:2_000].decode(errors="replace")), 500)
        if answer.status == HTTPStatus.UNAUTHORIZED:
            raise CredentialsError(
                f"the registry does not accept the credentials to {what}",
                where=self.where,
                detail=detail,
                next="log in to that registry, then `migrator resume`",
            )
        kind = InDoubt if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR else Refused
        raise kind(f"the registry refused to {what}: HTTP {answer.status}", where=self.where, detail=detail)


def _basic(username: str, password: Secret) -> str:
    encoded = base64.b64encode(f"{username}:{password.reveal()}".encode()).decode()
    return f"Basic {Secret(encoded).reveal()}"
