"""Follows a log file on a thread of its own, in batches, whatever its speed."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from textual.message import Message
from textual.message_pump import MessagePump

from migrator.sanitize import clean_line

BATCH_BYTES = 1 << 20
BACKLOG_BYTES = 16 << 20
"""When more than this is unread, the middle is left to the file and the screen says so."""
POLL_SECONDS = 0.1
_LONGEST_RAW_LINE = 256 << 10


class Lines(Message):
    """Lines that were added to a file, cleaned. `fresh` when the view must begin anew."""

    def __init__(self, path: Path, lines: list[str], *, fresh: bool) -> None:
        super().__init__()
        self.path = path
        self.lines = lines
        self.fresh = fresh


class LogTail:
    """Reads one file at a time; `follow` changes it."""

    def __init__(self, target: MessagePump) -> None:
        self._target = target
        self._wanted: Path | None = None
        self._changed = threading.Event()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="log tail", daemon=True)

    def follow(self, path: Path) -> None:
        """From now on this file; it may not exist yet."""
        if path == self._wanted:
            return
        self._wanted = path
        self._changed.set()
        if not self._thread.is_alive() and not self._stopped:
            self._thread.start()

    def stop(self) -> None:
        """Ends the thread."""
        self._stopped = True
        self._changed.set()
        if self._thread.is_alive():
            self._thread.join(2.0)

    def _run(self) -> None:
        while not self._stopped:
            self._changed.clear()
            if self._wanted is not None:
                try:
                    self._follow(self._wanted)
                except OSError as error:
                    told = [f"the log cannot be read: {error.strerror}"]
                    self._target.post_message(Lines(self._wanted, told, fresh=True))
                    self._changed.wait(1.0)

    def _follow(self, path: Path) -> None:
        self._target.post_message(Lines(path, [], fresh=True))
        while not path.exists():
            if self._changed.wait(POLL_SECONDS):
                return
        with path.open("rb") as file:
            rest = b""
            while not self._changed.is_set():
                skipped = _skip_backlog(file)
                if skipped:
                    rest = b""
                data = file.read(BATCH_BYTES)
                lines, rest = split(rest + data)
                if skipped:
                    lines.insert(0, f"… {skipped >> 20} MiB are not shown here; they are in {path}")
                if lines:
                    self._target.post_message(Lines(path, lines, fresh=False))
                if len(data) < BATCH_BYTES and _truncated(file, path):
                    self._target.post_message(Lines(path, [], fresh=True))
                    file.seek(0)
                    rest = b""
                self._changed.wait(POLL_SECONDS)


def _skip_backlog(file: BinaryIO) -> int:
    """Jumps forward when far behind; gives the bytes that were left out."""
    position = file.tell()
    end = file.seek(0, 2)
    if end - position <= BACKLOG_BYTES:
        file.seek(position)
        return 0
    file.seek(end - BACKLOG_BYTES // 4)
    file.readline(_LONGEST_RAW_LINE)
    return file.tell() - position


def _truncated(file: BinaryIO, path: Path) -> bool:
    try:
        return path.stat().st_size < file.tell()
    except FileNotFoundError:
        return False


def split(data: bytes) -> tuple[list[str], bytes]:
    """Whole lines, cleaned, and the beginning of one that has not ended. An endless line is cut."""
    *whole, rest = data.split(b"\n")
    if len(rest) > _LONGEST_RAW_LINE:
        whole.append(rest)
        rest = b""
    return [clean_line(line.decode("utf-8", "replace")) for line in whole], rest


class LineStore:
    """The newest lines of a log, bounded in number and in characters. `dropped` counts what went."""

    def __init__(self, most_lines: int = 200_000, most_characters: int = 40_000_000) -> None:
        self._most_lines = most_lines
        self._most_characters = most_characters
        self.lines: list[str] = []
        self.dropped = 0
        self._characters = 0

    def add(self, lines: Sequence[str]) -> int:
        """Adds lines; gives how many were dropped from the front for it."""
        self.lines.extend(lines)
        self._characters += sum(map(len, lines))
        gone = 0
        while len(self.lines) - gone > self._most_lines or self._characters > self._most_characters:
            step = max(1, self._most_lines // 10)
            self._characters -= sum(map(len, self.lines[gone : gone + step]))
            gone = min(gone + step, len(self.lines))
        del self.lines[:gone]
        self.dropped += gone
        return gone

    def clear(self) -> None:
        """Forgets everything."""
        self.lines, self.dropped, self._characters = [], 0, 0
