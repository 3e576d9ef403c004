"""Child processes that end when their parent does, however it ends."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from migrator.lab.guard import GUARD_VARIABLE

LIFELINE_VARIABLE = "MIGRATOR_LAB_LIFELINE"
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "VIRTUAL_ENV", "LD_LIBRARY_PATH")


class Child:
    """A Python module run as a process of its own; its end of a pipe closes when we die, and it leaves."""

    def __init__(self, module: str, arguments: list[str], log: Path, environment: Mapping[str, str]) -> None:
        self.module = module
        self.log = log
        reader, self._lifeline = os.pipe()
        try:
            with os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as output:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", module, *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    env={**environment, LIFELINE_VARIABLE: str(reader)},
                    pass_fds=(reader,),
                )
        finally:
            os.close(reader)

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def stop_gently(self, seconds: float) -> bool:
        """Ask it to end and let it finish its work; tells whether it did within `seconds`."""
        if self.alive:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                return False
        return True

    def stop(self, seconds: float = 3.0) -> None:
        """End it: asked first, killed after `seconds`."""
        if not self.stop_gently(seconds):
            self._process.kill()
        self._process.wait()
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1


def child_environment(violations_file: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """What a lab process may know of ours: paths and language, dummy credentials, the guard's file."""
    kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    package_root = str(Path(__file__).resolve().parents[2])
    search = [package_root, *filter(None, kept.get("PYTHONPATH", "").split(os.pathsep))]
    return {
        **kept,
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(search)),
        "AWS_ACCESS_KEY_ID": "lab",
        "AWS_SECRET_ACCESS_KEY": "lab",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        GUARD_VARIABLE: str(violations_file),
        **(extra or {}),
    }


def follow_parent() -> None:
    """In a child: leave at once when the parent's end of the lifeline closes."""
    descriptor = os.environ.get(LIFELINE_VARIABLE)
    if descriptor is None:
        return

    def wait() -> None:
        with contextlib.suppress(OSError):
            while os.read(int(descriptor), 1):
                pass
        os._exit(0)

    threading.Thread(target=wait, name="lifeline", daemon=True).start()
