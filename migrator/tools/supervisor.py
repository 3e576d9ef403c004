"""Stands over one command: `python supervisor.py FOLDER`.

Runs as a script of its own in its own session, so that a command outlives the runner and its exit is kept in a
file. Standard library only, nothing of this package: it must start fast and never break with the rest. It reads
FOLDER/spec.json, takes its own environment over as the command's, and waits for one byte on standard input: the
runner has then recorded it. End of file instead means that the runner died before, and the command is not run.

SIGHUP is ignored; SIGTERM sends one SIGINT to the command.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_LOOK_SECONDS = 0.5
_PROC = Path("/proc")


def boot_id() -> str:
    """What tells one boot of this machine from another."""
    try:
        return (_PROC / "sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return _said("sysctl", "-n", "kern.boottime")


def start_time(pid: int) -> str:
    """When the living process `pid` started, in a form that is only compared; empty if it is dead or a zombie."""
    if not _PROC.joinpath("self/stat").exists():
        state, _, started = _said("ps", "-o", "state=,lstart=", "-p", str(pid)).partition(" ")
        return "" if state.startswith("Z") else started.strip()
    try:
        after_name = (_PROC / str(pid) / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if after_name[0] in ("Z", "X", "x") else after_name[19]


def _said(*argv: str) -> str:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def write_durably(path: Path, values: dict[str, Any]) -> None:
    """Puts JSON at `path` whole or not at all, on disk when it returns."""
    draft = path.with_name(path.name + ".new")
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        json.dump(values, file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _create(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


class _Watch:
    """Waits for the command's end, and brings it about when its time is over."""

    def __init__(self, command: subprocess.Popen[bytes], spec: dict[str, Any], outputs: list[int]) -> None:
        self._command = command
        self._outputs = outputs
        self._deadline = time.monotonic() + float(spec["deadline_seconds"])
        self._silence = float(spec["silence_seconds"])
        self._grace = float(spec["grace_seconds"])
        self._ended = threading.Event()

    def forward(self) -> None:
        """One SIGINT to the command: it stops in its own way."""
        self._send(signal.SIGINT)

    def wait(self) -> str:
        """Why it ended: `exit`, `deadline` or `silence`."""
        threading.Thread(target=self._reap, daemon=True).start()
        size, grown = -1, time.monotonic()
        while not self._ended.wait(_LOOK_SECONDS):
            now, new_size = time.monotonic(), sum(os.fstat(fd).st_size for fd in self._outputs)
            if new_size != size:
                size, grown = new_size, now
            over = "deadline" if now > self._deadline else ""
            if self._silence and now - grown > self._silence:
                over = over or "silence"
            if over:
                self._end()
                return over
        return "exit"

    def _reap(self) -> None:
        self._command.wait()
        self._ended.set()

    def _end(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._send(number)
            if self._ended.wait(self._grace):
                break
        # Whatever the command left in its group goes too, so that nothing works on unseen.
        with contextlib.suppress(OSError):
            os.killpg(self._command.pid, signal.SIGKILL)
        self._ended.wait()

    def _send(self, number: signal.Signals) -> None:
        if not self._ended.is_set():
            with contextlib.suppress(OSError):
                os.kill(self._command.pid, number)


def _record(fd: int, boot: str) -> Callable[[], None]:
    """What the command's process does before it becomes the command: it leaves its own identity on disk."""

    def write() -> None:
        pid = os.getpid()
        values = {"pid": pid, "start_time": start_time(pid), "boot_id": boot}
        os.write(fd, json.dumps(values).encode("ascii"))
        os.fsync(fd)

    return write


def _launch(folder: Path, spec: dict[str, Any], outputs: list[int]) -> subprocess.Popen[bytes]:
    stdin: Any = subprocess.DEVNULL
    if spec["stdin_file"]:
        stdin = Path(spec["stdin_file"]).open("rb")  # noqa: SIM115 - the child's; this process ends with it
    dropped: dict[str, Any] = {}
    if spec["run_as"] and os.geteuid() == 0:
        import pwd

        account = pwd.getpwnam(spec["run_as"])
        dropped = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    identity = _create(folder / "command.json")
    return subprocess.Popen(
        spec["argv"],
        cwd=spec["cwd"],
        stdin=stdin,
        stdout=outputs[0],
        stderr=outputs[1],
        start_new_session=True,
        preexec_fn=_record(identity, boot_id()),  # noqa: PLW1509 - there is no other thread yet
        **dropped,
    )


def main(folder: Path) -> int:
    """Runs the command of FOLDER/spec.json; how it ended is in FOLDER/status.json."""
    os.umask(0o077)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    spec = json.loads((folder / "spec.json").read_text("utf-8"))
    status = folder / "status.json"
    started, clock = _now(), time.monotonic()

    def leave(code: int | None, reason: str) -> int:
        seconds = round(time.monotonic() - clock, 3)
        write_durably(
            status,
            {"code": code, "reason": reason, "started": started, "ended": _now(), "seconds": seconds},
        )
        return 0

    if os.read(0, 1) != b"g":
        return leave(None, "not_run")
    outputs = [_create(folder / "stdout"), _create(folder / "stderr")]
    watches: list[_Watch] = []
    early = threading.Event()

    def interrupt(_number: int, _frame: object) -> None:
        early.set()
        for watch in watches:
            watch.forward()

    signal.signal(signal.SIGTERM, interrupt)
    try:
        command = _launch(folder, spec, outputs)
    except (OSError, KeyError, subprocess.SubprocessError) as error:
        os.write(outputs[1], f"{spec['argv'][0]}: {error}\n".encode())
        return leave(None, "not_run")
    watches.append(_Watch(command, spec, outputs))
    if early.is_set():
        watches[0].forward()
    why = watches[0].wait()
    code = command.returncode
    return leave(code, "signal" if why == "exit" and code < 0 else why)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
