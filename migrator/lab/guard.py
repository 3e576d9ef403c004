"""The lab's border: a connection to anything but loopback is refused and written down."""

from __future__ import annotations

import ipaddress
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

GUARD_VARIABLE = "MIGRATOR_LAB_GUARD"
_installed: set[str] = set()


class OutsideContactError(OSError):
    """A process of a rehearsal tried to reach an address outside loopback."""


def install(violations_file: Path) -> None:
    """Refuse every later connection of this process that does not stay on loopback; cannot be taken back."""
    name = str(violations_file)
    if name in _installed:
        return
    _installed.add(name)
    sys.addaudithook(lambda event, arguments: _audit(event, arguments, name))


def install_from_environment() -> bool:
    """Install the guard when the environment names a violations file; tells whether it did."""
    name = os.environ.get(GUARD_VARIABLE)
    if not name:
        return False
    install(Path(name))
    return True


def violations(violations_file: Path) -> list[dict[str, Any]]:
    """The refused contacts so far, oldest first."""
    try:
        text = violations_file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in text.splitlines() if line]


def _audit(event: str, arguments: tuple[Any, ...], name: str) -> None:
    if event not in ("socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo"):
        return
    if event == "socket.getaddrinfo":
        host = arguments[0]
        if host is None or _stays_inside(host, names=("localhost",)):
            return
        _refuse(name, event, str(host))
    address = arguments[1]
    if not isinstance(address, tuple) or _stays_inside(address[0], names=("localhost", "")):
        return
    _refuse(name, event, f"{address[0]}:{address[1]}")


def _stays_inside(host: object, names: tuple[str, ...]) -> bool:
    text = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
    if text in names:
        return True
    try:
        return ipaddress.ip_address(text.split("%")[0]).is_loopback
    except ValueError:
        return False


def _refuse(name: str, event: str, target: str) -> None:
    line = json.dumps({"time": time.time(), "pid": os.getpid(), "event": event, "target": target})
    descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(descriptor, line.encode() + b"\n")
    finally:
        os.close(descriptor)
    raise OutsideContactError(f"the rehearsal may not contact {target}")
