"""Answers on disk as they are given: `.migrator/init.json`, so that nothing is lost when `init` is interrupted."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from migrator.errors import Locked, UsageError

FORMAT = 1
_MAX_BYTES = 1 << 20


@dataclass
class Kept:
    """`runbook` as it was named; `answers` as typed; `accepted` are defaults that were looked at.

    `offered` are texts to propose again; `aws` says whether AWS may be asked.
    """

    runbook: str = ""
    answers: dict[str, str] = field(default_factory=dict)
    accepted: list[str] = field(default_factory=list)
    offered: dict[str, str] = field(default_factory=dict)
    profile: str = ""
    region: str = ""
    aws: str = ""
    started: str = ""


class Notebook:
    """The kept answers of one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / ".migrator"
        self.path = self._folder / "init.json"

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Nobody else answers for this folder meanwhile; `Locked` when somebody does."""
        with _telling(self._folder):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise Locked(
                    "another `migrator init` is at work in this folder",
                    where=str(self._folder.parent),
                    next="finish or end that one first",
                ) from error
            yield
        finally:
            os.close(handle)
            with contextlib.suppress(OSError):
                self._folder.rmdir()  # only when nothing else lies in it

    def read(self) -> tuple[Kept | None, str]:
        """What is kept, and a word when something is there that cannot be used; it is then set aside."""
        try:
            with self.path.open("rb") as file:
                values = json.loads(file.read(_MAX_BYTES))
            return _kept(values), ""
        except FileNotFoundError:
            return None, ""
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            aside = self.path.with_name("init.json.unreadable")
            with contextlib.suppress(OSError):
                self.path.replace(aside)
            return None, f"Earlier answers could not be read; they were set aside as {aside.name}."

    def save(self, kept: Kept) -> None:
        """Writes all of it, durably and at once; `UsageError` when the folder cannot be written."""
        with _telling(self.path):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_whole(self.path, json.dumps({"format": FORMAT, **asdict(kept)}, indent=1), replace=True)

    def forget(self) -> None:
        """Removes the kept answers."""
        with _telling(self.path):
            self.path.unlink(missing_ok=True)


def _kept(values: object) -> Kept:
    if not isinstance(values, dict):
        raise TypeError("not a mapping")
    if values.pop("format", None) != FORMAT:
        raise ValueError("another format")
    kept = Kept(**values)
    texts: list[object] = [kept.runbook, kept.profile, kept.region, kept.aws, kept.started]
    texts += [*kept.answers, *kept.answers.values(), *kept.offered, *kept.offered.values(), *kept.accepted]
    if not all(isinstance(text, str) and text.isprintable() for text in texts):
        raise ValueError("not texts")
    return kept


def write_whole(path: Path, text: str, *, replace: bool) -> None:
    """A file of mode 0600 that is there whole or not at all; `FileExistsError` unless it may be replaced."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            Path(name).replace(path)
        else:
            path.hardlink_to(name)
    finally:
        Path(name).unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextlib.contextmanager
def _telling(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UsageError(
            f"cannot be written: {error.strerror or error}",
            where=str(path),
            next="name a folder that you may write to: migrator init DIR",
        ) from error
