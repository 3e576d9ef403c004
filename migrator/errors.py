"""The one tree of errors: each says what happened, where, and what to do next."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of the command line; scripts depend on them."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    WAITING = 3
    CREDENTIALS = 4
    LOCKED = 5
    ROLLBACK_FAILED = 6
    INTERRUPTED = 130
    TERMINATED = 143
    HUNG_UP = 129


class MigratorError(Exception):
    """Base of all our errors.

    `what` happened, `where` (a step, file, host or resource), and what to do `next`. `detail` holds the
    tool's own words, already sanitised.
    """

    exit_code = ExitCode.FAILED

    def __init__(self, what: str, *, where: str = "", next: str = "", detail: str = "") -> None:  # noqa: A002
        super().__init__(what)
        self.what = what
        self.where = where
        self.next = next
        self.detail = detail

    def __str__(self) -> str:
        parts = [f"{self.where}: {self.what}" if self.where else self.what]
        if self.detail:
            parts.append(self.detail)
        if self.next:
            parts.append(f"Next: {self.next}")
        return "\n".join(parts)


class UsageError(MigratorError):
    """The command line or a file given by the operator is wrong."""

    exit_code = ExitCode.USAGE


@dataclass(frozen=True, order=True)
class Problem:
    """One thing wrong in a file. `line` and `column` count from 1; 0 means the whole file."""

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.message}"


class InvalidRunbook(UsageError):
    """A runbook or migration file has problems; all of them are listed."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        count = len(problems)
        super().__init__(
            f"{count} problem{'s' if count != 1 else ''} found",
            detail="\n".join(str(problem) for problem in problems),
            next="correct the file and run `migrator validate` again",
        )
        self.problems = problems


class CredentialsError(MigratorError):
    """AWS credentials are missing, expired or for another account."""

    exit_code = ExitCode.CREDENTIALS


class Locked(MigratorError):
    """Another runner holds this run, or another writer holds the Terraform state."""

    exit_code = ExitCode.LOCKED


class JournalDamaged(MigratorError):
    """The journal's chain does not hold: it was damaged or edited. It is never continued."""


class RollbackFailed(MigratorError):
    """An undo did not succeed; a person is needed."""

    exit_code = ExitCode.ROLLBACK_FAILED


class StepError(MigratorError):
    """A step did not succeed. Unless it is a `Refused`, the step is in doubt and is probed."""


class Refused(StepError):
    """Proven that no effect was sent: a precondition did not hold, or the world said no before changing."""


class InDoubt(StepError):
    """Unknown whether the effect happened: a time-out, a cut connection, a cancelled call."""


class DeadlineExceeded(InDoubt):
    """The step's deadline passed, or its tool was silent for longer than allowed."""


class Interrupted(InDoubt):
    """The operator interrupted the step while it was at work."""
