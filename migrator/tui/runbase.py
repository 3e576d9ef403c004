"""What the parts of the run screen share: the run that is known, the chosen step, and who looks."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from textual.screen import Screen
from textual.widget import Widget

from migrator.contracts.control import Control
from migrator.model.runbook import Step
from migrator.tui.feed import Where
from migrator.tui.logview import LogView
from migrator.tui.rows import Table
from migrator.tui.watch import Watch

Tab = Literal["step", "log", "terraform", "database", "traffic", "journal"]


class RunBase(Screen[None]):
    """One run on a screen. `following`: the chosen step is always the current one, until a person chooses.

    `folder` is the run's as soon as it is there.
    """

    def __init__(self, control: Control, where: Where, *, read_only: bool) -> None:
        super().__init__()
        self.control = control
        self.folder = where if isinstance(where, Path) else Path()
        self.read_only = read_only
        self.known: Watch | None = None
        self.chosen = ""
        self.following = True
        self.shown: Tab = "step"

    def step(self) -> Step | None:
        """The chosen step."""
        if self.known is None or not self.chosen:
            return None
        return self.known.runbook.step(self.chosen)

    def pane(self) -> Widget:
        """What the chosen tab shows."""
        if self.shown == "step":
            return self.query_one("#steppane")
        return self.query_one(LogView) if self.shown == "log" else self.query_one(Table)

    def logged_commands(self) -> list[str]:
        """Commands that the chosen step's log shows."""
        return self.query_one(LogView).commands

    def wide(self) -> bool:
        """Whether the step stays above the tabs."""
        raise NotImplementedError

    def redraw(self) -> None:
        """Paints everything that is known."""
        raise NotImplementedError

    def go_to(self, step: str) -> None:
        """Chooses a step."""
        raise NotImplementedError

    def action_current(self) -> None:
        """Shows where the run is, and stays with it."""
        raise NotImplementedError

    def action_tab(self, name: Tab) -> None:
        """Shows a tab and gives it the keys."""
        raise NotImplementedError

    def action_detach(self) -> None:
        """Leaves the screen; the run goes on."""
        self.dismiss()
