"""The supervisor: runs a command only after the go, leaves its exit in a file, survives its runner."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from migrator.tools import supervisor

SCRIPT = str(Path(supervisor.__file__))


def _spec(folder: Path, *argv: str, **more: Any) -> None:
    values = {
        "argv": list(argv),
        "cwd": str(folder),
        "deadline_seconds": 30,
        "silence_seconds": 0,
        "grace_seconds": 1,
        "ok_codes": [0],
        "stdin_file": "",
        "run_as": "",
        "label": "test",
        **more,
    }
    (folder / "spec.json").write_text(json.dumps(values))


def _start(folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-I", "-S", SCRIPT, str(folder)], stdin=subprocess.PIPE)


def _run(folder: Path, go: bytes = b"g") -> dict[str, Any]:
    process = _start(folder)
    process.communicate(go, timeout=30)
    found: dict[str, Any] = json.loads((folder / "status.json").read_text())
    return found


def _until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.02)


def test_exit_code_and_output_are_kept_in_private_files(tmp_path: Path) -> None:
    _spec(tmp_path, "sh", "-c", "echo out; echo err >&2; touch made; exit 3")
    status = _run(tmp_path)
    assert (status["code"], status["reason"]) == (3, "exit")
    assert (tmp_path / "stdout").read_text() == "out\n"
    assert (tmp_path / "stderr").read_text() == "err\n"
    for name in ("stdout", "stderr", "status.json", "command.json", "made"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600, name


def test_without_the_go_the_command_is_never_run(tmp_path: Path) -> None:
    _spec(tmp_path, "touch", "ran")
    assert _run(tmp_path, go=b"")["reason"] == "not_run"
    assert not (tmp_path / "ran").exists()


def test_a_program_that_does_not_exist_was_not_run(tmp_path: Path) -> None:
    _spec(tmp_path, str(tmp_path / "nothing"))
    assert _run(tmp_path)["reason"] == "not_run"
    assert "nothing" in (tmp_path / "stderr").read_text()


def test_the_recorded_identity_is_the_commands_own(tmp_path: Path) -> None:
    _spec(tmp_path, "sh", "-c", "echo $$; cut -d' ' -f22 /proc/$$/stat 2>/dev/null || true")
    _run(tmp_path)
    said = (tmp_path / "stdout").read_text().split()
    recorded = json.loads((tmp_path / "command.json").read_text())
    assert recorded["pid"] == int(said[0])
    assert recorded["boot_id"] == supervisor.boot_id()
    if said[1:]:
        assert recorded["start_time"] == said[1]


def test_the_command_has_a_session_of_its_own_and_ignores_hangups(tmp_path: Path) -> None:
    _spec(
        tmp_path,
        sys.executable,
        "-c",
        "import os,signal; os.kill(os.getpid(), signal.SIGHUP); print(os.getsid(0)==os.getpid())",
    )
    assert _run(tmp_path)["code"] == 0
    assert (tmp_path / "stdout").read_text() == "True\n"


@pytest.mark.engine
@pytest.mark.parametrize(
    ("limit", "reason"), [("deadline_seconds", "deadline"), ("silence_seconds", "silence")]
)
def test_limits_end_a_command_that_ignores_polite_signals(tmp_path: Path, limit: str, reason: str) -> None:
    _spec(
        tmp_path, "sh", "-c", "trap '' INT TERM; sleep 60 & wait; sleep 60", grace_seconds=0.3, **{limit: 0.6}
    )
    status = _run(tmp_path)
    assert (status["code"], status["reason"]) == (-signal.SIGKILL, reason)
    assert status["seconds"] < 10


@pytest.mark.engine
def test_output_keeps_the_silence_watchdog_quiet(tmp_path: Path) -> None:
    _spec(tmp_path, "sh", "-c", "for i in 1 2 3 4 5 6 7 8; do echo $i; sleep 0.3; done", silence_seconds=1.2)
    assert _run(tmp_path)["reason"] == "exit"


@pytest.mark.engine
def test_sigterm_becomes_one_sigint_and_sighup_nothing(tmp_path: Path) -> None:
    program = (
        "import signal,time,sys\n"
        "def stop(*_):\n print('int', flush=True); time.sleep(0.3); sys.exit(7)\n"
        "signal.signal(signal.SIGINT, stop); print('ready', flush=True); time.sleep(60)"
    )
    _spec(tmp_path, sys.executable, "-c", program)
    process = _start(tmp_path)
    assert process.stdin
    process.stdin.write(b"g")
    process.stdin.close()
    _until(lambda: (tmp_path / "stdout").exists() and "ready" in (tmp_path / "stdout").read_text())
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    assert json.loads((tmp_path / "status.json").read_text())["code"] == 7
    assert (tmp_path / "stdout").read_text() == "ready\nint\n"


def test_a_zombie_is_not_alive() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    _until(lambda: supervisor.start_time(pid) == "")
    os.waitpid(pid, 0)
    assert supervisor.start_time(os.getpid()) != ""


def test_without_proc_the_start_time_comes_from_ps(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[tuple[str, ...]] = []

    def said(*argv: str) -> str:
        asked.append(argv)
        return "S    Sat Nov 21 03:00:00 2026" if argv[0] == "ps" else "{ sec = 1 }"

    monkeypatch.setattr(supervisor, "_PROC", tmp_path)
    monkeypatch.setattr(supervisor, "_said", said)
    assert supervisor.start_time(1) == "Sat Nov 21 03:00:00 2026"
    assert supervisor.boot_id() == "{ sec = 1 }"
    assert [argv[0] for argv in asked] == ["ps", "sysctl"]
