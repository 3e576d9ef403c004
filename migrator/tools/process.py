"""The one place that starts processes."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from migrator.contracts.process import Child, Command, Exit, LineSink
from migrator.errors import Refused
from migrator.sanitize import clean_line
from migrator.tools import supervisor

MAX_LINE_BYTES = 64 << 10
_CHUNK_BYTES = 1 << 20
_PAUSE_SECONDS = (0.02, 0.2)

_PLAIN = ("HOME", "LANG", "LC_ALL", "LOGNAME", "PATH", "TMPDIR", "TZ", "USER")
_NETWORK = ("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "no_proxy", "SSL_CERT_FILE")

_SUPERVISORS: dict[int, subprocess.Popen[bytes]] = {}
"""Supervisors that this process started, by pid: kept to be reaped, whoever follows them."""


def _reap() -> None:
    for pid, process in list(_SUPERVISORS.items()):
        if process.poll() is not None:
            _SUPERVISORS.pop(pid, None)


def allowed_environment(
    names: Sequence[str] = (), prefixes: Sequence[str] = (), more: Mapping[str, str] | None = None
) -> dict[str, str]:
    """This process's environment, only what a tool needs: plain and proxy variables, `names`, `prefixes`."""
    allowed = {*_PLAIN, *_NETWORK, *names}
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in allowed or (prefixes and name.startswith(tuple(prefixes)))
    }
    return {**kept, **(more or {})}


class LocalProcesses:
    """`contracts.process.Processes` on this machine."""

    def start(self, command: Command, folder: Path, spawned: Callable[[Child], None]) -> Child:
        """Starts `command` under a supervisor; it runs only once `spawned` has returned."""
        argv = self._resolved(command)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise Refused(f"the folder {folder.name} already holds a child process", where=command.label)
        spec = {
            "argv": argv,
            "cwd": str(command.cwd),
            "deadline_seconds": command.deadline_seconds,
            "silence_seconds": command.silence_seconds,
            "grace_seconds": command.grace_seconds,
            "ok_codes": command.ok_codes,
            "stdin_file": str(command.stdin_file or ""),
            "run_as": command.run_as,
            "label": command.label,
        }
        supervisor.write_durably(folder / "spec.json", spec)
        _reap()
        process = self._supervise(folder, command.environment)
        child = Child(
            pid=process.pid,
            start_time=supervisor.start_time(process.pid),
            boot_id=supervisor.boot_id(),
            folder=folder,
            label=command.label,
            argv=tuple(argv),
        )
        _SUPERVISORS[process.pid] = process
        gate = process.stdin
        assert gate is not None
        with gate:
            spawned(child)
            with contextlib.suppress(BrokenPipeError):
                gate.write(b"g")
                gate.flush()
        return child

    @staticmethod
    def _supervise(folder: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        # By file and isolated: the environment is the command's and must not steer this interpreter.
        argv = [sys.executable, "-I", "-S", "-X", "utf8", supervisor.__file__, str(folder)]
        log = os.open(folder / "supervisor.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            return subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=dict(environment),
                cwd=folder,
                start_new_session=True,
            )
        finally:
            os.close(log)

    def follow(
        self,
        child: Child,
        on_stdout: LineSink | None = None,
        on_stderr: LineSink | None = None,
        tick: Callable[[], None] | None = None,
    ) -> Exit:
        """Replays the child's output from its start, goes on to its end, and says how it ended."""
        lines = [
            _Tail(child.folder / name, sink)
            for name, sink in (("stdout", on_stdout), ("stderr", on_stderr))
            if sink is not None
        ]
        shortest, longest = _PAUSE_SECONDS
        pause = shortest
        with contextlib.ExitStack() as stack:
            for tail in lines:
                stack.callback(tail.close)
            while True:
                ended = not self.alive(child) and not self._command_alive(child.folder)
                moved = [tail.read() for tail in lines]
                if ended:
                    for tail in lines:
                        tail.finish()
                    return self._exit(child)
                if tick is not None:
                    self._tick(tick, child)
                pause = shortest if any(moved) else min(longest, pause * 1.5)
                time.sleep(pause)

    def alive(self, child: Child) -> bool:
        """Whether the supervisor of this very child still runs."""
        _reap()
        return _lives(child.pid, child.start_time, child.boot_id)

    def run(
        self,
        command: Command,
        input_text: str | None = None,
        tick: Callable[[], None] | None = None,
        limit_bytes: int = _CHUNK_BYTES,
    ) -> tuple[Exit, str, str]:
        """Runs a short command to its end."""
        argv = self._resolved(command)
        with contextlib.ExitStack() as stack:
            given, out, err = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(3))
            stdin = stack.enter_context(command.stdin_file.open("rb")) if command.stdin_file else given
            if input_text is not None:
                given.write(input_text.encode())
                given.seek(0)
            started = time.monotonic()
            process = subprocess.Popen(
                argv,
                stdin=stdin,
                stdout=out,
                stderr=err,
                env=dict(command.environment),
                cwd=command.cwd,
                umask=0o077,
                start_new_session=True,
                **_dropped(command.run_as),
            )
            reason = _await(process, command, started, tick)
            code = process.returncode
            found = Exit(
                code=code,
                reason="signal" if reason == "exit" and code < 0 else reason,
                seconds=time.monotonic() - started,
                stdout=Path(os.devnull),
                stderr=Path(os.devnull),
                ok=reason == "exit" and code in command.ok_codes,
            )
            return found, _text(out, limit_bytes), _text(err, limit_bytes)

    def find(self, program: str, candidates: Sequence[str] = ()) -> Path | None:
        """The program's path from PATH or from candidate folders."""
        for folders in (None, os.pathsep.join(candidates)):
            found = shutil.which(program, path=folders) if folders != "" else None
            if found:
                return Path(found)
        return None

    def _resolved(self, command: Command) -> list[str]:
        program = command.argv[0]
        found = self.find(program)
        if found is None:
            raise Refused(
                f"the program {clean_line(program, 200)} was not found",
                where=command.label,
                next="install it, or put its folder into PATH",
            )
        return [str(found), *command.argv[1:]]

    def _tick(self, tick: Callable[[], None], child: Child) -> None:
        try:
            tick()
        except BaseException:
            self._interrupt(child)
            raise

    def _interrupt(self, child: Child) -> None:
        """One SIGINT to the command, then its grace to end by itself; it is not killed here."""
        if self.alive(child):
            os.kill(child.pid, signal.SIGTERM)
        elif self._command_alive(child.folder):
            os.kill(int(_json(child.folder / "command.json")["pid"]), signal.SIGINT)
        grace = float(_json(child.folder / "spec.json").get("grace_seconds", 0.0))
        until = time.monotonic() + grace
        while time.monotonic() < until and (self.alive(child) or self._command_alive(child.folder)):
            time.sleep(_PAUSE_SECONDS[1])

    @staticmethod
    def _command_alive(folder: Path) -> bool:
        command = _json(folder / "command.json")
        return bool(command) and _lives(
            int(command["pid"]), str(command["start_time"]), str(command["boot_id"])
        )

    @staticmethod
    def _exit(child: Child) -> Exit:
        status, spec = _json(child.folder / "status.json"), _json(child.folder / "spec.json")
        found = Exit(
            code=status.get("code"),
            reason=str(status.get("reason", "lost")),
            seconds=float(status.get("seconds", 0.0)),
            stdout=child.folder / "stdout",
            stderr=child.folder / "stderr",
        )
        return replace(found, ok=found.reason == "exit" and found.code in spec.get("ok_codes", ()))


class _Tail:
    """Complete lines of a file that grows, from its start; a longer line is cut and its rest left out."""

    def __init__(self, path: Path, sink: LineSink) -> None:
        self._path = path
        self._sink = sink
        self._file: BinaryIO | None = None
        self._rest = b""
        self._cutting = False

    def read(self) -> bool:
        """Hands over what is new; whether there was anything."""
        if self._file is None:
            try:
                self._file = self._path.open("rb")
            except FileNotFoundError:
                return False
        moved = False
        while chunk := self._file.read(_CHUNK_BYTES):
            moved = True
            for line in self._lines(chunk):
                self._sink(line.decode("utf-8", "replace"))
        return moved

    def _lines(self, chunk: bytes) -> Iterator[bytes]:
        *whole, rest = chunk.split(b"\n")
        for piece in whole:
            line, cutting = self._rest + piece, self._cutting
            self._rest, self._cutting = b"", False
            if not cutting:
                yield line[:MAX_LINE_BYTES]
        if self._cutting:
            return
        self._rest += rest
        if len(self._rest) > MAX_LINE_BYTES:
            yield self._rest[:MAX_LINE_BYTES]
            self._rest, self._cutting = b"", True

    def finish(self) -> None:
        """Hands over a last line that has no end."""
        self.read()
        if self._rest:
            self._sink(self._rest.decode("utf-8", "replace"))
            self._rest = b""

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def _lives(pid: int, start_time: str, boot_id: str) -> bool:
    if not start_time or boot_id != supervisor.boot_id():
        return False
    return supervisor.start_time(pid) == start_time


def _json(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}


def _dropped(run_as: str) -> dict[str, Any]:
    if not run_as or os.geteuid() != 0:
        return {}
    import pwd

    account = pwd.getpwnam(run_as)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def _await(
    process: subprocess.Popen[bytes], command: Command, started: float, tick: Callable[[], None] | None
) -> str:
    while True:
        try:
            process.wait(0.2)
        except subprocess.TimeoutExpired:
            if time.monotonic() - started > command.deadline_seconds:
                _end(process, command.grace_seconds)
                return "deadline"
        else:
            return "exit"
        try:
            if tick is not None:
                tick()
        except BaseException:
            _end(process, command.grace_seconds)
            raise


def _end(process: subprocess.Popen[bytes], grace_seconds: float) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(grace_seconds)
            break
    with contextlib.suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _text(file: BinaryIO, limit_bytes: int) -> str:
    file.seek(0)
    return file.read(limit_bytes).decode("utf-8", "replace")
