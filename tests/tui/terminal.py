"""The wizard in a real terminal: a pseudo-terminal whose bytes are kept and drawn by pyte."""

from __future__ import annotations

import os
import signal
import sys
import termios
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pexpect
import pyte

ROOT = Path(__file__).parents[2]


class Terminal:
    """A Python module with its arguments, in a terminal of a size (columns, rows)."""

    def __init__(self, arguments: Sequence[str], folder: Path, size: tuple[int, int] = (80, 24)) -> None:
        columns, rows = size
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self.written = b""
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "TERM": "xterm-256color",
            "TEXTUAL_ANIMATIONS": "none",
        }
        self.child: Any = pexpect.spawn(
            sys.executable,
            ["-m", *arguments],
            env={name: value for name, value in environment.items() if name not in ("COLUMNS", "LINES")},
            cwd=str(folder),
            dimensions=(rows, columns),
            timeout=10,
        )
        self.before = termios.tcgetattr(self.child.child_fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.child.close(force=True)

    def rest(self, seconds: float) -> None:
        """Takes what is written for a while."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            try:
                data = self.child.read_nonblocking(65_536, timeout=min(left, 0.05))
            except pexpect.TIMEOUT:
                continue
            except pexpect.EOF:
                return
            self.written += data
            self._stream.feed(data)

    def text(self) -> str:
        """What is to be seen."""
        return "\n".join(row.rstrip() for row in self.screen.display)

    def sees(self, text: str, seconds: float = 20.0) -> None:
        """Waits for a text."""
        end = time.monotonic() + seconds
        while text not in self.text():
            assert time.monotonic() < end, f"{text!r} is not on screen:\n{self.text()}"
            self.rest(0.05)

    def send(self, keys: str) -> None:
        """Types."""
        self.child.send(keys)

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to the wizard."""
        self.child.kill(number)

    def ends(self, seconds: float = 10.0) -> int:
        """Waits for the end; the exit code, negative for a signal."""
        end = time.monotonic() + seconds
        while self.child.isalive():
            assert time.monotonic() < end, f"it did not end:\n{self.text()}"
            self.rest(0.05)
        self.rest(0.2)
        code = self.child.exitstatus
        return int(code) if code is not None else -int(self.child.signalstatus)

    def hang_up(self, seconds: float = 10.0) -> None:
        """Closes the terminal, as when a window is closed; the wizard must end by itself."""
        pid: int = self.child.pid
        self.child.ptyproc.fileobj.close()
        self.child.ptyproc.closed = self.child.closed = True
        end = time.monotonic() + seconds
        while os.waitpid(pid, os.WNOHANG)[0] == 0:
            if time.monotonic() > end:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                raise AssertionError("the viewer outlived its terminal")
            time.sleep(0.05)

    def whole(self) -> bool:
        """Whether the terminal is as it was: echo and lines, no other screen, cursor to be seen, no mouse."""
        modes = termios.tcgetattr(self.child.child_fd)
        left = self.written.rfind(b"\x1b[?1049l")
        entered = self.written.rfind(b"\x1b[?1049h")
        mouse = self.written.rfind(b"\x1b[?1000l") > self.written.rfind(b"\x1b[?1000h")
        cursor = self.written.rfind(b"\x1b[?25h") > self.written.rfind(b"\x1b[?25l")
        echo = bool(modes[3] & termios.ECHO) and bool(modes[3] & termios.ICANON)
        return left > entered and mouse and cursor and echo


def scene(name: str, folder: Path, size: tuple[int, int] = (80, 24)) -> Terminal:
    """One of `tests.tui.scenes`: a told run, in a real terminal."""
    return Terminal(("tests.tui.scenes", name, str(folder)), folder, size)
