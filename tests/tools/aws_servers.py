"""Servers that stand for AWS in tests: moto in process, and a listener with a fixed answer."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from migrator.contracts.surroundings import Surroundings
from migrator.secrets import Secret

ACCOUNT = "123456789012"
REGION = "us-west-2"


class Direct:
    """Every address is reached directly."""

    def route(self, host: str, port: int) -> tuple[str, int]:
        """The same address."""
        return host, port


def surroundings(endpoint: str, account: str = ACCOUNT, **more: Any) -> Surroundings:
    """Surroundings that lead to a test server, with credentials that mean nothing."""
    return Surroundings(
        account=account,
        region=REGION,
        reach=more.pop("reach", Direct()),
        aws_endpoint=endpoint,
        aws_credentials=("AKIAIOSFODNN7EXAMPLE", Secret("test-secret-access-key")),
        **more,
    )


@contextmanager
def moto_server() -> Iterator[str]:
    """The endpoint of a fresh in-process moto that knows Lightsail too."""
    from moto.server import ThreadedMotoServer

    from migrator.lab.aws.adapters import register_lightsail

    register_lightsail()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        reset(f"http://{host}:{port}")
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def reset(endpoint: str) -> None:
    """Forgets everything that moto holds."""
    import urllib.request

    request = urllib.request.Request(f"{endpoint}/moto-api/reset", method="POST")
    urllib.request.urlopen(request, timeout=10).close()


Answer = Callable[[BaseHTTPRequestHandler, bytes], tuple[int, dict[str, str], bytes] | None]


@contextmanager
def answering(answer: Answer, tls: ssl.SSLContext | None = None) -> Iterator[tuple[str, list[str]]]:
    """A server whose every answer `answer` gives (None: the connection is cut), and the requests it saw."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            target = self.headers.get("X-Amz-Target", "")
            seen.append(f"{self.command} {self.path} {target}".strip())
            given = answer(self, body)
            if given is None:
                self.close_connection = True
                return
            status, headers, content = given
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = do_HEAD = do_DELETE = _serve  # noqa: N815 - http.server's names

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def aws_json_error(status: int, code: str, message: str) -> tuple[int, dict[str, str], bytes]:
    """An error answer of the JSON protocol."""
    headers = {"Content-Type": "application/x-amz-json-1.1"}
    return status, headers, json.dumps({"__type": code, "message": message}).encode()
