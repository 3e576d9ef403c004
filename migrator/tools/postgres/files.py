"""Service and password files for the client programs: no password in an argument list or in the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from migrator.errors import Refused
from migrator.secrets import Secret

SERVICE = "migrator"
_SERVICE_FILE, _PASSWORD_FILE = "pg_service.conf", "pgpass"


def write_client_files(folder: Path, parameters: Mapping[str, str], password: Secret) -> dict[str, str]:
    """Writes both files (0600) to `folder`; the environment that makes libpq read them."""
    for name, value in parameters.items():
        if "\n" in value or "\r" in value or value != value.strip():
            raise Refused(f"the connection parameter {name} holds a line break or outer blanks")
    secret = password.reveal()
    if "\n" in secret or "\r" in secret:
        raise Refused("the database password holds a line break", next="set another password")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    lines = [f"[{SERVICE}]", *(f"{name}={value}" for name, value in parameters.items() if value)]
    _write(folder / _SERVICE_FILE, "\n".join(lines) + "\n")
    escaped = secret.replace("\\", "\\\\").replace(":", "\\:")
    _write(folder / _PASSWORD_FILE, f"*:*:*:*:{escaped}\n")
    return {"PGSERVICEFILE": str(folder / _SERVICE_FILE), "PGPASSFILE": str(folder / _PASSWORD_FILE)}


def remove_client_files(folder: Path) -> None:
    """Removes both files, if they are there."""
    for name in (_SERVICE_FILE, _PASSWORD_FILE):
        (folder / name).unlink(missing_ok=True)


def _write(path: Path, text: str) -> None:
    """A new file each time: an older one's mode or owner is never taken over."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
