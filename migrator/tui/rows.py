"""A scrolling view that paints only the lines in sight, however many there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.color import Color
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from migrator.tui.paint import Line, plain, safe_keep

_WIDEST = 4_100
TONES: dict[str, tuple[str, float, str, str]] = {
    "": ("foreground", 1.0, "", ""),
    "dim": ("foreground", 0.65, "", ""),
    "strong": ("foreground", 1.0, "", "bold"),
    "head": ("accent", 1.0, "", "bold"),
    "good": ("success", 1.0, "", ""),
    "busy": ("primary", 1.0, "", "bold"),
    "ask": ("warning", 1.0, "", "bold"),
    "bad": ("error", 1.0, "", "bold"),
    "mark": ("background", 1.0, "warning", "bold underline"),
    "rehearsal": ("rehearsal-text", 1.0, "rehearsal", "bold"),
    "live": ("live-text", 1.0, "live", "bold"),
    "key": ("accent", 1.0, "", "bold"),
    "cursor": ("foreground", 1.0, "cursor", ""),
}
"""A tone's colour, how strong it is, what lies under it, and its weight. Names are those of the theme."""


class Rows(ScrollView, can_focus=True):
    """Base of the log, the tree and the tables. Children give `row_count` and `row`.

    With `has_cursor` one row is chosen; it carries a glyph as well as a colour.
    """

    DEFAULT_CSS = """
    Rows { height: 1fr; background: $surface; color: $foreground; scrollbar-size-vertical: 1;
           scrollbar-size-horizontal: 1; overflow-x: hidden;
           scrollbar-background: $surface; scrollbar-color: $secondary 50%; scrollbar-corner-color: $surface; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "scroll_down", show=False),
        Binding("k", "scroll_up", show=False),
    ]
    has_cursor = False

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - the framework's name
        super().__init__(id=id, classes=classes)
        self.cursor = 0
        self._styles: dict[str, Style] = {}

    def row_count(self) -> int:
        """How many rows there are."""
        raise NotImplementedError

    def row(self, index: int) -> Line:
        """One row."""
        raise NotImplementedError

    def row_width(self) -> int:
        """Cells of the longest row; 0 when rows are cut at the view's width."""
        return 0

    def resized(self) -> None:
        """Tells the view that rows were added or taken away."""
        self.virtual_size = Size(min(_WIDEST, self.row_width()), self.row_count())
        self.refresh()

    def watch_has_focus(self, has_focus: bool) -> None:
        """The chosen row is stronger where the keys go."""
        super().watch_has_focus(has_focus)
        self._styles = {}

    def notify_style_update(self) -> None:
        """The theme or the focus has changed."""
        self._styles = {}
        super().notify_style_update()

    def style_of(self, tone: str) -> Style:
        """The terminal style of a tone, as the theme and the focus have it."""
        found = self._styles.get(tone)
        if found is None:
            found = self._style(tone)
            self._styles[tone] = found
        return found

    def _style(self, tone: str) -> Style:
        """Made by hand: a component class a tone would cost every view some milliseconds."""
        name, share, ground, text = TONES[tone]
        colors = self.app.theme_variables
        under = self.background_colors[1]
        if ground == "cursor":
            below = under.blend(Color.parse(colors["primary"]), 0.35 if self.has_focus else 0.15)
        else:
            below = Color.parse(colors[ground]) if ground else under
        color = below.blend(Color.parse(colors[name]), share)
        return Style(
            color=color.rich_color,
            bgcolor=below.rich_color,
            bold="bold" in text,
            underline="underline" in text,
        )

    def render_line(self, y: int) -> Strip:
        """One line of the view, in cells."""
        scroll_x, scroll_y = self.scroll_offset
        index, width = scroll_y + y, self.scrollable_content_region.width
        base = self.style_of("")
        if index >= self.row_count():
            return Strip.blank(width, base)
        segments = [Segment(safe_keep(text), self.style_of(tone)) for text, tone in self.row(index)]
        strip = Strip(segments).crop_extend(scroll_x, scroll_x + width, base)
        if self.has_cursor and index == self.cursor:
            chosen = self.style_of("cursor")
            strip = strip.apply_style(Style(bgcolor=chosen.bgcolor, bold=True))
        return strip


class Resized(Message):
    """A table has another width."""


class Table(Rows):
    """Lines that are replaced as a whole: resources, tables, figures, records."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - the framework's name
        super().__init__(id=id, classes=classes)
        self._lines: Sequence[Line] = ()
        self.only = ""

    def row_count(self) -> int:
        """How many rows pass the filter."""
        return len(self._lines)

    def row(self, index: int) -> Line:
        """One row."""
        return self._lines[index]

    def on_resize(self) -> None:
        """What was laid out for another width is laid out anew."""
        self.post_message(Resized())

    def show(self, lines: Sequence[Line]) -> None:
        """New lines; those without the filter's text are left out. The view follows when it stood at the end."""
        wanted = self.only.casefold()
        kept = [row for row in lines if not wanted or wanted in plain([row]).casefold()]
        if kept == list(self._lines):
            return
        at_end = bool(self._lines) and self.follows and self.is_vertical_scroll_end
        self._lines = kept
        self.resized()
        if at_end:
            self.scroll_end(animate=False, force=True)

    follows = False

    def text(self) -> str:
        """Everything shown, for the clipboard."""
        return plain(self._lines)
