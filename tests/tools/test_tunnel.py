"""A tunnel to a private address: opened once, taken over by the next runner, ended at the end."""

from __future__ import annotations

import os
import signal
import socket
import stat
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from migrator.errors import Refused, UsageError
from migrator.tools.tunnel import TunnelReach, private

FORWARD = """
import socket, sys, threading
local, port = int(sys.argv[1]), int(sys.argv[2])
def pump(a, b):
    while data := a.recv(4096):
        b.sendall(data)
    b.shutdown(socket.SHUT_WR)
server = socket.create_server(("127.0.0.1", local))
while True:
    mine, _ = server.accept()
    far = socket.create_connection(("127.0.0.1", port))
    threading.Thread(target=pump, args=(mine, far), daemon=True).start()
    threading.Thread(target=pump, args=(far, mine), daemon=True).start()
"""
PRIVATE = "10.20.30.40"


@pytest.fixture
def server() -> Iterator[int]:
    """Something that answers behind the private address: its port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    if asked := connection.recv(100):
                        connection.sendall(b"you said " + asked)

        threading.Thread(target=answer, daemon=True).start()
        yield int(listening.getsockname()[1])


@pytest.fixture
def command(tmp_path: Path) -> str:
    """A forwarder in the place of ssh; {host} is only logged."""
    script = tmp_path / "forward.py"
    script.write_text(FORWARD, encoding="utf-8")
    return f"{sys.executable} {script} {{local_port}} {{port}} {{host}}"


@pytest.fixture
def reach(command: str, tmp_path: Path) -> Iterator[TunnelReach]:
    found = TunnelReach(command, tmp_path)
    yield found
    found.close()


def say(address: tuple[str, int], text: bytes) -> bytes:
    with socket.create_connection(address, 5) as connection:
        connection.sendall(text)
        connection.shutdown(socket.SHUT_WR)
        return connection.recv(100)


def test_a_private_address_is_reached_and_a_public_one_left_alone(
    reach: TunnelReach, server: int, tmp_path: Path
) -> None:
    address = reach.route(PRIVATE, server)
    assert address[0] == "127.0.0.1"
    assert address[1] != server
    assert say(address, b"hello") == b"you said hello"
    assert reach.route(PRIVATE, server) == address
    assert reach.route("203.0.113.7", 443) == ("203.0.113.7", 443)
    assert stat.S_IMODE((tmp_path / "tunnels.json").stat().st_mode) == 0o600


def test_the_next_runner_takes_a_living_tunnel_over_and_ends_it(
    reach: TunnelReach, command: str, server: int, tmp_path: Path
) -> None:
    address = reach.route(PRIVATE, server)
    later = TunnelReach(command, tmp_path)
    assert later.route(PRIVATE, server) == address
    later.close()
    until = time.monotonic() + 5
    while time.monotonic() < until:
        try:
            say(address, b"?")
        except OSError:
            break
        time.sleep(0.05)
    else:
        pytest.fail("the tunnel was not ended")


def test_a_tunnel_that_died_is_opened_anew(reach: TunnelReach, server: int) -> None:
    address = reach.route(PRIVATE, server)
    (pid,) = [row["pid"] for row in reach._all().values()]
    os.kill(pid, signal.SIGKILL)
    time.sleep(0.2)
    again = reach.route(PRIVATE, server)
    assert again != address
    assert say(again, b"hello") == b"you said hello"


def test_a_tunnel_that_does_not_open_says_what_its_program_said(tmp_path: Path) -> None:
    script = tmp_path / "refuse.py"
    script.write_text("import sys; sys.exit('the bastion does not know you')", encoding="utf-8")
    reach = TunnelReach(f"{sys.executable} {script} {{host}} {{port}} {{local_port}}", tmp_path)
    with pytest.raises(Refused, match="did not open") as caught:
        reach.route(PRIVATE, 5432)
    assert "the bastion does not know you" in caught.value.detail
    assert "MIGRATOR_TUNNEL" in caught.value.next


@pytest.mark.parametrize(
    "command",
    [
        "",
        "ssh -N bastion.example.com",
        "ssh -L {local_port}:{host} bastion.example.com",
        "ssh -L {local_port}:{host}:{port} {user}@bastion.example.com",
        "ssh 'open {local_port}:{host}:{port}",
    ],
)
def test_a_command_that_cannot_be_one_is_refused(command: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        TunnelReach(command, tmp_path)


@pytest.mark.parametrize("host", ["-oProxyCommand=touch x", "a b", "a;b", ""])
def test_what_a_tool_put_out_is_no_option_of_a_command(reach: TunnelReach, host: str) -> None:
    with pytest.raises(Refused):
        reach.route(host, 5432)


def test_what_is_private(monkeypatch: pytest.MonkeyPatch) -> None:
    assert private("10.0.0.1")
    assert private("172.31.255.1")
    assert not private("172.32.0.1")
    assert not private("203.0.113.1")

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror("no such name")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert private("db.internal.example.com")
