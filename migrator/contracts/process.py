"""Child processes that outlive the runner: started under a supervisor, found again, followed to their end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Command:
    """What to run. No secret in `argv`; `environment` is the whole environment, `deadline_seconds` ends it.

    `silence_seconds` is the stall watchdog: no output for so long and the child is ended (0: no watchdog).
    It is ended by SIGINT, then SIGTERM, then SIGKILL, `grace_seconds` apart. `run_as` is the user that a
    runner with root's rights drops to. `ok_codes` are the exit codes that count as success. `label` is a short
    name for people.
    """

    argv: tuple[str, ...]
    label: str
    cwd: Path
    environment: Mapping[str, str]
    deadline_seconds: float
    silence_seconds: float = 0.0
    ok_codes: tuple[int, ...] = (0,)
    stdin_file: Path | None = None
    run_as: str = ""
    grace_seconds: float = 30.0


@dataclass(frozen=True)
class Child:
    """A child process as the journal knows it. `folder` holds spec.json, stdout, stderr and status.json."""

    pid: int
    start_time: str
    boot_id: str
    folder: Path
    label: str
    argv: tuple[str, ...]


@dataclass(frozen=True)
class Exit:
    """How a child ended. `code` is negative for a signal.

    `reason` is exit, signal, deadline or silence. With a code of None it is `not_run` (proven that the command
    never ran) or `lost` (command and supervisor are both gone and left no status; its output files are there).
    """

    code: int | None
    reason: str
    seconds: float
    stdout: Path
    stderr: Path
    ok: bool = field(default=False)


LineSink = Callable[[str], None]
"""Receives each complete line of output, undecoded bytes replaced, not yet sanitised."""


class Processes(Protocol):
    """The one place that starts processes."""

    def start(self, command: Command, folder: Path, spawned: Callable[[Child], None]) -> Child:
        """Starts a supervisor in its own session, calls `spawned` (which journals it), then lets it go.

        `folder` must be new or empty; the environment is handed over in memory, never in a file. When the runner
        dies before `spawned` returned, the command is never run.
        """
        ...

    def follow(
        self,
        child: Child,
        on_stdout: LineSink | None = None,
        on_stderr: LineSink | None = None,
        tick: Callable[[], None] | None = None,
    ) -> Exit:
        """Reads the child's output from its start to its end, whether it still runs or has ended, and its exit.

        Lines are cut at 64 KiB. When the supervisor is dead but its command lives, the command is followed.

        `tick` is called several times a second; when it raises (cancel, deadline), one SIGINT is sent to the
        command, it is given time to end, and the exception goes on.
        """
        ...

    def alive(self, child: Child) -> bool:
        """Whether this very process (pid, start time, boot id) still runs."""
        ...

    def run(
        self,
        command: Command,
        input_text: str | None = None,
        tick: Callable[[], None] | None = None,
        limit_bytes: int = 1 << 20,
    ) -> tuple[Exit, str, str]:
        """A short read-only command: waits and gives its exit, stdout and stderr (each cut at `limit_bytes`).

        `tick` and the deadline work as in `follow`, but there is no supervisor and nothing is left to find.
        """
        ...

    def find(self, program: str, candidates: Sequence[str] = ()) -> Path | None:
        """The program's path from PATH or from candidate folders."""
        ...
