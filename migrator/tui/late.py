"""A control that is made when it is first used, so that a screen stands before heavy modules are loaded."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Literal

    from migrator.contracts.control import Control, RunSummary, RunView, ShippedRunbook, StartOptions


class LateControl:
    """Stands in for the control that `make` gives. May be used from any thread."""

    def __init__(self, make: Callable[[], Control]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._made: Control | None = None

    def _control(self) -> Control:
        with self._lock:
            if self._made is None:
                self._made = self._make()
            return self._made

    def runs(self) -> Sequence[RunSummary]:
        """All runs here."""
        return self._control().runs()

    def runbooks(self) -> Sequence[ShippedRunbook]:
        """The shipped runbooks."""
        return self._control().runbooks()

    def begin(self, target: str, mode: Literal["rehearse", "run"], options: StartOptions) -> Path:
        """Creates a run and starts its runner."""
        return self._control().begin(target, mode, options)

    def resume(self, folder: Path, options: StartOptions) -> bool:
        """Starts a runner on an unfinished run."""
        return self._control().resume(folder, options)

    def open(self, folder: Path) -> RunView:
        """A look at a run."""
        return self._control().open(folder)

    def order(
        self,
        folder: Path,
        command: str,
        *,
        step: str = "",
        reason: str = "",
        confirm: str = "",
        shown: str = "",
    ) -> int:
        """Leaves a command for the runner."""
        return self._control().order(folder, command, step=step, reason=reason, confirm=confirm, shown=shown)

    def answer(self, folder: Path, order_id: int) -> str | None:
        """Why a command was refused; empty when it was not; none until it was taken."""
        return self._control().answer(folder, order_id)

    def report(self, folder: Path, form: Literal["md", "html", "json"]) -> str:
        """The report as it stands now."""
        return self._control().report(folder, form)
