"""Painted text: spans with a tone, cleaned at this one door before anything reaches the terminal."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal, TypeAlias

from textual.content import Content

from migrator.sanitize import clean, clean_line

Tone: TypeAlias = Literal[
    "", "dim", "strong", "head", "good", "busy", "ask", "bad", "mark", "rehearsal", "live", "key"
]
Span: TypeAlias = tuple[str, Tone]
Line: TypeAlias = tuple[Span, ...]

_STYLES: dict[str, str] = {
    "": "",
    "dim": "$foreground 65%",
    "strong": "bold",
    "head": "bold $accent",
    "good": "$success",
    "busy": "bold $primary",
    "ask": "bold $warning",
    "bad": "bold $error",
    "mark": "reverse",
    "rehearsal": "bold $rehearsal-text on $rehearsal",
    "live": "bold $live-text on $live",
    "key": "bold $accent",
}
_LONGEST_TEXT = 64_000


def line(*spans: str | Span) -> Line:
    """A line of spans; plain text has no tone."""
    return tuple((span, "") if isinstance(span, str) else span for span in spans)


def safe(text: str) -> str:
    """One line of any text, fit for a terminal."""
    return clean_line(text)


def safe_keep(text: str) -> str:
    """One line of any text, fit for a terminal, with its trailing spaces, which columns need."""
    cleaned = clean_line(text)
    return cleaned + " " * (len(text) - len(text.rstrip(" "))) if text.endswith(" ") else cleaned


def safe_block(text: str) -> str:
    """Several lines of any text, fit for a terminal; at most 64,000 characters."""
    cut = text[: _LONGEST_TEXT * 2]
    cleaned = "\n".join(safe_keep(part) for part in clean(cut).split("\n"))
    return cleaned if len(cleaned) <= _LONGEST_TEXT else cleaned[: _LONGEST_TEXT - 1] + "…"


def content(lines: Iterable[Line]) -> Content:
    """Lines as a widget shows them. A span may hold line breaks. Nothing is read as markup."""
    parts: list[str | tuple[str, str]] = []
    for number, spans in enumerate(lines):
        if number:
            parts.append("\n")
        parts.extend((safe_block(text), _STYLES[tone]) for text, tone in spans)
    return Content.assemble(*parts)


def folded(lines: Iterable[Line], width: int) -> list[Line]:
    """Lines broken between words at a width in cells. What goes on below stands under the text, not the label."""
    rows: list[Line] = []
    for spans in lines:
        cleaned: list[Span] = [(safe_block(text), tone) for text, tone in spans]
        if sum(len(text) for text, _ in cleaned) <= width // 2 or width < 12:
            rows.append(tuple(cleaned))
        else:
            rows += _fold(cleaned, width)
    return rows


def _hang(spans: Sequence[Span], width: int) -> int:
    """Cells under which a broken line goes on: its own indent, and its label when it begins with one."""
    whole = "".join(text for text, _ in spans)
    hang = len(whole) - len(whole.lstrip(" "))
    if len(spans) > 1:
        label = ""
        for text, tone in spans[:-1]:
            label += text
            if tone and text.endswith(" ") and text.strip():
                hang = max(hang, len(label))
                break
    return hang if hang <= min(16, width // 3) else 2


def _fold(spans: Sequence[Span], width: int) -> list[Line]:
    from rich.cells import cell_len, chop_cells

    hang = _hang(spans, width)
    rows: list[list[Span]] = [[]]
    used = 0
    for text, tone in spans:
        for number, part in enumerate(text.split("\n")):
            if number:
                rows.append([])
                used = 0
            for word in re.findall(r"\S+ *| +", part):
                room = cell_len(word.rstrip(" "))
                if used + room > width and used > hang:
                    rows.append([(" " * hang, "")])
                    used = hang
                for piece in [word] if room <= width - used else chop_cells(word, max(1, width - hang)):
                    if used + cell_len(piece.rstrip(" ")) > width:
                        rows.append([(" " * hang, "")])
                        used = hang
                    rows[-1].append((piece, tone))
                    used += cell_len(piece)
    return [tuple(row) for row in rows]


def plain(lines: Iterable[Line]) -> str:
    """The same lines without tones, for the clipboard and for tests."""
    return "\n".join("".join(safe_block(text) for text, _ in spans) for spans in lines)


def fit(text: str, width: int) -> str:
    """One cleaned line cut or padded to a width, counted in terminal cells."""
    from rich.cells import cell_len, set_cell_size

    text = safe(text)
    size = cell_len(text)
    if size > width:
        return set_cell_size(text, max(0, width - 1)) + "…" if width > 0 else ""
    return text + " " * (width - size)


SPARKS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float], width: int) -> str:
    """The last `width` values as bars from 0 to their highest; a space stands for no value."""
    shown = list(values)[-width:] if width > 0 else []
    top = max(shown, default=0.0)
    bars = "".join(
        SPARKS[min(len(SPARKS) - 1, int(value / top * (len(SPARKS) - 1) + 0.5))] if top > 0 else SPARKS[0]
        for value in shown
    )
    return bars.rjust(width)


def bar(done: float, total: float, width: int) -> str:
    """A bar of `width` cells for a share of a total."""
    share = 0.0 if total <= 0 else min(1.0, max(0.0, done / total))
    filled = int(share * width)
    return "█" * filled + "░" * (width - filled)
