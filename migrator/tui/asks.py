"""What the run wants from a person now, in one line, and the key that answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from migrator.model.records import Kind
from migrator.model.state import StepStatus
from migrator.tui.paint import Tone
from migrator.tui.watch import Watch
from migrator.tui.words import clock, duration, moment, plural

Want = Literal["decision", "trouble", "lead", "continue", "time", "nothing", "ended"]


@dataclass(frozen=True)
class Ask:
    """The most urgent thing. `person` when nothing goes on without one."""

    want: Want
    step: str
    text: str
    key: str
    tone: Tone

    @property
    def person(self) -> bool:
        """Whether somebody has to act."""
        return self.want in ("decision", "trouble", "lead", "continue")


def ask(watch: Watch, now: datetime) -> Ask:
    """What comes first: trouble, a missing runner, a decision, a pause; else what goes on by itself."""
    state = watch.state
    if state.outcome:
        tone: Tone = "good" if state.outcome == "done" else "ask"
        return Ask("ended", "", f"The run has ended: {state.outcome.replace('_', ' ')}.", "R report", tone)
    troubled = [s for s in watch.troubled() if watch.step_status(s) is not StepStatus.IN_DOUBT]
    if troubled and watch.alive:
        step = troubled[0]
        word = {StepStatus.BLOCKED: "is blocked", StepStatus.UNDO_FAILED: "could not be undone"}
        told = word.get(watch.step_status(step), "has failed")
        return Ask(
            "trouble", step.id, f"{step.title}: {told}. You choose how to go on.", "Enter choices", "bad"
        )
    if not watch.alive:
        doubt = watch.with_status(StepStatus.IN_DOUBT)
        if doubt:
            text = f"Nobody leads this run, and {plural(len(doubt), 'step is', 'steps are')} in doubt."
        else:
            text = "Nobody leads this run. It stands still."
        return Ask("lead", doubt[0].id if doubt else "", text, "r go on", "bad")
    doubt = watch.with_status(StepStatus.IN_DOUBT)
    if doubt and state.paused:
        step = doubt[0]
        return Ask(
            "trouble", step.id, f"{step.title}: in doubt, and the run is paused.", "Enter choices", "bad"
        )
    if gates := watch.gates():
        step = gates[0]
        question = step.gate.question if step.gate else step.title
        return Ask("decision", step.id, question, "Enter answer", "ask")
    busy = watch.with_status(StepStatus.RUNNING, StepStatus.UNDOING)
    if state.paused:
        if busy:
            return Ask("nothing", busy[0].id, f"Pausing: {busy[0].title} still ends.", "c go on", "ask")
        return Ask("continue", "", "Paused. Nothing is at work.", "c go on", "ask")
    if busy:
        text = busy[0].title if len(busy) == 1 else f"{len(busy)} steps at work side by side"
        message = str(watch.progress.get(busy[0].id, {}).get("message", "")) if len(busy) == 1 else ""
        return Ask("nothing", busy[0].id, f"{text}: {message}" if message else text, "", "busy")
    if waits := watch.waits():
        step, until = waits[0], moment(watch.step(waits[0]).until)
        left = duration((until - now).total_seconds()) if until else ""
        reason = step.wait.reason if step.wait else step.title
        return Ask("time", step.id, f"Waits until {clock(until, now)} (in {left}): {reason}", "", "ask")
    if watch.records and watch.records[-1].kind in (Kind.RUNNER_STARTED, Kind.REPROVED):
        since = int(state.runner.get("seq", 0))
        asked = sum(r.kind is Kind.REPROVED and r.seq > since for r in watch.records[-200:])
        text = f"Asking the world whether what is done still holds: {asked} asked."
        if any(watch.step_status(s) is StepStatus.DONE for s in watch.runbook.steps()):
            return Ask("nothing", "", text, "", "busy")
    return Ask("nothing", "", "Getting ready." if not state.runner else "Looking what is next.", "", "dim")
