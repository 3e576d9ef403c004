"""What all read-only actions share: four of the five verbs have nothing to do."""

from __future__ import annotations

from typing import Any

from migrator.contracts.action import Preview, Probe, Verdict
from migrator.contracts.context import StepContext


class Read:
    """A read-only action looks at the world in `verify`; it changes nothing and leaves nothing to take back."""

    def preview(self, ctx: StepContext[Any]) -> Preview:  # noqa: ARG002 - a verb
        """No change."""
        return Preview(())

    def probe(self, ctx: StepContext[Any]) -> Probe:  # noqa: ARG002 - a verb
        """Nothing is kept: what is read is read again."""
        return Probe(Verdict.ABSENT, "a read leaves nothing behind")

    def apply(self, ctx: StepContext[Any]) -> None:
        """No effect."""

    def undo(self, ctx: StepContext[Any]) -> None:
        """Nothing to take back."""
