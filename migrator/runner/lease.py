"""At most one runner: a kernel lock that a dead holder cannot keep, and who holds it for people to read."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from migrator.errors import Locked

_TRIES = 10
_TRY_SECONDS = 0.03


class Lease:
    """Holds a lock file for as long as this process lives. Children do not inherit it."""

    def __init__(self, path: Path, holder: Mapping[str, Any]) -> None:
        """Takes the lease; `Locked` names the present holder."""
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if not self._taken():
            found = os.read(self._handle, 4096).decode(errors="replace")
            os.close(self._handle)
            raise Locked(
                "another runner is at work on this run",
                where=str(path.parent),
                detail=found.strip(),
                next=f"`migrator attach {path.parent.name}` watches it",
            )
        os.ftruncate(self._handle, 0)
        os.pwrite(self._handle, json.dumps(dict(holder)).encode() + b"\n", 0)

    def _taken(self) -> bool:
        """Tries a few times: a viewer that looks whether the lease is held touches it for an instant."""
        for _ in range(_TRIES):
            try:
                fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(_TRY_SECONDS)
            else:
                return True
        return False

    def release(self) -> None:
        """Lets go."""
        os.close(self._handle)


def held(path: Path) -> bool:
    """Whether a living process holds the lease."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False
