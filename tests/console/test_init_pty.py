"""`migrator init` in a real terminal: real keys, interruptions of every kind, and a continuation."""

from __future__ import annotations

import os
import signal
import stat
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pytest

from migrator.loading.migration import load_migration
from migrator.loading.values import resolve_values
from migrator.runner.control import LocalControl

pytestmark = pytest.mark.engine

ROOT = Path(__file__).resolve().parents[2]
START = "import sys; from migrator.cli import main; sys.exit(main())"
Spawn = Callable[..., "Terminal"]


class Terminal:
    """One `migrator init` in a pty of its own."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AWS_", "PG", "NO_COLOR"))
        }
        # A pty of a test does not answer where the cursor is; nothing else differs from a person's terminal.
        environment = {
            **kept,
            "TERM": "xterm-256color",
            "PROMPT_TOOLKIT_NO_CPR": "1",
            "PYTHONPATH": str(ROOT),
            "HOME": str(folder),
            "PGPORT": "1",
        }
        self.child = pexpect.spawn(
            sys.executable,
            ["-c", START, "init", *arguments],
            cwd=folder,
            env=environment,
            dimensions=(40, 100),
            encoding="utf-8",
            timeout=20,
        )

    def answer(self, prompt: str, keys: str) -> None:
        """Waits for a prompt and types."""
        self.child.expect(prompt)
        time.sleep(0.2)  # it is drawn before it reads keys
        self.child.send(keys)

    def end(self) -> int:
        """Its exit code; negative for a signal."""
        self.child.expect(pexpect.EOF)
        self.child.close()
        code = self.child.exitstatus
        return int(code) if code is not None else -int(self.child.signalstatus)


@pytest.fixture
def spawn(tmp_path: Path) -> Iterator[Spawn]:
    opened: list[Terminal] = []

    def start(*arguments: str) -> Terminal:
        opened.append(Terminal(tmp_path, *arguments))
        return opened[-1]

    yield start
    for terminal in opened:
        terminal.child.close(force=True)


UP_TO_THE_SECRET = (
    ("What is to be moved\\?", "\r"),
    ("domain:", "example.com\r"),
    ("hosted_zone_id:", "Z0123456789ABCDEF\r"),
    ("source_database_host:", "127.0.0.1\r"),
    ("source_admin_role:", "admin\r"),
)


def choose_habitcraft(terminal: Terminal) -> None:
    for prompt, keys in UP_TO_THE_SECRET:
        terminal.answer(prompt, keys)


def go_on(terminal: Terminal) -> None:
    terminal.answer("Go on with them\\?", "\r")
    terminal.child.expect("kept: domain: example.com")
    terminal.answer("source_admin_password_secret:", "\r")  # env:SOURCE_ADMIN_PASSWORD was proposed
    terminal.child.expect("Not readable here yet")
    terminal.answer("Keep these answers\\?", "\r")  # nothing listens at that address
    terminal.answer("source_application_password_secret:", "\r")
    terminal.answer("session_token_secret:", "\x15file:/srv/token\r")
    terminal.answer("backend_image:", "docker:shop/backend:1\r")
    terminal.answer("frontend_image:", "oci:/srv/frontend\r")
    terminal.answer("Look at them too\\?", "\r")
    terminal.answer("Everything right\\?", "\r")
    terminal.child.expect("Next: migrator rehearse migration.yaml")
    terminal.child.expect("Then: migrator run migration.yaml")
    assert terminal.end() == 0


def check_written(folder: Path) -> None:
    path = folder / "migration.yaml"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    runbook = LocalControl(folder).runbook("habitcraft")
    values, _ = resolve_values(runbook, load_migration(path).values, "run")
    assert values["domain"] == "example.com"
    assert values["source_admin_password_secret"] == "env:SOURCE_ADMIN_PASSWORD"
    assert values["session_token_secret"] == "file:/srv/token"
    assert not (folder / ".migrator").exists()


def test_wrong_answers_are_told_at_once_and_ctrl_c_loses_nothing(spawn: Spawn, tmp_path: Path) -> None:
    first = spawn("--runbook", "habitcraft")
    first.answer("domain:", "Bad Domain\r")
    first.child.expect("does not fit")
    first.child.send("\x15example.com\r")
    first.answer("hosted_zone_id:", "[bold]\x1b\r")
    first.child.expect("does not match the pattern")
    first.child.send("\x15Z0123456789ABCDEF\r")
    first.answer("source_database_host:", "\r")
    first.child.expect("A value is needed")
    first.child.send("127.0.0.1\r")
    first.answer("source_admin_role:", "admin\r")
    first.answer("source_admin_password_secret:", "\x15hunter2-hunter2\r")
    first.child.expect("not a secret's place")
    first.child.send("\x03")
    first.child.expect("4 answers kept. Go on with: migrator init")
    assert first.end() == 130
    kept = tmp_path / ".migrator" / "init.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert "hunter2" not in kept.read_text("utf-8")
    go_on(spawn())
    check_written(tmp_path)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_in_mid_question_loses_nothing(number: signal.Signals, spawn: Spawn, tmp_path: Path) -> None:
    first = spawn()
    choose_habitcraft(first)
    first.child.expect("source_admin_password_secret:")
    first.child.kill(number)
    assert first.end() == (-9 if number is signal.SIGKILL else 128 + number)
    go_on(spawn())
    check_written(tmp_path)


def test_a_closed_terminal_loses_nothing(spawn: Spawn, tmp_path: Path) -> None:
    first = spawn()
    choose_habitcraft(first)
    first.child.expect("source_admin_password_secret:")
    first.child.close(force=False)
    until = time.monotonic() + 10
    while first.child.isalive() and time.monotonic() < until:
        time.sleep(0.05)
    assert not first.child.isalive()
    go_on(spawn())
    check_written(tmp_path)


def test_the_terminal_is_whole_after_sigterm(spawn: Spawn) -> None:
    terminal = spawn("--runbook", "habitcraft")
    before = termios.tcgetattr(terminal.child.child_fd)
    terminal.child.expect("domain:")
    raw = termios.tcgetattr(terminal.child.child_fd)
    assert raw[3] & termios.ECHO == 0
    terminal.child.kill(signal.SIGTERM)
    terminal.child.expect_exact("\x1b[?25h\x1b[?2004l")
    assert termios.tcgetattr(terminal.child.child_fd)[:4] == before[:4]
