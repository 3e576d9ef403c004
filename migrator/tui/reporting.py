"""The report as it stands, to read and to keep as a file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

from textual import work
from textual.binding import Binding, BindingType

from migrator.contracts.control import Control
from migrator.tui.dialogs import Dialog
from migrator.tui.feed import words_of
from migrator.tui.orders import aside
from migrator.tui.paint import Line, line

Form = Literal["md", "html", "json"]


class ReportScreen(Dialog[None]):
    """Markdown as text; `h`, `m` and `j` keep it as a file beside the run."""

    DEFAULT_CSS = """
    ReportScreen > .box { max-width: 130; height: 94%; max-height: 94%; }
    """
    widest = 130
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,enter", "leave", show=False),
        Binding("h", "keep('html')", show=False),
        Binding("m", "keep('md')", show=False),
        Binding("j", "keep('json')", show=False),
    ]

    def __init__(self, control: Control, folder: Path) -> None:
        super().__init__()
        self._control = control
        self._folder = folder
        self._text: list[Line] = [line(("reading …", "dim"))]

    def on_mount(self) -> None:
        """Reads it aside."""
        super().on_mount()
        self._read()

    @work(exclusive=True)
    async def _read(self) -> None:
        try:
            text = await aside(lambda: self._control.report(self._folder, "md"))
        except Exception as error:  # noqa: BLE001 - shown to the operator
            text = f"There is no report yet: {words_of(error)[0]}"
        self._text = [_painted(row) for row in text.split("\n")]
        self.redraw()

    def heading(self) -> str:
        """The title."""
        return "Report"

    def body(self) -> Sequence[Line]:
        """The report."""
        return self._text

    def keys(self) -> Line:
        """The keys."""
        return line(
            ("h", "key"), " keep as HTML   ", ("m", "key"), " Markdown   ",
            ("j", "key"), " JSON   ", ("Esc", "key"), " back",
        )  # fmt: skip

    @work(group="keep")
    async def action_keep(self, form: Form) -> None:
        """Writes the report into the run's folder and says where."""
        path = self._folder / f"report.{form}"
        try:
            text = await aside(lambda: self._control.report(self._folder, form))
            await aside(lambda: _write(path, text))
        except Exception as error:  # noqa: BLE001 - shown to the operator
            self.tell(line(("It could not be written: ", "bad"), words_of(error)[0]))
        else:
            self.tell(line(("Kept: ", "good"), str(path)))


def _painted(row: str) -> Line:
    return line((row, "head")) if row.startswith("#") else line(row)


def _write(path: Path, text: str) -> None:
    fresh = path.with_suffix(path.suffix + ".new")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    fresh.replace(path)
