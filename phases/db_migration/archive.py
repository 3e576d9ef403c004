"""The dump's archive on disk: its hashes, its parts, and where its facts lie."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from migrator.errors import Refused

FACTS = "facts.json"
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Digest:
    """SHA-256 over the names and SHA-256 of all files; `bytes` of all of them."""

    sha256: str
    bytes: int
    files: int


def digest(archive: Path, tick: Callable[[], None]) -> Digest:
    """Reads every file of the archive folder."""
    total, whole, files = 0, hashlib.sha256(), sorted(p for p in archive.iterdir() if p.is_file())
    for path in files:
        one = hashlib.sha256()
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                one.update(chunk)
                total += len(chunk)
                tick()
        whole.update(f"{one.hexdigest()}  {path.name}\n".encode())
    return Digest(whole.hexdigest(), total, len(files))


def check(archive: Path, sha256: str, tick: Callable[[], None]) -> Digest:
    """The archive's digest; `Refused` when it is not there or not the one that was dumped."""
    if not archive.is_dir():
        raise Refused("the archive is not there", where=str(archive), next="run the dump step again")
    found = digest(archive, tick)
    if found.sha256 != sha256:
        raise Refused(
            "the archive is not the one that was dumped: its SHA-256 differs",
            where=str(archive),
            detail=f"expected {sha256}, found {found.sha256}",
            next="run the dump step again",
        )
    return found


def facts_of(archive: Path, given: str = "") -> Path:
    """Where the facts that belong to an archive lie."""
    return Path(given) if given else archive.parent / FACTS


def remove(archive: Path) -> None:
    """Removes an archive folder, if it is there."""
    if archive.is_dir():
        shutil.rmtree(archive)
