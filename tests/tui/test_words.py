"""Words, painted text and sums: pure functions."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migrator.model.state import StepStatus
from migrator.tui import paint
from migrator.tui.paint import fit, folded, line, plain, sparkline
from migrator.tui.words import LOOKS, age, clock, duration, moment, plural, size, stopwatch
from tests.tui.story import START


def test_every_state_has_a_glyph_and_a_word_of_its_own() -> None:
    assert set(LOOKS) == set(StepStatus)
    assert len({look.word for look in LOOKS.values()}) == len(LOOKS)
    assert all(len(look.word) <= 8 and len(look.glyph) == 1 for look in LOOKS.values())


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0, "0.0 s"),
        (0.44, "0.4 s"),
        (9.96, "10 s"),
        (59.6, "1:00"),
        (187, "3:07"),
        (3849, "1:04:09"),
        (183_600, "2 d 03 h"),
    ],
)
def test_durations(seconds: float, told: str) -> None:
    assert duration(seconds) == told


def test_times_of_another_day_name_the_day() -> None:
    assert clock(START, START) == "02:00"
    assert clock(moment("2026-01-04T03:30:00+00:00"), START) == "Sun 04 Jan 03:30"
    assert clock(None, START) == ""
    assert age("2026-01-03T01:59:00+00:00", START) == "1:00 old"
    assert stopwatch(3725) == "1:02:05"
    assert moment("no time") is None


def test_sizes_and_counts() -> None:
    assert size(900) == "900 B"
    assert size(64 << 20) == "64.0 MiB"
    assert plural(1, "step") == "1 step"
    assert plural(2, "step is", "steps are") == "2 steps are"


def test_sparkline_fits_its_width() -> None:
    assert sparkline([0, 1, 2, 4], 4) == "▁▃▅█"
    assert sparkline([1], 3) == "  █"
    assert sparkline([], 2) == "  "
    assert sparkline([0, 0], 2) == "▁▁"
    assert sparkline([1, 2], 0) == ""


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60), st.integers(0, 40))
def test_a_fitted_text_is_exactly_as_wide(text: str, width: int) -> None:
    from rich.cells import cell_len

    assert cell_len(fit(text, width)) == width


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(alphabet="ab界 \n", max_size=50), min_size=1, max_size=4), st.integers(12, 40))
def test_folded_lines_fit_and_lose_no_letter(texts: list[str], width: int) -> None:
    from rich.cells import cell_len

    spans = line(*texts)
    rows = folded([spans], width)
    assert all(cell_len(part.rstrip()) <= width for part in plain(rows).split("\n"))
    assert "".join(plain(rows).split()) == "".join(plain([spans]).split())


def test_folded_text_goes_on_under_its_label() -> None:
    rows = folded([line(("Yes  ", "good"), "one two three four five six seven")], 20)
    assert plain(rows) == "Yes  one two three \n     four five six \n     seven"


@pytest.mark.parametrize(
    "hostile", ["\x1b]52;c;aGk=\x07x", "a\x9b31mb", "a\u202eb", "[bold]a[/bold]", "a\x00\x07b"]
)
def test_nothing_hostile_passes_the_door(hostile: str) -> None:
    for text in (
        paint.safe(hostile),
        paint.safe_block(hostile),
        plain([line(hostile)]),
        str(paint.content([line(hostile)])),
    ):
        assert "\x1b" not in text
        assert all(ord(c) >= 32 and not 0x7F <= ord(c) < 0xA0 and c != "\u202e" for c in text)
    if hostile.startswith("["):
        assert str(paint.content([line(hostile)])) == hostile
