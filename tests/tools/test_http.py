"""The HTTP tool against a real TLS server on loopback."""

from __future__ import annotations

import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from migrator.contracts.dns import DnsFailed, DnsStatus
from migrator.contracts.http import MAX_BODY_BYTES, HttpInDoubt, HttpNotSent, HttpRequest, TlsRefused
from migrator.contracts.surroundings import Surroundings
from migrator.errors import Refused
from migrator.secrets import Secret
from migrator.tools.dns import DnsClient
from migrator.tools.http import HttpClient
from tests.tools.tls_servers import Authority, authority, reply, web_server

ADDRESS = "203.0.113.80"


class _Names(DnsClient):
    """Knows two names."""

    def resolve(self, name: str) -> tuple[str, ...]:
        if name in ("api.example.com", "lb.example.net"):
            return ("203.0.113.79", ADDRESS)
        raise DnsFailed("unknown", status=DnsStatus.NO_SUCH_NAME, where=name)


class _Routes:
    """Leads one address to a loopback port; the others go nowhere."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.asked: list[tuple[str, int]] = []

    def route(self, host: str, port: int) -> tuple[str, int]:
        self.asked.append((host, port))
        if host != ADDRESS:
            raise Refused("no route", where=host)
        return "127.0.0.1", self.port


def client(port: int, ca_file: Path | None = None) -> HttpClient:
    surroundings = Surroundings("111122223333", "us-west-2", _Routes(port), ca_file=ca_file)
    return HttpClient(surroundings, _Names(surroundings))


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("authority"))


def _echo(handler: BaseHTTPRequestHandler, body: bytes) -> None:
    reply(
        handler,
        302 if handler.path == "/moved" else 200,
        handler.command.encode() + b" " + str(handler.headers).encode() + body,
        {"Location": "https://elsewhere.example.com/", "X-Odd": "a\x1b[2Jb"},
    )


def test_tls_host_address_and_no_redirect(signer: Authority) -> None:
    with web_server(_echo, signer.issue("api.example.com")) as port:
        response = client(port, signer.file).send(HttpRequest("api.example.com", "/moved"))
    assert response.status == 302
    assert response.address == ADDRESS
    assert "Host: api.example.com" in response.text
    assert response.headers["x-odd"] == "ab"
    assert response.seconds > 0


def test_via_another_name_keeps_sni_and_host(signer: Authority) -> None:
    with web_server(_echo, signer.issue("new.example.com")) as port:
        request = HttpRequest("new.example.com", via="lb.example.net")
        response = client(port, signer.file).send(request)
    assert "Host: new.example.com" in response.text


def test_json_and_headers_reveal_secrets_on_the_wire_only(signer: Authority) -> None:
    request = HttpRequest(
        "api.example.com",
        method="POST",
        json={"user": {"password": Secret("canary-one")}, "n": 1},
        headers={"Authorization": Secret("Bearer canary-two")},
    )
    assert "canary" not in repr(request) + str(request)
    with web_server(_echo, signer.issue("api.example.com")) as port:
        response = client(port, signer.file).send(request)
    assert b'{"user": {"password": "canary-one"}, "n": 1}' in response.body
    assert b"Bearer canary-two" in response.body
    assert "canary" not in response.text + repr(response)


def test_tls_facts(signer: Authority) -> None:
    with web_server(_echo, signer.issue("api.example.com", days=10)) as port:
        facts = client(port, signer.file).tls("api.example.com")
    assert facts.issuer == "commonName=Throw-away Authority"
    assert facts.names == ("api.example.com",)
    assert facts.protocol == "TLSv1.3"
    assert facts.not_after.utcoffset() is not None


@pytest.mark.parametrize(
    ("issued_for", "days", "trusted", "word"),
    [
        ("other.example.com", 90, True, "mismatch"),
        ("api.example.com", -1, True, "expired"),
        ("api.example.com", 90, False, "issuer"),
    ],
)
def test_untrusted_certificates_are_refused(
    signer: Authority, issued_for: str, days: float, trusted: bool, word: str
) -> None:
    with web_server(_echo, signer.issue(issued_for, days)) as port:
        tool = client(port, signer.file if trusted else None)
        with pytest.raises(TlsRefused, match=word):
            tool.tls("api.example.com")
        with pytest.raises(TlsRefused, match=word):
            tool.send(HttpRequest("api.example.com"))


def test_plain_http_is_not_tls() -> None:
    with web_server(_echo) as port:
        tool = client(port)
        assert tool.send(HttpRequest("api.example.com", scheme="http")).status == 200
        with pytest.raises(TlsRefused):
            tool.send(HttpRequest("api.example.com"))


def test_nobody_there_and_no_such_name() -> None:
    with web_server(_echo) as port:
        pass
    with pytest.raises(HttpNotSent, match="no connection") as caught:
        client(port).send(HttpRequest("api.example.com", scheme="http"))
    assert ADDRESS in caught.value.detail
    with pytest.raises(HttpNotSent, match="not resolved"):
        client(port).send(HttpRequest("nowhere.example.com"))


@pytest.mark.parametrize(
    "request_",
    [
        HttpRequest("api.example.com", path="/a b"),
        HttpRequest("api.example.com", path="/a\r\nX: y"),
        HttpRequest("api.example.com", headers={"X": "a\r\nY: b"}),
        HttpRequest("api.example.com\r\nX: y"),
        HttpRequest("api.example.com", method="GET / HTTP/1.1\r\n"),
    ],
)
def test_smuggling_is_refused(request_: HttpRequest) -> None:
    with pytest.raises(HttpNotSent):
        client(1).send(request_)


def test_bodies_are_bounded() -> None:
    def much(handler: BaseHTTPRequestHandler, body: bytes) -> None:
        reply(handler, 200, b"x" * (MAX_BODY_BYTES + 5))

    with web_server(much) as port:
        response = client(port).send(HttpRequest("api.example.com", scheme="http"))
    assert response.cut
    assert len(response.body) == MAX_BODY_BYTES
    with pytest.raises(ValueError, match="longer"):
        response.json()


def _drip(handler: BaseHTTPRequestHandler, _: bytes) -> None:
    handler.send_response(200)
    handler.end_headers()
    for _n in range(30):
        handler.wfile.write(b"x")
        handler.wfile.flush()
        time.sleep(0.1)


def _half(handler: BaseHTTPRequestHandler, _: bytes) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "100")
    handler.end_headers()
    handler.wfile.write(b"half")


def _silent(handler: BaseHTTPRequestHandler, _: bytes) -> None:
    time.sleep(1.0)


@pytest.mark.parametrize("answering", [_drip, _half, _silent])
def test_half_answers_are_in_doubt_and_in_time(answering: Any) -> None:
    with web_server(answering) as port:
        started = time.monotonic()
        with pytest.raises(HttpInDoubt):
            client(port).send(HttpRequest("api.example.com", scheme="http", timeout=0.4))
        assert time.monotonic() - started < 1.0
