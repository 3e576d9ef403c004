"""One line to type what is to be found; it is there only while it is used."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Input, Static

from migrator.tui.paint import content, line

Found = Callable[[str, bool], None]
"""Called with the text at each key, and with true at Enter."""


def _nothing(_text: str, _done: bool) -> None:
    """Before a search."""


class SearchBar(Horizontal):
    """Hidden until `open`. Escape takes the search back, Enter keeps it."""

    DEFAULT_CSS = """
    SearchBar { height: 1; display: none; background: $panel; }
    SearchBar.open { display: block; }
    SearchBar > Static { width: auto; padding: 0 1; color: $accent; }
    SearchBar > Input { border: none; height: 1; width: 1fr; padding: 0; background: $panel; }
    SearchBar > Input:focus { border: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "cancel", show=False)]

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - the framework's name
        super().__init__(id=id)
        self.place = ""
        self._found: Found = _nothing

    def compose(self) -> ComposeResult:
        """A label; the field comes when it is first used."""
        yield Static("", markup=False)

    def open(self, place: str, found: Found) -> None:
        """Asks for a text."""
        self.place, self._found = place, found
        self.query_one(Static).update(content([line(f"{place}:")]))
        self.add_class("open")
        fields = self.query(Input)
        if fields:
            fields.first().value = ""
            fields.first().focus()
        else:
            field = Input(max_length=200)
            self.mount(field)
            field.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """At each key."""
        event.stop()
        if self.has_class("open"):
            self._found(event.value, False)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter keeps what was found."""
        event.stop()
        self.remove_class("open")
        self._found(event.value, True)

    def action_cancel(self) -> None:
        """Escape: as if nothing had been typed."""
        self.remove_class("open")
        self._found("", True)
