"""The Markdown form: tables stay tables, and text from outside stays text."""

from __future__ import annotations

import re

import pytest

from migrator.report import to_markdown
from tests.report.stories import HOSTILE, full, hostile, troubled

_UNESCAPED_BAR = re.compile(r"(?<!\\)\|")


def tables(text: str) -> list[list[str]]:
    """Every table's lines."""
    found: list[list[str]] = []
    before = ""
    for line in text.splitlines():
        if line.startswith("|"):
            if not before.startswith("|"):
                found.append([])
            found[-1].append(line)
        before = line
    return found


@pytest.mark.parametrize("text", [*HOSTILE, "a|b", "\\", "\\|", "`|`", "_a_ b_c 1. x"])
def test_hostile_text_keeps_every_table_whole(text: str) -> None:
    page = to_markdown(hostile(text).report)
    for lines in tables(page):
        assert len({len(_UNESCAPED_BAR.findall(line.replace("\\\\", ""))) for line in lines}) == 1, lines
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]", page)


def test_hostile_text_makes_no_markup() -> None:
    for text in HOSTILE:
        page = to_markdown(hostile(text).report)
        outside_code = re.sub(r"`[^`\n]*`", "", page)
        assert "<" not in outside_code
        assert not re.search(r"(?<!\\)\]\(", outside_code)
        assert not re.search(r"(?<!\\)!\[", outside_code)
        headings = [line for line in page.splitlines() if line.startswith("#")]
        assert all(not line.lstrip("#").strip().startswith("heading") for line in headings[1:])


def test_plain_text_is_left_as_it_is() -> None:
    page = to_markdown(full().report)
    assert "| www.example.com | CNAME old | A alias new |" in page
    assert "| test/registry | 4 | 1 | 0 | 8.0 s |" in page
    assert "✓ **Done** · Rehearsal on a twin" in page
    assert "| Terraform and PostgreSQL together | 24.0 s | 48.0% |" in page
    assert "Not as it should be" not in page


def test_trouble_stands_above_the_rest() -> None:
    page = to_markdown(troubled().report)
    assert page.index("Not as it should be") < page.index("Phases and steps")
    assert "skipped (made by hand)" in page
    assert "Not measured." in page, "leftovers were not looked for"
