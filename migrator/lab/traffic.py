"""The application's users: a process of clients that read and write through DNS and TLS all the time.

Run as `python -m migrator.lab.traffic CONFIG`, CONFIG a private JSON file (see `main`). SIGTERM ends it: clients try
for a few seconds more to have their last write acknowledged, then the final figures are written.
"""

from __future__ import annotations

import http.client
import json
import random
import signal
import socket
import ssl
import sys
import threading
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dnslib import QTYPE, DNSRecord

from migrator.lab import guard
from migrator.lab.authority import write_private
from migrator.lab.children import follow_parent
from migrator.lab.client import LabClient
from migrator.lab.figures import Figures
from migrator.lab.ledger import Ledger

REQUEST_SECONDS = 5.0
LAST_WRITE_SECONDS = 5.0
LIVE_TIMELINE_SECONDS = 120
NOTE = "lab"


class Unreachable(OSError):
    """No address, or nothing behind it."""


@dataclass
class World:
    """What every client shares."""

    api_host: str
    www_host: str
    resolver_port: int
    lab: LabClient
    context: ssl.SSLContext
    figures: Figures
    ledger: Ledger
    stopping: threading.Event


class HostConnection:
    """One kept TLS connection to a host name; looked up again when the answer's time to live is over."""

    def __init__(self, world: World, host: str) -> None:
        self._world = world
        self._host = host
        self._address = ""
        self._fresh_until = 0.0
        self._connection: http.client.HTTPSConnection | None = None

    def request(
        self, method: str, path: str, headers: dict[str, str], body: bytes | None
    ) -> tuple[int, str, bytes]:
        """Status, who served, and content; raises OSError or HTTPException."""
        if time.monotonic() >= self._fresh_until:
            address, ttl = lookup(self._world.resolver_port, self._host)
            if address != self._address:
                self.close()
            self._address, self._fresh_until = address, time.monotonic() + ttl
        if self._connection is None:
            self._connection = self._connect()
        try:
            self._connection.request(method, path, body=body, headers=headers)
            response = self._connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException):
            self.close()
            raise
        if response.will_close:
            self.close()
        return response.status, response.getheader("X-Served-By") or "", content

    def close(self) -> None:
        """Forget the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self) -> http.client.HTTPSConnection:
        route = self._world.lab.route(self._address, 443)
        if route is None:
            raise Unreachable(f"nothing answers at {self._address}")
        connection = Named(self._host, route, self._world.context)
        connection.connect()
        return connection


class Named(http.client.HTTPSConnection):
    """Connects to a loopback route while it asks for, and verifies, the host's own name."""

    def __init__(self, host: str, route: tuple[str, int], context: ssl.SSLContext) -> None:
        super().__init__(host, 443, timeout=REQUEST_SECONDS, context=context)
        self._route = route
        self._tls = context

    def connect(self) -> None:
        """Open the connection by its route."""
        plain = socket.create_connection(self._route, REQUEST_SECONDS)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = self._tls.wrap_socket(plain, server_hostname=self.host)


def lookup(resolver_port: int, host: str) -> tuple[str, int]:
    """Address and its seconds to live, from the caching resolver."""
    reply = DNSRecord.parse(DNSRecord.question(host).send("127.0.0.1", resolver_port, timeout=2))
    addresses = [record for record in reply.rr if record.rtype == QTYPE.A]
    if not addresses:
        raise Unreachable(f"{host} has no address")
    return str(random.choice(addresses).rdata), max(1, min(record.ttl for record in reply.rr))  # noqa: S311


class Client:
    """One user: registers, adds a habit, then reads and records completions at a steady pace."""

    def __init__(self, world: World, number: int, pause: float, write_share: float) -> None:
        self._world = world
        self._pause = pause
        self._write_share = write_share
        self._random = random.Random(number)  # noqa: S311 - a load pattern
        self._api = HostConnection(world, world.api_host)
        self._www = HostConnection(world, world.www_host)
        self._email = f"client-{number}-{uuid.uuid4().hex[:8]}@{world.api_host.partition('.')[2]}"
        self._token = ""
        self._habit = 0
        self._pending: str | None = None
        self._tries = 0

    def run(self) -> None:
        """Work until told to stop, then have the last write acknowledged if it can be."""
        self._world.stopping.wait(self._random.random() * self._pause)
        while not self._world.stopping.is_set():
            begun = time.monotonic()
            self._turn()
            self._world.stopping.wait(max(0.0, self._pause - (time.monotonic() - begun)))
        until = time.monotonic() + LAST_WRITE_SECONDS
        while self._pending and time.monotonic() < until:
            self._write()
            time.sleep(0.2)

    def _turn(self) -> None:
        if not self._habit:
            self._become_user()
        elif self._pending and self._tries % 2:
            self._tries += 1
            self._read()
        elif self._pending or self._random.random() < self._write_share:
            self._write()
        else:
            self._read()

    def _become_user(self) -> None:
        account = {"email": self._email, "password": "a lab client's password"}
        if not self._token:
            status, document = self._ask(
                self._api, "POST", "/api/v1/auth/register", account, wanted=(201, 409)
            )
            if status == 409:
                status, document = self._ask(self._api, "POST", "/api/v1/auth/login", account)
            self._token = str(document.get("token", "")) if status in (200, 201) else ""
        if self._token:
            status, document = self._ask(
                self._api, "POST", "/api/v1/habits", {"name": "drink water"}, wanted=(201,)
            )
            self._habit = int(document["id"]) if status == 201 else 0

    def _read(self) -> None:
        if self._random.random() < 0.25:
            self._ask(self._www, "GET", "/", None)
        else:
            self._ask(self._api, "GET", "/api/v1/habits", None)

    def _write(self) -> None:
        if self._pending is None:
            self._pending, self._tries = str(uuid.uuid4()), 0
            self._world.ledger.sent(self._pending)
            self._world.figures.sent()
        self._tries += 1
        body = {"client_ref": self._pending, "note": NOTE}
        path = f"/api/v1/habits/{self._habit}/completions"
        status, document = self._ask(self._api, "POST", path, body, wanted=(201,), write=True)
        if status == 201 and document.get("client_ref") == self._pending:
            self._world.ledger.acknowledged(self._pending, self._served_by)
            self._world.figures.acknowledged()
            self._pending = None

    def _ask(
        self,
        connection: HostConnection,
        method: str,
        path: str,
        document: dict[str, Any] | None,
        wanted: tuple[int, ...] = (200,),
        write: bool = False,
    ) -> tuple[int, dict[str, Any]]:
        headers = {"Content-Type": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        body = None if document is None else json.dumps(document).encode()
        started = time.time()
        status, self._served_by, content, failure = 0, "", b"", ""
        try:
            status, self._served_by, content = connection.request(method, path, headers, body)
            failure = "" if status in wanted else f"status {status}"
        except (OSError, http.client.HTTPException) as error:
            failure = type(error).__name__
        self._world.figures.request(
            write=write, failure=failure, served_by=self._served_by, started=started, ended=time.time()
        )
        if failure or connection is self._www:
            return status, {}
        found = json.loads(content or b"{}")
        return status, found if isinstance(found, dict) else {}


def main(arguments: list[str]) -> None:
    """Run the clients that the config names until SIGTERM."""
    follow_parent()
    guard.install_from_environment()
    config: dict[str, Any] = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    figures = Figures(time.time())
    world = World(
        config["api_host"],
        config["www_host"],
        config["resolver_port"],
        LabClient(config["control"], config["token"]),
        ssl.create_default_context(cafile=config["ca_file"]),
        figures,
        Ledger(Path(config["ledger_file"])),
        stopping,
    )
    pause = config["clients"] / config["requests_per_second"]
    clients = [Client(world, number, pause, config["write_share"]) for number in range(config["clients"])]
    threads = [threading.Thread(target=client.run, daemon=True) for client in clients]
    for thread in threads:
        thread.start()
    figures_file = Path(config["figures_file"])
    while not stopping.wait(1.0):
        document = {**figures.document(time.time(), LIVE_TIMELINE_SECONDS), "final": False}
        write_private(figures_file, json.dumps(document).encode())
    for thread in threads:
        thread.join(LAST_WRITE_SECONDS + REQUEST_SECONDS + 1)
    write_private(figures_file, json.dumps({**figures.document(time.time()), "final": True}).encode())


if __name__ == "__main__":
    main(sys.argv[1:])
