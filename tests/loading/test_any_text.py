"""Whatever a file holds, the loader answers with a runbook or with its problems, and nothing else."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.loading.books import GOOD, load, told

ODD = (
    *(
        "",
        "null",
        "[]",
        "{}",
        "- x",
        "a: b",
        "${",
        "${steps.first}",
        "&a",
        "*a",
        "!!map",
        "'",
        "?",
        "|",
        ">-",
    ),
    *('"\\ud800"', "\t", "\x1b", "\u202e", "---", "...", "%YAML 2"),
    *("999999999999999999999", "1e999", "nan", ".inf", "first", "decide"),
)


@contextmanager
def folder() -> Iterator[Path]:
    with TemporaryDirectory() as name:
        yield Path(name)


@settings(max_examples=100, deadline=None)
@given(st.one_of(st.binary(max_size=300), st.text(max_size=300)))
def test_any_bytes(data: bytes | str) -> None:
    with folder() as where:
        assert told(where, data)


@settings(max_examples=150, deadline=None)
@given(st.integers(min_value=0), st.integers(min_value=1, max_value=6))
def test_any_damage_to_a_good_file(seed: int, times: int) -> None:
    dice = random.Random(seed)
    lines = GOOD.splitlines()
    for _ in range(times):
        at = dice.randrange(len(lines))
        match dice.randrange(5):
            case 0:
                del lines[at]
            case 1:
                lines.insert(at, lines[dice.randrange(len(lines))])
            case 2:
                lines[at] = lines[at].split(":")[0] + ": " + dice.choice(ODD)
            case 3:
                lines[at] = " " * dice.randrange(12) + lines[at].strip()
            case _:
                cut = dice.randrange(len(lines[at]) + 1)
                lines[at] = lines[at][:cut] + dice.choice(ODD) + lines[at][cut:]
        if not lines:
            return
    with folder() as where:
        text = "\n".join(lines) + "\n"
        if not told(where, text):
            load(where, text)
