"""The door for text from outside: control sequences out, length bounded."""

from __future__ import annotations

import re

MAX_LINE_CHARACTERS = 4_000

# CSI, OSC, DCS/SOS/PM/APC with their terminators, then two-byte escapes. None of them swallows a further line.
_SEQUENCES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
    r"|(?:\x1b\]|\x9d)[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?"
    r"|(?:\x1b[PX^_]|[\x90\x98\x9e\x9f])[^\x1b\x9c\n]*(?:\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]?"
)
# C0 but tab and newline, DEL, C1, bidi controls and marks, zero-width joiners, line separators, surrogates, BOM.
_CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)


def clean(text: str) -> str:
    """`text` without escape sequences, control and bidi characters; newlines and tabs stay."""
    if text.isascii() and text.isprintable():
        return text
    return _CONTROLS.sub("", _SEQUENCES.sub("", text.replace("\r\n", "\n")))


def clean_line(text: str, limit: int = MAX_LINE_CHARACTERS) -> str:
    """One line of `text`: cleaned, without line breaks, at most `limit` characters."""
    if len(text) > limit * 4:
        text = text[: limit * 4]
    line = clean(text).replace("\n", " ").replace("\t", "    ").rstrip()
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
