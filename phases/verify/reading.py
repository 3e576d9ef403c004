"""What all read-only actions share: everything is done by `verify`, which polls until green or too late."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from migrator.contracts.action import ActionSpec, Preview, Probe, Verdict, Verification
from migrator.contracts.context import StepContext

P = TypeVar("P")

_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.5, 5.0


class ReadOnly(ABC, Generic[P]):
    """An action that only looks."""

    spec: ActionSpec

    def preview(self, ctx: StepContext[P]) -> Preview:  # noqa: ARG002 - asked by the protocol
        """Nothing changes."""
        return Preview(())

    def probe(self, ctx: StepContext[P]) -> Probe:  # noqa: ARG002 - asked by the protocol
        """A look leaves nothing to find."""
        return Probe(Verdict.ABSENT, "a read-only look, it leaves nothing behind")

    def apply(self, ctx: StepContext[P]) -> None:
        """Nothing is changed; `verify` looks."""

    @abstractmethod
    def verify(self, ctx: StepContext[P]) -> Verification:
        """The look itself."""

    def undo(self, ctx: StepContext[P]) -> None:
        """Nothing was changed."""


def until_green(
    ctx: StepContext[Any], timeout_seconds: float, look: Callable[[], Verification]
) -> Verification:
    """Looks again and again until all checks are green or the time is over; the newest look."""
    started = ctx.tools.clock.now()
    pause = _FIRST_PAUSE_SECONDS
    while True:
        found = look()
        left = timeout_seconds - (ctx.tools.clock.now() - started).total_seconds()
        if found.ok or left <= 0:
            return found
        red = next((check for check in found.checks if not check.ok), None)
        ctx.channel.progress(f"not yet: {red.name}: {red.detail}" if red else "not yet: nothing was seen")
        ctx.channel.check_cancelled()
        ctx.channel.sleep(min(pause, left))
        pause = min(pause * 1.5, _LONGEST_PAUSE_SECONDS)
