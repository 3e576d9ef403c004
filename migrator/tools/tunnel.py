"""Private addresses through the operator's own tunnel: ssh to a bastion, or a session of Systems Manager."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import re
import shlex
import signal
import socket
import string
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

from migrator.errors import Refused, UsageError
from migrator.sanitize import clean_line
from migrator.tools.supervisor import boot_id, start_time, write_durably

VARIABLE = "MIGRATOR_TUNNEL"
_PLACES = frozenset({"host", "port", "local_port"})
_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:_-]*")
_OPEN_SECONDS = 30.0
_LOOK_SECONDS = 0.1
_PRIVATE = tuple(
    ipaddress.ip_network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
)


class TunnelReach:
    """Routes to addresses that only the private network knows lead through a process that listens on loopback.

    `command` is a command line with `{host}`, `{port}` and `{local_port}` in it, such as
    `ssh -N -L 127.0.0.1:{local_port}:{host}:{port} bastion.example.com`. It is the operator's own, from the
    environment; no runbook can name one. Public addresses are reached directly.

    A tunnel outlives a killed runner, as pg_restore does that may be using it; the next runner finds it in
    `folder`/tunnels.json and takes it over. `close` ends all of them.
    """

    def __init__(self, command: str, folder: Path, open_seconds: float = _OPEN_SECONDS) -> None:
        self._argv = _parsed(command)
        self._folder = folder
        self._open_seconds = open_seconds
        self._kept = folder / "tunnels.json"
        self._lock = threading.Lock()

    def route(self, host: str, port: int) -> tuple[str, int]:
        """The same address when it is public, else the tunnel's end on loopback; `Refused` when it does not open."""
        if not private(host):
            return host, port
        if not _HOST.fullmatch(host):
            raise Refused(f"{clean_line(host, 200)!r} is not the name of a host", where="tunnel")
        key = f"{host.rstrip('.').lower()}:{port}"
        with self._lock:
            found = self._all().get(key)
            if found is None or not _lives(found) or not _listens(int(found["local_port"])):
                if found is not None:
                    _end(found)
                found = self._open(key, host, port)
            return "127.0.0.1", int(found["local_port"])

    def close(self) -> None:
        """Ends every tunnel of this run."""
        with self._lock:
            for found in self._all().values():
                _end(found)
            self._kept.unlink(missing_ok=True)

    def _open(self, key: str, host: str, port: int) -> dict[str, Any]:
        local = _free_port()
        argv = [part.format(host=host, port=port, local_port=local) for part in self._argv]
        log = self._folder / "tunnel.log"
        handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=handle, stderr=handle, start_new_session=True
            )
        except OSError as error:
            raise Refused(
                f"the tunnel's program cannot be started: {error.strerror}",
                where=argv[0],
                next=f"correct {VARIABLE}, then retry",
            ) from error
        finally:
            os.close(handle)
        made = {
            "pid": process.pid,
            "start_time": start_time(process.pid),
            "boot_id": boot_id(),
            "local_port": local,
        }
        write_durably(self._kept, {**self._all(), key: made})
        until = time.monotonic() + self._open_seconds
        while time.monotonic() < until and process.poll() is None:
            if _listens(local):
                threading.Thread(target=process.wait, name="tunnel", daemon=True).start()
                return made
            time.sleep(_LOOK_SECONDS)
        _end(made)
        words = clean_line(log.read_text(encoding="utf-8", errors="replace")[-2_000:], 1_000)
        how = f"it ended with code {process.poll()}" if process.poll() is not None else "nothing listens"
        raise Refused(
            f"the tunnel to {key} did not open within {self._open_seconds:.0f} s: {how}",
            where=argv[0],
            detail=words,
            next=f"try the command of {VARIABLE} by hand, then retry",
        )

    def _all(self) -> dict[str, Any]:
        try:
            found = json.loads(self._kept.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}


def private(host: str) -> bool:
    """Whether only a private network leads there: its address is private, or its name is not known here."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return True
    addresses = [ipaddress.ip_address(str(row[4][0]).partition("%")[0]) for row in found]
    return any(address in network for address in addresses for network in _PRIVATE)


def _parsed(command: str) -> tuple[str, ...]:
    try:
        argv = tuple(shlex.split(command))
        named = {
            name for part in argv for _, name, _, _ in string.Formatter().parse(part) if name is not None
        }
    except ValueError as error:
        raise UsageError(f"it is not a command line: {error}", where=VARIABLE) from error
    if named != _PLACES or not argv:
        wanted = ", ".join(f"{{{name}}}" for name in sorted(_PLACES))
        raise UsageError(
            f"a tunnel's command must name {wanted}, and nothing else in braces",
            where=VARIABLE,
            next="for example: ssh -N -L 127.0.0.1:{local_port}:{host}:{port} bastion.example.com",
        )
    return argv


def _lives(found: dict[str, Any]) -> bool:
    started = start_time(int(found["pid"]))
    return bool(started) and (found["boot_id"], found["start_time"]) == (boot_id(), started)


def _end(found: dict[str, Any]) -> None:
    if _lives(found):
        with contextlib.suppress(OSError):
            os.killpg(int(found["pid"]), signal.SIGTERM)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1.0).close()
    except OSError:
        return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
