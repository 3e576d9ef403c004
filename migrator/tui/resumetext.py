"""One screen for somebody who opens a half-finished run, maybe not the one who began it."""

from __future__ import annotations

from datetime import datetime

from migrator.model.downtime import downtime
from migrator.model.records import Kind
from migrator.model.runbook import StepKind
from migrator.model.state import StepStatus
from migrator.tui.facts import mode_span
from migrator.tui.paint import Line, line
from migrator.tui.steptext import doubt_in_short, trouble_lines
from migrator.tui.watch import Watch
from migrator.tui.words import LOOKS, clock, clock_seconds, duration, moment, plural, run_look


def resume_lines(watch: Watch, now: datetime) -> list[Line]:
    """Who and when; done and re-proven; in doubt; waiting; what changed; what the next key does."""
    return [
        *_who(watch, now),
        *_done(watch),
        *_changed(watch, now),
        *_doubt(watch, now),
        *_trouble(watch),
        *_waiting(watch, now),
        *_danger(watch, now),
        *next_lines(watch),
    ]


def _who(watch: Watch, now: datetime) -> list[Line]:
    state = watch.state
    look = run_look(str(watch.status()["state"]))
    created = watch.records[0].body if watch.records else {}
    last = watch.records[-1].at if watch.records else ""
    runners = [r for r in watch.records if r.kind is Kind.RUNNER_STARTED]
    rows = [
        line(mode_span(watch), (f"  {watch.state.runbook}", "strong")),
        line((f"{look.glyph} {look.word}", look.tone), (f"   run {state.run_id}", "dim")),
    ]
    began = f"{clock(moment(state.created), now)} by {state.who or 'nobody named'}"
    rows.append(line(("started    ", "head"), f"{began} on {created.get('host') or 'this machine'}"))
    if runners:
        leader = runners[-1].body
        told = f"{leader.get('who') or 'nobody named'} on {leader.get('host') or 'this machine'}"
        rows.append(line(("last led   ", "head"), f"by {told}; last sign {clock_seconds(last, now)}"))
    why = watch.state.stopped.get("reason")
    if not watch.alive:
        stopped = "it only asked the world" if why == "looked" else f"it stopped: {why}"
        told = stopped if why else "it ended without a word: killed, or the machine down"
        rows.append(line(("runner     ", "head"), (told, "ask" if why else "bad")))
    return rows


def _done(watch: Watch) -> list[Line]:
    steps = list(watch.runbook.steps())
    done = [s for s in steps if watch.step_status(s) is StepStatus.DONE]
    skipped = [s for s in steps if watch.step_status(s) is StepStatus.SKIPPED]
    since = int(watch.state.runner.get("seq", 0)) if watch.alive else None
    proven = [
        r
        for r in watch.records
        if r.kind is Kind.REPROVED and since is not None and r.seq > since and r.body["ok"]
    ]
    actions = [s for s in done if s.kind is StepKind.ACTION]
    count = f"{len(done)} of {plural(len(steps), 'step')}"
    if watch.alive:
        count += f"; {len(proven)} proven again since this runner began"
    elif actions:
        count += "; proven again before anything is sent"
    rows = [line(("✓ done     ", "good"), count)]
    if skipped:
        rows.append(line(("» skipped  ", "ask"), ", ".join(s.id for s in skipped)))
    return rows


def _changed(watch: Watch, now: datetime) -> list[Line]:
    changed = [
        s for s in watch.runbook.steps() if watch.step(s).reproved and not watch.step(s).reproved.get("ok")
    ]
    asked = [watch.step(s).reproved for s in watch.runbook.steps() if watch.step(s).reproved]
    fresh = [found for found in asked if str(found["at"]) >= str(watch.state.runner.get("at", ""))]
    if not changed:
        told = "not known; w asks the world, and nothing is sent"
        if fresh:
            last = clock_seconds(max(str(found["at"]) for found in fresh), now)
            told = f"nothing: {plural(len(fresh), 'done step')} asked, all as they were left ({last})"
        elif watch.alive:
            told = "nothing found so far"
        return [line(("~ changed  ", "head"), (told, "good" if fresh else "dim"))]
    rows = []
    for step in changed:
        found = watch.step(step).reproved
        rows.append(
            line(
                ("✗ CHANGED  ", "bad"),
                f"{step.id}: {found.get('evidence', '')} ({clock_seconds(str(found['at']), now)})",
            )
        )
    return rows


def _doubt(watch: Watch, now: datetime) -> list[Line]:
    found = watch.with_status(StepStatus.IN_DOUBT)
    if not found:
        return [line(("? in doubt ", "head"), ("nothing", "dim"))]
    rows: list[Line] = []
    for step in found:
        rows.append(line(("? IN DOUBT ", "bad"), (step.title, "strong"), (f"  {step.id}", "dim")))
        rows += [line(("           ", "dim"), told) for told in doubt_in_short(watch, step, now)]
    return rows


def _trouble(watch: Watch) -> list[Line]:
    rows: list[Line] = []
    for step in watch.with_status(StepStatus.FAILED, StepStatus.BLOCKED, StepStatus.UNDO_FAILED):
        look = LOOKS[watch.step_status(step)]
        rows.append(
            line((f"{look.glyph} {look.word}  ", look.tone), (step.title, "strong"), (f"  {step.id}", "dim"))
        )
        rows += [line(("           ", "dim"), *row) for row in trouble_lines(watch, step)[1:4]]
    return rows


def _waiting(watch: Watch, now: datetime) -> list[Line]:
    rows: list[Line] = []
    for step in watch.gates():
        question = step.gate.question if step.gate else ""
        rows.append(line(("◆ asks you ", "ask"), question))
    for step in watch.waits():
        until = moment(watch.step(step).until)
        left = (until - now).total_seconds() if until else 0.0
        when = (
            f"until {clock(until, now)}, in {duration(left)}"
            if left > 0
            else f"was until {clock(until, now)}: over"
        )
        rows.append(line(("◷ waits    ", "ask"), f"{step.title}, {when}"))
    return rows or [line(("◷ waiting  ", "head"), ("for nothing", "dim"))]


def _danger(watch: Watch, now: datetime) -> list[Line]:
    rows: list[Line] = []
    if (window := downtime(watch.state, watch.runbook, now)) and window.running:
        rows.append(line(("! USERS WAIT ", "bad"), (f"since {duration(window.seconds)}", "strong")))
    if watch.state.ponr:
        rows.append(
            line(("! PAST THE POINT OF NO RETURN ", "bad"), "going back would lose what users wrote since")
        )
    return rows


def next_lines(watch: Watch) -> list[Line]:
    """What the next key will do, exactly."""
    rows: list[Line] = [line(("What the next key does", "head"))]
    if watch.state.outcome:
        return [*rows, line(("Enter ", "key"), "opens the run; it has ended and nothing can change any more")]
    if watch.alive:
        return [*rows, line(("Enter ", "key"), "opens the run screen; somebody leads it already")]
    done = [s for s in watch.with_status(StepStatus.DONE) if s.kind is StepKind.ACTION]
    doubt = watch.with_status(StepStatus.IN_DOUBT)
    steps = ["starts a runner on this machine"]
    if done:
        steps.append(
            f"asks the world whether {plural(len(done), 'done step')} still hold{'s' * (len(done) == 1)}"
        )
    if doubt:
        steps.append(
            f"asks the world what became of {', '.join(s.id for s in doubt)}, and sends nothing twice"
        )
    follow = _follows(watch)
    if follow:
        steps.append(follow)
    rows.append(line(("Enter ", "key"), f"goes on: {steps[0]}"))
    rows += [line(f"      then {told}") for told in steps[1:]]
    rows.append(line(("w     ", "key"), "asks the world first, and sends nothing"))
    rows.append(line(("o     ", "key"), "only looks at the journal; nothing is started"))
    return [*rows, line(("Esc   ", "key"), "back; the run stays as it is")]


def _follows(watch: Watch) -> str:
    troubled = watch.with_status(StepStatus.FAILED, StepStatus.BLOCKED, StepStatus.UNDO_FAILED)
    if troubled:
        return f"waits for your choice on {troubled[0].id}"
    if watch.state.paused:
        return "stays paused until you say go on"
    if gates := watch.gates():
        return f"reads the evidence again and asks you: {gates[0].id}"
    if waits := watch.waits():
        return f"goes on waiting: {waits[0].id}"
    pending = [
        s for s in watch.with_status(StepStatus.PENDING) if all(watch.step_status(n).settled for n in s.needs)
    ]
    return f"goes on with {', '.join(s.id for s in pending[:3])}" if pending else ""
