"""P9: text from outside cannot steer the terminal, whatever it holds."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from migrator.sanitize import MAX_LINE_CHARACTERS, clean, clean_line

FORBIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)
PIECES = st.sampled_from(
    [
        *"\x1b\x9b\x9d\x90\x98\x9e\x9f\x9c\x07\x08\x00\x7f\r\n\t[]PX^_?;0123mKHJ\\ ab",
        "\x1b[",
        "\x1b]8;;",
        "\x1b\\",
        "\u202e",
        "\u2066",
        "\u200f",
        "\ufeff",
        "\ud800",
        "ä",
        "漢",
        "🙂",
    ]
)
HOSTILE = st.one_of(st.text(), st.lists(PIECES, max_size=40).map("".join))


@settings(deadline=None)
@given(HOSTILE)
@example("\x1b\x1b[31m[31m")
@example("\x1b]0;title\x07\x1b]8;;http://example.com\x1b\\link\x1b]8;;\x1b\\")
@example("\x9b2J\x9d52;c;Y2xpcA==\x9c")
def test_nothing_that_steers_survives_and_cleaning_again_changes_nothing(text: str) -> None:
    found = clean(text)
    assert not FORBIDDEN.search(found)
    assert clean(found) == found


@settings(deadline=None)
@given(HOSTILE, st.integers(1, 200))
def test_a_line_is_one_line_within_its_limit(text: str, limit: int) -> None:
    line = clean_line(text, limit)
    assert len(line) <= limit
    assert not FORBIDDEN.search(line)
    assert "\n" not in line
    assert "\t" not in line
    assert clean_line(line, limit) == line


@settings(deadline=None)
@given(st.text(alphabet=st.characters(codec="ascii", min_codepoint=0x20, max_codepoint=0x7E)))
def test_plain_text_is_kept(text: str) -> None:
    assert clean(text) == text


@pytest.mark.parametrize(
    ("dirty", "plain"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;owned\x07title", "title"),
        ("\x1b]8;;http://example.com\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bP1$r\x1b\\after", "after"),
        ("a\x9b31mb", "ab"),
        ("cut \x1b[3", "cut "),
        ("over\rwritten", "overwritten"),
        ("windows\r\nlines", "windows\nlines"),
        ("ab\u202egnp.exe", "abgnp.exe"),
        ("bell\x07", "bell"),
        ("ünïcode 漢字 🙂\tx", "ünïcode 漢字 🙂\tx"),
    ],
)
def test_known_tricks(dirty: str, plain: str) -> None:
    assert clean(dirty) == plain


@pytest.mark.parametrize("opener", ["\x1b]0;", "\x1bP", "\x9d", "\x90", "\x1b_"])
def test_an_unfinished_string_does_not_swallow_the_next_line(opener: str) -> None:
    assert clean(f"{opener}gone\nError: the disk is full").endswith("\nError: the disk is full")


def test_a_long_line_ends_in_an_ellipsis() -> None:
    line = clean_line("x" * 100_000)
    assert len(line) == MAX_LINE_CHARACTERS
    assert line.endswith("x…")


@pytest.mark.parametrize(
    "piece", ["\x1b[", "\x1b]", "\x1bP", "\x9d", "\x1b ", "\u202e", "a", "[0;", "\x1b[0;0;"]
)
def test_sixty_four_kibibytes_are_quick(piece: str) -> None:
    text = (piece * 65_536)[:65_536]
    started = time.process_time()
    clean(text)
    clean_line(text)
    assert time.process_time() - started < 0.5
