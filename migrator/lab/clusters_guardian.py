"""Holds the lab's PostgreSQL servers and ends them when the lab is gone. Run as a program; standard library only.

Argument: JSON with `servers` (lists of {argv, log}), `user` and `group` (ids or null) and `remove` (a folder).
It lives as long as its standard input is open: the kernel closes that pipe when the lab ends, however it ends.
"""

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG = 1


def _end_with_guardian() -> None:
    """Asks Linux to end the server when even the guardian was killed; other systems have no such call."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)


def _start(server: dict[str, Any], user: int | None, group: int | None) -> subprocess.Popen[bytes]:
    descriptor = os.open(server["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        return subprocess.Popen(
            server["argv"],
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            cwd="/",
            user=user,
            group=group,
            extra_groups=[] if user is not None else None,
            preexec_fn=_end_with_guardian,  # noqa: PLW1509 - this process has one thread
        )
    finally:
        os.close(descriptor)


def _asked_to_end(number: int, _frame: object) -> None:
    raise SystemExit(128 + number)


def main() -> None:
    """Starts the servers, waits for the end of standard input, ends them, removes their folder."""
    spec = json.loads(sys.argv[1])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _asked_to_end)
    servers = [_start(server, spec["user"], spec["group"]) for server in spec["servers"]]
    try:
        sys.stdin.buffer.read()
        reason = "the lab ended"
    except SystemExit:
        reason = "SIGTERM"
    sys.stderr.write(f"ending the servers: {reason}\n")
    sys.stderr.flush()
    for server in servers:
        if server.poll() is None:
            server.send_signal(signal.SIGQUIT)
    for server in servers:
        try:
            server.wait(timeout=10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
    if Path(spec["remove"]).is_dir():
        shutil.rmtree(spec["remove"], ignore_errors=True)


if __name__ == "__main__":
    main()
