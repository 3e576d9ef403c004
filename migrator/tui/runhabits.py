"""Habits of the run screen: find, copy, edit, help, report."""

from __future__ import annotations

from pathlib import Path

from migrator.tui.logview import LogView
from migrator.tui.paint import line, plain
from migrator.tui.rows import Table
from migrator.tui.runbase import RunBase
from migrator.tui.runkeys import HELP
from migrator.tui.searchbar import SearchBar
from migrator.tui.steptext import commands_of, step_lines
from migrator.tui.steptree import Chosen, StepTree
from migrator.tui.timekeeping import now_of


class Habits(RunBase):
    """The keys that take something along."""

    def action_search(self) -> None:
        """Finds steps in the tree, or lines in the tab that has the keys."""
        in_tree = self.query_one(StepTree).has_focus or self.shown == "step"
        self.query_one(SearchBar).open("find a step" if in_tree else f"find in {self.shown}", self._find)

    def _find(self, text: str, done: bool) -> None:
        bar, tree = self.query_one(SearchBar), self.query_one(StepTree)
        if bar.place == "find a step":
            tree.filter(text)
            if done:
                tree.focus()
                if step := tree.chosen():
                    self.post_message(Chosen(step))
            return
        pane = self.pane()
        if isinstance(pane, LogView):
            pane.search(text)
            if done:
                pane.action_next_match(-1)
        elif isinstance(pane, Table):
            pane.only = text
        if done:
            pane.focus()
        self.redraw()

    def action_clear(self) -> None:
        """Escape: away with filters, then back to the tree."""
        self.query_one(StepTree).filter("")
        self.query_one(LogView).search("")
        self.query_one(Table).only = ""
        self.query_one(StepTree).focus()
        self.redraw()

    def copyable(self) -> str:
        """What `y` copies: the chosen log line, else the step's newest real command, else its id."""
        focused = self.focused
        if isinstance(focused, LogView) and focused.row_count():
            return focused.text_at(focused.cursor)
        if self.known is not None and (step := self.step()):
            found = commands_of(self.known, step, self.query_one(LogView).commands)
            return found[-1] if found else step.id
        return ""

    def action_copy(self) -> None:
        """Copies one line or command."""
        self.copy(self.copyable())

    def action_copy_all(self) -> None:
        """Copies the whole of what the chosen tab shows; of a log the newest 2,000 lines."""
        pane = self.pane()
        if isinstance(pane, LogView):
            self.copy("\n".join(pane.store.lines[-2_000:]))
        elif isinstance(pane, Table):
            self.copy(pane.text())
        elif self.known is not None and (step := self.step()):
            self.copy(plain(step_lines(self.known, step, now_of(self), self.query_one(LogView).commands)))

    def copy(self, text: str) -> None:
        """Puts cleaned text on the clipboard, on a person's key."""
        if not text:
            return
        self.app.copy_to_clipboard(plain([line(text)]))
        first = text.split("\n", 1)[0]
        self.app.notify(f"Copied: {first[:60]}{'…' if len(text) > 60 else ''}", markup=False, timeout=2)

    def action_edit(self) -> None:
        """The runbook at the step's line, in the operator's editor."""
        step = self.step()
        if self.known is None or step is None:
            return
        from migrator.tui.outside import look_at

        try:
            with self.app.suspend():
                told = look_at(Path(self.known.runbook.file), step.line)
        except OSError as error:
            told = f"The runbook cannot be opened: {error.strerror}"
        if told:
            self.app.notify(told, markup=False, timeout=10)

    def action_help(self) -> None:
        """The keys of this view."""
        from migrator.tui.dialogs import Tell

        self.app.push_screen(Tell("Keys", HELP))

    def action_report(self) -> None:
        """The report as it stands, and where it is kept."""
        from migrator.tui.reporting import ReportScreen

        self.app.push_screen(ReportScreen(self.control, self.folder))
