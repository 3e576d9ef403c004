"""Looks for secrets where none may be: files of a run, what was printed, argument lists of all processes."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from migrator.lab.client import Manifest
from tests.rehearsal.harness import Account

# Work folders hold what tools need (0600): password files for libpq, saved plans. The twin is removed at the end.
_STORES = ("work", "lab")


def canaries(lab: Path, manifest: Manifest) -> dict[str, str]:
    """Every secret of the twin by name: the operator's files, what the application has, what was made on the way."""
    found: dict[str, str] = {}
    for file in (lab / "secrets").iterdir():
        found[file.name] = file.read_text(encoding="utf-8").strip()
    found["token of the twin"] = manifest.token
    for name, text in Account(manifest).secret_values().items():
        found |= {f"{name} {key}": value for key, value in _leaves(json.loads(text)) if _secret(key)}
    return {name: value for name, value in found.items() if len(value) >= 8}


def _leaves(value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from [(key, item)] if isinstance(item, str) else _leaves(item)


def _secret(key: str) -> bool:
    return any(word in key.lower() for word in ("password", "secret", "token"))


def findings(folder: Path, printed: str, arguments: set[str], secrets: dict[str, str]) -> list[str]:
    """Where a secret was found outside the approved stores."""
    places = {"the screen": printed.encode(), "argument lists": "\n".join(arguments).encode()}
    for file in folder.rglob("*"):
        if file.is_file() and file.relative_to(folder).parts[0] not in _STORES:
            places[str(file.relative_to(folder))] = file.read_bytes()
    return [
        f"{name} in {place}"
        for place, text in places.items()
        for name, value in secrets.items()
        if value.encode() in text
    ]


def open_files(folder: Path) -> list[str]:
    """Files and folders of a run that others could read."""
    paths = [folder, *folder.rglob("*")]
    return [
        f"{p} {p.stat().st_mode & 0o777:o}" for p in paths if not p.is_symlink() and p.stat().st_mode & 0o077
    ]


class ArgumentWatch:
    """Collects the argument lists of all processes of this machine, many times a second."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stopping.wait(0.03):
            for entry in Path("/proc").iterdir():
                if entry.name.isdigit():
                    try:
                        text = (entry / "cmdline").read_bytes()
                    except OSError:
                        continue
                    self.seen.add(text.replace(b"\0", b" ").decode(errors="replace"))
