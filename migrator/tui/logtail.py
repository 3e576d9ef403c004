"""Follows a log file on a thread of its own, in batches, whatever its speed."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from textual.message import Message
from textual.message_pump import MessagePump

from migrator.sanitize import clean_line

BATCH_BYTES = 1 << 20
BACKLOG_BYTES = 16 << 20
"""When more than this is unread, the middle is left to the file and the screen says so."""
POLL_SECONDS = 0.15
_LONGEST_RAW_LINE = 256 << 10


Files = tuple[tuple[str, Path], ...]
"""Log files with the name that stands before their lines when there are several."""
_STAMP = len("02:00:00.000 ")


class Lines(Message):
    """Lines that were added to the files, cleaned. `fresh` when the view must begin anew."""

    def __init__(self, lines: list[str], *, fresh: bool) -> None:
        super().__init__()
        self.lines = lines
        self.fresh = fresh


class _Reader:
    """One file from where it was read last; it may not exist yet."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._rest = b""

    def read(self) -> tuple[list[str], bool]:
        """Whole new lines, and whether the file was cut and begins anew after them."""
        if self._file is None:
            if not self._path.exists():
                return [], False
            self._file = self._path.open("rb")
        skipped = _skip_backlog(self._file)
        if skipped:
            self._rest = b""
        data = self._file.read(BATCH_BYTES)
        lines, self._rest = split(self._rest + data)
        if skipped:
            lines.insert(0, f"… {skipped >> 20} MiB are not shown here; they are in {self._path}")
        if len(data) < BATCH_BYTES and _truncated(self._file, self._path):
            self._file.seek(0)
            self._rest = b""
            return lines, True
        return lines, False

    def close(self) -> None:
        """Lets go of the file."""
        if self._file is not None:
            self._file.close()


class LogTail:
    """Reads one log, or several together in the order of their times; `follow` changes which."""

    def __init__(self, target: MessagePump) -> None:
        self._target = target
        self._wanted: Files = ()
        self._changed = threading.Event()
        self._stopped = False
        self._readers: dict[tuple[str, Path], _Reader] = {}
        self._thread = threading.Thread(target=self._run, name="log tail", daemon=True)

    def follow(self, files: Files) -> None:
        """From now on these; they may not exist yet. What is only added to several is read beside them."""
        if files == self._wanted:
            return
        self._wanted = files
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
            try:
                self._follow(self._wanted)
            except OSError as error:
                self._let_go()
                told = [f"the log cannot be read: {error.strerror}"]
                self._target.post_message(Lines(told, fresh=True))
                self._changed.wait(1.0)
        self._let_go()

    def _let_go(self) -> None:
        for reader in self._readers.values():
            reader.close()
        self._readers = {}

    def _follow(self, wanted: Files) -> None:
        known = set(self._readers)
        if len(known) < 2 or not known <= set(wanted):
            self._let_go()
            self._target.post_message(Lines([], fresh=True))
        for found in wanted:
            if found not in self._readers:
                self._readers[found] = _Reader(found[1])
        while not self._changed.is_set():
            self._read(several=len(wanted) > 1)
            self._changed.wait(POLL_SECONDS)

    def _read(self, *, several: bool) -> None:
        batch: list[tuple[str, str]] = []
        for (name, _), reader in self._readers.items():
            lines, anew = reader.read()
            batch += _timed(name if several else "", lines)
            if anew and not several:
                self._target.post_message(Lines([], fresh=True))
                batch = []
        if several:
            batch.sort(key=lambda found: found[0])
        if batch:
            self._target.post_message(Lines([line for _, line in batch], fresh=False))


def _timed(name: str, lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Lines with their times, or that of the line before; the name, if there is one, stands behind the time."""
    time = ""
    for line in lines:
        if not name:
            yield "", line
        elif line[2:3] == ":" and line[_STAMP - 1 : _STAMP] == " ":
            time = line[:_STAMP]
            yield time, f"{time}{name}: {line[_STAMP:]}"
        else:
            yield time, f"{' ' * _STAMP}{name}: {line}"


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
