"""The lab's control server: routes, traffic, the final reckoning, the end."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

from migrator.lab.serving import LoopbackServer

Answer = tuple[int, dict[str, Any]]


@dataclass(frozen=True)
class Questions:
    """What the control server can be asked; `stop` is called, answered, and then `leave`."""

    route: Callable[[str, int], int | None]
    traffic: Callable[[], dict[str, Any]]
    finish: Callable[[], dict[str, Any]]
    violations: Callable[[], list[dict[str, Any]]]
    health: Callable[[], dict[str, Any]]
    stop: Callable[[], list[str]]
    leave: Callable[[], None]


class ControlServer:
    """Serves the questions on a free loopback port to whoever has the token."""

    def __init__(self, questions: Questions, token: str) -> None:
        class Handler(_Handler):
            """Requests of this lab."""

        Handler.questions = questions
        Handler.token = token
        self._server = LoopbackServer(Handler, "control")
        self.port = self._server.port

    def stop(self) -> None:
        """Stop listening."""
        self._server.stop()


class _Handler(BaseHTTPRequestHandler):
    questions: Questions
    token: str
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Say nothing a request."""

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        given = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(), self.token.encode()):
            self._reply(403, {"error": "the lab's token is missing"})
            return
        try:
            status, document = self._answer(url.path, parse_qs(url.query))
        except Exception as error:  # noqa: BLE001 - the edge of this server: the caller is told
            status, document = 500, {"error": f"{type(error).__name__}: {error}"}
        self._reply(status, document)
        if (self.command, url.path) == ("POST", "/stop") and status == 200:
            self.questions.leave()

    do_POST = do_GET  # noqa: N815

    def _answer(self, path: str, query: dict[str, list[str]]) -> Answer:
        asked = (self.command, path)
        if asked == ("GET", "/route"):
            port = self.questions.route(query.get("host", [""])[0], int(query.get("port", ["0"])[0]))
            if port is None:
                return 404, {"error": "leads nowhere"}
            return 200, {"host": "127.0.0.1", "port": port}
        if asked == ("GET", "/traffic"):
            return 200, self.questions.traffic()
        if asked == ("POST", "/finish"):
            return 200, self.questions.finish()
        if asked == ("GET", "/violations"):
            return 200, {"violations": self.questions.violations()}
        if asked == ("GET", "/health"):
            return 200, self.questions.health()
        if asked == ("POST", "/stop"):
            return 200, {"leftovers": self.questions.stop()}
        return 404, {"error": "no such question"}

    def _reply(self, status: int, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
