"""Client programs as children of a step: started once, followed to their end, never started beside a living one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from migrator.contracts.context import StepContext
from migrator.contracts.process import Child, Command, Exit
from migrator.errors import InDoubt

_TAIL_LINES = 20


def new_folder(work: Path, name: str) -> Path:
    """A folder of this name that was not used before."""
    number = 1
    while (work / f"{name}-{number}").exists():
        number += 1
    return work / f"{name}-{number}"


def run(
    ctx: StepContext[Any], command: Command, folder: Path, tick: Callable[[], None]
) -> tuple[Exit, list[str]]:
    """Starts a child and follows it; its exit and the lines it wrote to stderr."""
    ctx.channel.command(command.argv)
    child = ctx.tools.processes.start(command, folder, ctx.channel.spawned)
    return follow(ctx, child, tick)


def follow(ctx: StepContext[Any], child: Child, tick: Callable[[], None]) -> tuple[Exit, list[str]]:
    """Follows a child to its end, whether it was started now or by an earlier runner."""
    errors: list[str] = []

    def note(line: str) -> None:
        if line.strip():
            errors.append(line)
            ctx.channel.log(line)

    done = ctx.tools.processes.follow(child, ctx.channel.log, note, tick)
    return done, errors


def follow_living(ctx: StepContext[Any]) -> None:
    """Waits for the end of every child that outlived its runner: nothing may write beside us."""
    for child in ctx.children:
        if ctx.tools.processes.alive(child):
            ctx.channel.log(f"{child.label} outlived the runner; it is followed to its end")
        follow(ctx, child, ctx.channel.check_cancelled)


def require_success(label: str, done: Exit, errors: list[str]) -> None:
    """Neither the exit code alone nor silence alone counts: both, or the step is in doubt."""
    if done.ok and not errors:
        return
    how = "wrote messages" if done.ok else f"ended with {done.reason} {done.code}"
    raise InDoubt(
        f"{label} {how}",
        where=str(done.stderr),
        detail="\n".join(errors[-_TAIL_LINES:]),
        next="correct the cause and retry the step",
    )
