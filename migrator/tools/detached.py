"""Starts a program that outlives this one: own session, no terminal, output to a file."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path


def start_detached(argv: Sequence[str], log: Path, cwd: Path) -> int:
    """Starts it and gives its pid. `log` is appended to, 0600."""
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        process = subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=handle,
            stderr=handle,
            cwd=cwd,
            start_new_session=True,
            close_fds=True,
        )
    finally:
        os.close(handle)
    # Its end is its own affair: nobody here waits for it.
    process.returncode = 0
    return process.pid
