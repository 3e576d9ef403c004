"""What the top of the screen says: time spent, time left, downtime, and the side of the point of no return."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from migrator.model.downtime import downtime
from migrator.model.runbook import Step, StepKind
from migrator.model.state import StepStatus, seconds_between
from migrator.tui.paint import Line, Span
from migrator.tui.watch import Watch
from migrator.tui.words import clock, duration, moment, run_look, stopwatch


@dataclass(frozen=True)
class Forecast:
    """Seconds still to go: shortest and longest. `decisions` and `unknown` count what has no length."""

    low: float
    high: float
    decisions: int
    unknown: int
    path: frozenset[str]
    """Steps of the longest chain: when one of them is late, the end is late."""


def elapsed_seconds(watch: Watch, now: datetime) -> float:
    """Seconds since the run began, up to its end."""
    began = moment(watch.state.created)
    ended = moment(watch.state.ended) or now
    return (ended - began).total_seconds() if began else 0.0


def forecast(watch: Watch, now: datetime) -> Forecast:
    """The longest chain of what is left, from the lengths of earlier runs or the author's estimates."""
    longest: dict[str, tuple[float, float, str]] = {}
    decisions = unknown = 0
    for step in watch.runbook.steps():
        if watch.step_status(step).settled:
            continue
        low, high, known = _left(watch, step, now)
        decisions += step.gate is not None
        unknown += not known
        before = [(longest[need], need) for need in step.needs if need in longest]
        start_low = max((found[0] for found, _ in before), default=0.0)
        start_high, chain = max(((found[1], need) for found, need in before), default=(0.0, ""))
        longest[step.id] = (start_low + low, start_high + high, chain)
    if not longest:
        return Forecast(0.0, 0.0, 0, 0, frozenset())
    last = max(longest, key=lambda name: longest[name][1])
    path = set()
    name = last
    while name:
        path.add(name)
        name = longest[name][2]
    low = max(found[0] for found in longest.values())
    return Forecast(low, longest[last][1], decisions, unknown, frozenset(path))


def _left(watch: Watch, step: Step, now: datetime) -> tuple[float, float, bool]:
    """Seconds a step still takes: shortest, longest, and whether anything is known of it."""
    state = watch.step(step)
    if step.kind is StepKind.WAIT and (until := moment(state.until)):
        left = max(0.0, (until - now).total_seconds())
        return left, left, True
    if step.gate is not None:
        return 0.0, 0.0, True
    low, high = watch.expected.get(step.id, (0.0, 0.0))
    known = step.id in watch.expected
    if not known and step.wait is not None:
        low = high = _wait_seconds(watch, step)
        known = high > 0
    if watch.step_status(step) is StepStatus.RUNNING:
        spent = seconds_between(state.started, now.isoformat())
        return max(0.0, low - spent), max(0.0, high - spent), known
    return low, high, known


def _wait_seconds(watch: Watch, step: Step) -> float:
    wait = step.wait
    if wait is None:
        return 0.0
    if watch.state.mode == "rehearse" and wait.rehearsal_seconds is not None:
        return wait.rehearsal_seconds
    told = wait.seconds if isinstance(wait.seconds, int | float) else 0.0
    return max(float(told), wait.at_least_seconds)


def expected_words(found: Forecast, now: datetime) -> str:
    """When the run will end, with its range, in words."""
    if not found.high and not found.unknown:
        return ""
    low, high = now + timedelta(seconds=found.low), now + timedelta(seconds=found.high)
    text = f"ends {clock(high, now)}"
    if (high - low).total_seconds() >= 60:
        same_day = low.astimezone(now.tzinfo).date() == high.astimezone(now.tzinfo).date()
        late = f"{high.astimezone(now.tzinfo):%H:%M}" if same_day else clock(high, now)
        text = f"ends {clock(low, now)}–{late}"
    if found.unknown:
        text += " or later"
    return text


def side_span(status: Mapping[str, object], *, short: bool) -> Span:
    """Which side of the point of no return, in words."""
    side = status["point_of_no_return"]
    if side == "none":
        return ("all can go back" if short else "every step of this run can go back", "dim")
    if side == "after":
        return ("PAST point of no return" if short else "PAST THE POINT OF NO RETURN", "bad")
    return ("before point of no return" if short else "before the point of no return", "good")


def mode_span(watch: Watch) -> Span:
    """What this run touches. A rehearsal is never mistaken for the real thing, nor the reverse."""
    state = watch.state
    if state.mode == "rehearse":
        return (" REHEARSAL on a twin ", "rehearsal")
    return (f" LIVE account {state.account} {state.region} ", "live")


def top_lines(watch: Watch, now: datetime, width: int, *, read_only: bool) -> list[Line]:
    """The two lines at the top, for a width in cells."""
    status, short = watch.status(), width < 110
    look = run_look(str(status["state"]))
    first: list[Span] = [mode_span(watch), (f" {watch.state.runbook} ", "strong")]
    first.append((f"{look.glyph} {look.word}", look.tone))
    if read_only:
        first.append(("  WATCHING ONLY" if short else "  WATCHING ONLY, press s to steer", "ask"))
    elif not watch.alive and not watch.state.outcome:
        first.append(("  nobody leads it", "bad"))
    if not short:
        first.append((f"   run {watch.state.run_id}", "dim"))
        if watch.state.mode == "rehearse":
            first.append(("   nothing real is touched", "dim"))
    second: list[Span] = [(f" {stopwatch(elapsed_seconds(watch, now))}", "strong")]
    if not watch.state.outcome:
        found = forecast(watch, now)
        if watch.state.mode == "rehearse" and not watch.expected:
            second.append(("  first rehearsal, end not known", "dim"))
        elif words := expected_words(found, now):
            second.append((f"  {words}", ""))
        if found.decisions and not short:
            second.append((f" + {found.decisions} decision{'s' * (found.decisions > 1)}", "dim"))
    if window := downtime(watch.state, watch.runbook, now):
        word = "DOWN" if short else "USERS WAIT" if window.running else "users waited"
        if short and not window.running:
            word = "was down"
        tone: Span = (f"  {word} {stopwatch(window.seconds)}", "bad" if window.running else "dim")
        second.append(tone)
    elif not short:
        second.append(("  users notice nothing yet", "dim"))
    second += [("  ", ""), side_span(status, short=short)]
    return [tuple(first), tuple(second)]


def step_time(watch: Watch, step: Step, now: datetime) -> str:
    """Time a step took, takes, or is expected to take."""
    state, status = watch.step(step), watch.step_status(step)
    if status is StepStatus.RUNNING:
        return duration(state.seconds + seconds_between(state.started, now.isoformat()))
    if status is StepStatus.WAITING and state.until and (until := moment(state.until)):
        return f"-{duration((until - now).total_seconds())}"
    if status is StepStatus.WAITING:
        return ""
    if state.seconds:
        return duration(state.seconds)
    high = watch.expected.get(step.id, (0.0, 0.0))[1]
    if status is StepStatus.PENDING and high:
        return f"~{duration(high)}"
    return ""
