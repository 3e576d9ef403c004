"""The live log of a step: follow or hold, search, filter, copy."""

from __future__ import annotations

import re
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message

from migrator.tui.logtail import Files, Lines, LineStore, LogTail
from migrator.tui.paint import Line, Span, line
from migrator.tui.rows import Rows

_COMMAND = re.compile(r"^(?:\d\d:\d\d:\d\d(?:\.\d+)? )?\$ (.+)$")
_STAMP = re.compile(r"^\d\d:\d\d:\d\d(?:\.\d+)? ")
_MOST_COMMANDS = 200


class Stands(Message):
    """The log follows or holds, or searches for something else."""


class LogView(Rows):
    """Lines of one log file. It follows the end until somebody scrolls up."""

    DEFAULT_CSS = "LogView { overflow-x: auto; scrollbar-size-horizontal: 0; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f", "follow", "follow or hold"),
        Binding("n", "next_match(1)", "next match", show=False),
        Binding("N", "next_match(-1)", "match before", show=False),
        Binding("ampersand", "filter", "only matching lines", show=False),
    ]
    has_cursor = True

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - the framework's name
        super().__init__(id=id, classes=classes)
        self.store = LineStore()
        self._following = True
        self.needle = ""
        self.only_matching = False
        self.commands: list[str] = []
        self._matches: list[int] = []
        self._widest = 0
        self._tail = LogTail(self)

    @property
    def following(self) -> bool:
        """Whether the view stays at the end."""
        return self._following

    @following.setter
    def following(self, value: bool) -> None:
        if value != self._following:
            self._following = value
            self.post_message(Stands())

    def show_files(self, files: Files) -> None:
        """Follows one log, or several together."""
        self._tail.follow(files)

    def on_unmount(self) -> None:
        """Ends the reading thread."""
        self._tail.stop()

    def on_lines(self, message: Lines) -> None:
        """New lines have come."""
        message.stop()
        if message.fresh:
            self.store.clear()
            self.commands, self._matches, self._widest, self.cursor = [], [], 0, 0
        self._take(message.lines)

    def _take(self, lines: list[str]) -> None:
        before = self.row_count()
        start = self.store.dropped + len(self.store.lines)
        gone = self.store.add(lines)
        for number, text in enumerate(lines):
            if "$ " in text[:20] and (found := _COMMAND.match(text)):
                self.commands = [*self.commands, found[1]][-_MOST_COMMANDS:]
            if self.needle and self.needle in text.casefold():
                self._matches.append(start + number)
        if gone and self._matches:
            self._matches = [m for m in self._matches if m >= self.store.dropped]
        if lines:
            self._widest = max(self._widest, *map(len, lines))
        self.resized()
        if self.following:
            self.to_end()
        elif gone and not self.only_matching:
            kept_in_place = max(0, self.scroll_offset.y - max(0, before + len(lines) - self.row_count()))
            self.cursor = max(0, self.cursor - gone)
            self.scroll_to(y=kept_in_place, animate=False, force=True)

    def on_resize(self) -> None:
        """In another room the end is elsewhere."""
        if self.following:
            self.to_end()

    def to_end(self) -> None:
        """Shows the newest line."""
        self.cursor = max(0, self.row_count() - 1)
        self.scroll_to(y=self.max_scroll_y, animate=False, force=True)

    def row_count(self) -> int:
        """Lines in the view."""
        return len(self._matches) if self.only_matching else len(self.store.lines)

    def row_width(self) -> int:
        """Cells of the widest line."""
        return self._widest

    def text_at(self, index: int) -> str:
        """The text of one row."""
        if self.only_matching:
            index = self._matches[index] - self.store.dropped
        return self.store.lines[index] if 0 <= index < len(self.store.lines) else ""

    def row(self, index: int) -> Line:
        """One painted row: the time dim, commands bold, matches marked."""
        text = self.text_at(index)
        stamp = _STAMP.match(text)
        spans: list[Span] = [(stamp[0], "dim")] if stamp else []
        body = text[stamp.end() :] if stamp else text
        if body.startswith("$ "):
            spans.append((body, "key"))
        elif self.needle and self.needle in body.casefold():
            spans += marked(body, self.needle)
        else:
            spans.append((body, ""))
        return tuple(spans) if spans else line("")

    def search(self, needle: str) -> int:
        """Marks a text, whatever its case; gives the number of lines that hold it."""
        self.needle = needle.casefold()
        self.post_message(Stands())
        dropped = self.store.dropped
        self._matches = (
            [dropped + i for i, text in enumerate(self.store.lines) if self.needle in text.casefold()]
            if self.needle
            else []
        )
        if not self.needle:
            self.only_matching = False
        self.resized()
        return len(self._matches)

    def action_next_match(self, step: int) -> None:
        """The next line that holds the searched text, from the chosen one on; it begins anew at the end."""
        if not self._matches or self.only_matching:
            return
        here = self.cursor + self.store.dropped
        ahead = [m for m in self._matches if (m > here if step > 0 else m < here)]
        wanted = (ahead[0] if step > 0 else ahead[-1]) if ahead else self._matches[0 if step > 0 else -1]
        self.following = False
        self.move_to(wanted - self.store.dropped)

    def move_to(self, index: int) -> None:
        """Chooses a row and brings it into sight."""
        self.cursor = max(0, min(index, self.row_count() - 1))
        top, height = self.scroll_offset.y, self.scrollable_content_region.height
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False, force=True)
        elif self.cursor >= top + height:
            self.scroll_to(y=self.cursor - height + 1, animate=False, force=True)
        self.refresh()

    def action_filter(self) -> None:
        """Only lines that hold the searched text, or all again."""
        self.only_matching = bool(self.needle) and not self.only_matching
        self.post_message(Stands())
        self.cursor = 0
        self.resized()
        self.to_end()

    def action_follow(self) -> None:
        """Follows the end, or holds still."""
        self.following = not self.following
        if self.following:
            self.to_end()
        self.refresh()

    def action_scroll_up(self) -> None:
        """One line up; the view holds still from now on."""
        self.following = False
        self.move_to(self.cursor - 1)

    def action_scroll_down(self) -> None:
        """One line down; at the end the view follows again."""
        self.move_to(self.cursor + 1)
        self.following = self.cursor >= self.row_count() - 1

    def action_page_up(self) -> None:
        """One page up."""
        self.following = False
        self.move_to(self.cursor - max(1, self.scrollable_content_region.height - 1))

    def action_page_down(self) -> None:
        """One page down."""
        self.move_to(self.cursor + max(1, self.scrollable_content_region.height - 1))
        self.following = self.cursor >= self.row_count() - 1

    def action_scroll_home(self) -> None:
        """The oldest line held."""
        self.following = False
        self.move_to(0)

    def action_scroll_end(self) -> None:
        """The newest line; the view follows."""
        self.following = True
        self.to_end()
        self.refresh()

    def on_mouse_scroll_up(self) -> None:
        """Reading back holds the view still."""
        self.following = False

    def standing(self) -> str:
        """What the view does now, in words."""
        told = "following" if self.following else "HELD, f follows"
        if self.store.dropped:
            told += f"; {self.store.dropped:,} earlier lines are only in the file"
        if self.needle:
            told += f"; {len(self._matches):,} lines match"
            told += ", only those shown" if self.only_matching else ", n next, & only those"
        return told


def marked(text: str, needle: str) -> list[Span]:
    """`text` with every place of `needle` marked; `needle` is in lower case."""
    spans: list[Span] = []
    low, position = text.casefold(), 0
    if len(low) != len(text):
        return [(text, "mark")]
    while (found := low.find(needle, position)) >= 0:
        if found > position:
            spans.append((text[position:found], ""))
        spans.append((text[found : found + len(needle)], "mark"))
        position = found + len(needle)
    if position < len(text):
        spans.append((text[position:], ""))
    return spans
