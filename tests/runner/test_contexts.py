"""The idempotency key of a step: legal everywhere, and no two steps share one."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from migrator.runner.contexts import step_key
from tests.runner.runs import habitcraft

RUNS = st.from_regex(r"[a-z][a-z0-9-]{0,30}-2026[0-9]{4}-[0-9]{6}-[0-9a-f]{4}", fullmatch=True)
STEPS = st.from_regex(r"[a-z][a-z0-9_]{0,60}", fullmatch=True)


@settings(deadline=None)
@given(RUNS, STEPS)
def test_a_key_is_short_and_of_few_characters_and_always_the_same(run: str, step: str) -> None:
    key = step_key(run, step)
    assert re.fullmatch(r"[a-z0-9-]{1,48}", key)
    assert step_key(run, step) == key


@settings(deadline=None)
@given(RUNS, st.lists(STEPS, min_size=2, max_size=20, unique=True))
def test_no_two_steps_of_a_run_share_a_key(run: str, steps: list[str]) -> None:
    assert len({step_key(run, step) for step in steps}) == len(steps)


@settings(deadline=None)
@given(st.lists(RUNS, min_size=2, max_size=10, unique=True), STEPS)
def test_no_two_runs_share_a_key(runs: list[str], step: str) -> None:
    assert len({step_key(run, step) for run in runs}) == len(runs)


def test_the_shipped_steps_have_keys_of_their_own() -> None:
    steps = [step.id for step in habitcraft().steps()]
    keys = {step_key("habitcraft-20260103-020000-3f9a", step) for step in steps}
    assert len(keys) == len(steps)
