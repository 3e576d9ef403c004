"""Everything about one step: what, why, proof, way back; then what happened, in a person's words."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from migrator.engine.inputs import scope
from migrator.model.expressions import ExpressionError, Lookup, references, resolve
from migrator.model.records import Kind, Record
from migrator.model.runbook import Step, StepKind
from migrator.model.state import StepStatus
from migrator.tui.facts import step_time
from migrator.tui.paint import Line, line
from migrator.tui.watch import Watch
from migrator.tui.words import DECISION, LOOKS, Look, age, clock, clock_seconds, duration, moment, plural

_MOST_VALUES = 60
_LONGEST_VALUE = 600
VERDICTS = {
    "absent": "Nothing of it is there. It is safe to try again.",
    "ours": "It is there, whole, and this run made it. It will be taken over and proven.",
    "partial": "This run made a part of it. Trying again adds what is missing.",
    "foreign": "Something is there that this run did not make. It is left alone until you have looked.",
    "unknown": "The world did not answer clearly. Nothing is sent until it does.",
}


def look_of(watch: Watch, step: Step) -> Look:
    """How a step's state is shown. A gate that waits asks a person."""
    status = watch.step_status(step)
    return DECISION if status is StepStatus.WAITING and step.gate is not None else LOOKS[status]


def step_lines(watch: Watch, step: Step, now: datetime, commands: Sequence[str] = ()) -> list[Line]:
    """The whole text of the step pane. `commands` are those that the step's log shows."""
    look, spent = look_of(watch, step), step_time(watch, step, now)
    attempt = watch.step(step).attempt
    title = line((f"{look.glyph} {look.word}", look.tone), f"  {spent}" if spent else "")
    tried = f"  attempt {attempt}" if attempt > 1 else ""
    phase = next((p.title for p in watch.runbook.phases if p.id == step.phase), step.phase)
    rows: list[Line] = [
        line((step.title, "strong")),
        (*title, (f"   {step.id}{tried}  in: {phase}", "dim")),
    ]
    rows += _now(watch, step, now)
    rows += _part("Why", step.why)
    rows += [line(), line(("What exactly", "head")), *exactly(watch, step)]
    rows += _part("How it is proven", step.proof)
    rows += _part("How to go back", step.back)
    rows += _around(watch, step)
    rows += list(_found(watch, step, now))
    rows += _commands(watch, step, commands)
    return rows


def _part(name: str, text: str) -> list[Line]:
    return [line(), line((name, "head")), line(text)] if text else []


def _now(watch: Watch, step: Step, now: datetime) -> list[Line]:
    """What stands out at this moment: trouble, a question, progress."""
    status, state = watch.step_status(step), watch.step(step)
    progress = watch.progress.get(step.id, {})
    if status in (StepStatus.FAILED, StepStatus.BLOCKED, StepStatus.UNDO_FAILED):
        return [line(), *trouble_lines(watch, step)]
    if status is StepStatus.IN_DOUBT:
        return [line(), *doubt_lines(watch, step, now)]
    if status is StepStatus.SKIPPED:
        return [line(), line(("Skipped: ", "ask"), state.reason)]
    if status is StepStatus.WAITING and step.gate is not None:
        return [line(), *gate_lines(watch, step, now)]
    if status is StepStatus.WAITING:
        left = f"Waits until {clock(moment(state.until), now)}. You may leave; the time goes on."
        return [line(), line((left, "ask"))]
    if status in (StepStatus.RUNNING, StepStatus.UNDOING) and progress.get("message"):
        return [line(), line(("Now: ", "busy"), _progress_text(progress))]
    return []


def _progress_text(progress: Mapping[str, Any]) -> str:
    text, done, total = str(progress.get("message", "")), progress.get("done"), progress.get("total")
    if isinstance(done, int | float) and isinstance(total, int | float) and total:
        text += f"  {done:,.0f} of {total:,.0f} {progress.get('unit', '')}".rstrip()
    return text


def trouble_lines(watch: Watch, step: Step) -> list[Line]:
    """The error in a person's words, what to do next, and the tool's own words beneath."""
    state = watch.step(step)
    error = state.error
    head = str(state.reason or error.get("what") or "It did not succeed.")
    rows = [line(("What went wrong", "bad")), line((head, "strong"))]
    if error.get("what") and error["what"] != head:
        rows.append(line(str(error["what"])))
    if state.evidence and state.evidence != head:
        rows.append(line(("Found: ", "dim"), state.evidence))
    if error.get("where"):
        rows.append(line(("Where: ", "dim"), str(error["where"])))
    if error.get("next"):
        rows.append(line(("Next:  ", "ask"), str(error["next"])))
    sent = "Something may have been sent" if state.effect_sent else "Nothing was changed by this attempt"
    rows.append(line((f"{sent}. ", "dim")))
    if detail := str(error.get("detail", "")):
        rows += [line(("The tool's own words", "head")), line((detail, "dim"))]
    return rows


def doubt_lines(watch: Watch, step: Step, now: datetime) -> list[Line]:
    """What is known of a step in doubt, what was asked of the world, and what the answer means."""
    records = watch.of_step(step.id)
    rows = [
        line(("Nobody knows yet how this ended", "bad")),
        line("It may have changed something. Before anything is sent again, the world is asked."),
        line(("What is known", "head")),
    ]
    intent = _last(records, Kind.INTENT)
    if intent:
        key = str(intent.body.get("key", ""))
        rows.append(
            line(f"Attempt {intent.body.get('attempt')} began at {clock_seconds(intent.at, now)}, key {key}")
        )
    after = [r for r in records if intent is None or r.seq > intent.seq]
    for child in watch.step(step).children:
        rows.append(line(f"It started {child.get('label') or 'a program'} (process {child.get('pid')})"))
    outcome, probe = _last(after, Kind.OUTCOME), _last(after, Kind.PROBED)
    if outcome is None:
        rows.append(line("No end was recorded: whoever led the run went away in the middle of it"))
    elif error := outcome.body.get("error"):
        rows.append(line(f"It ended with: {error.get('what', '')}"))
        if error.get("detail"):
            rows.append(line((str(error["detail"]), "dim")))
    rows.append(line(("What the world said", "head")))
    if probe is None:
        rows.append(line("Not asked yet. It is the first thing that is done when the run goes on."))
    else:
        verdict = str(probe.body.get("verdict", ""))
        told = f"{verdict.upper()} at {clock_seconds(probe.at, now)}: {probe.body.get('evidence', '')}"
        rows += [line(told), line((VERDICTS.get(verdict, ""), "ask"))]
    return rows


def doubt_in_short(watch: Watch, step: Step, now: datetime) -> list[str]:
    """The same in two or three sentences."""
    records = watch.of_step(step.id)
    intent, probe = _last(records, Kind.INTENT), _last(records, Kind.PROBED)
    outcome = _last(records, Kind.OUTCOME)
    began = f"began {clock_seconds(intent.at, now)}" if intent else "began"
    error = outcome.body.get("error") if outcome and (intent is None or outcome.seq > intent.seq) else None
    ended = f"ended with: {error.get('what', '')}" if error else "no end was recorded"
    told = [f"It {began}; {ended}."]
    if probe is not None and (intent is None or probe.seq > intent.seq):
        verdict = str(probe.body.get("verdict", ""))
        return [
            *told,
            f"The world said {verdict.upper()}: {probe.body.get('evidence', '')}",
            VERDICTS.get(verdict, ""),
        ]
    return [*told, "The world has not been asked yet; that is done first."]


def _last(records: Sequence[Record], kind: Kind) -> Record | None:
    return next((record for record in reversed(records) if record.kind is kind), None)


def gate_lines(watch: Watch, step: Step, now: datetime) -> list[Line]:
    """The question, what follows from each answer, and the evidence with its age."""
    gate = step.gate
    if gate is None:
        return []
    rows = [line((gate.question, "ask")), line()]
    rows += [line(("Yes  ", "good"), gate.yes), line(("No   ", "strong"), gate.no), line()]
    return rows + evidence_lines(watch, step, now)


def evidence_lines(watch: Watch, step: Step, now: datetime) -> list[Line]:
    """Each check of a gate with its age. Old evidence is read again before a yes counts."""
    gate = step.gate
    checks = list(watch.step(step).gate.get("checks", []))
    if gate is None or (not checks and not gate.evidence):
        return [line(("Evidence: ", "head"), "none is asked for this decision")]
    if not checks:
        return [line(("Evidence: ", "head"), "is being read")]
    green = sum(bool(check["ok"]) for check in checks)
    oldest = min((str(check.get("at", "")) for check in checks), default="")
    read = moment(oldest)
    stale = read is not None and (now - read).total_seconds() > gate.max_age_seconds
    head = f"{green} of {plural(len(checks), 'check')} green, {age(oldest, now)}"
    rows = [line(("Evidence  ", "head"), (head, "good" if green == len(checks) else "bad"))]
    if stale:
        limit = duration(gate.max_age_seconds)
        rows.append(line((f"Older than {limit}: it is read again before your yes counts.", "ask")))
    return rows + [check_line(check, now) for check in checks]


def check_line(check: Mapping[str, Any], now: datetime | None = None) -> Line:
    """One check: glyph, word, name, detail, age."""
    ok = bool(check.get("ok"))
    old = age(str(check["at"]), now) if now and check.get("at") else ""
    detail = f"  {check['detail']}" if check.get("detail") else ""
    return line(
        ("✓ green " if ok else "✗ RED   ", "good" if ok else "bad"),
        f"{check.get('name', '')}{detail}",
        (f"  {old}" if old else "", "dim"),
    )


def exactly(watch: Watch, step: Step) -> list[Line]:
    """What the step is made of: the action and its values, or what is asked or waited for."""
    if step.kind is StepKind.ACTION:
        rows = [line(("action ", "dim"), step.action)]
        return rows + list(_values(step.params, scope(watch.state)))
    if step.wait is not None:
        shorter = watch.state.mode == "rehearse" and step.wait.rehearsal_seconds is not None
        seconds: Any = step.wait.rehearsal_seconds if shorter else step.wait.seconds
        told = duration(seconds) if isinstance(seconds, int | float) else _one(seconds, scope(watch.state))[0]
        least = step.wait.at_least_seconds
        more = f", and at least {duration(least)}" if least and not shorter else ""
        short = " (shorter than in a real run)" if shorter else ""
        return [line(f"Waits {told}{more}{short}"), line(step.wait.reason)]
    if step.gate is not None:
        who = {
            "never": "only a person can answer",
            "rehearsal": "may be answered by --yes in a rehearsal",
            "always": "may be answered by --yes",
        }[step.gate.auto.value]
        rows = [line(("asks ", "dim"), step.gate.question), line((who, "dim"))]
        if step.gate.confirm:
            rows.append(line(("asks to type ", "dim"), _one(step.gate.confirm, scope(watch.state))[0]))
        return rows
    return [line(step.title)]


def _values(params: Mapping[str, Any], lookup: Lookup) -> Iterator[Line]:
    for number, (name, value) in enumerate(_leaves(params, "")):
        if number == _MOST_VALUES:
            yield line(("… and more", "dim"))
            return
        text, known = _one(value, lookup)
        yield line((f"  {name}: ", "dim"), (text, "" if known else "dim"))


def _leaves(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _leaves(item, f"{name}.{key}" if name else str(key))
    else:
        yield name, value


def _one(value: Any, lookup: Lookup) -> tuple[str, bool]:
    """A value as text, and whether it is known already."""
    try:
        found, known = resolve(value, lookup), True
    except ExpressionError:
        found, known = value, False
    text = found if isinstance(found, str) else _short(found)
    if not known:
        try:
            steps = sorted({r.step for r in references(value) if r.step})
        except ExpressionError:
            steps = []
        text += f"  (known after {', '.join(steps)})" if steps else "  (not known yet)"
    return text[:_LONGEST_VALUE], known


def _short(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(_short(item) for item in value) or "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={_short(item)}" for key, item in value.items()) or "none"
    return str(value)


def _around(watch: Watch, step: Step) -> list[Line]:
    rows = [line(), line(("Around it", "head"))]
    low, high = watch.expected.get(step.id, (0.0, 0.0))
    if high:
        wide = f"{duration(low)} to {duration(high)}" if high - low > 1 else f"about {duration(high)}"
        rows.append(
            line(("takes ", "dim"), wide, (f", given up after {duration(step.deadline_seconds)}", "dim"))
        )
    if step.needs:
        same = [
            n
            for n in step.needs
            if n in {s.id for p in watch.runbook.phases if p.id == step.phase for s in p.steps}
        ]
        named = same or list(step.needs)[-3:]
        rows.append(
            line(("needs ", "dim"), ", ".join(f"{LOOKS[watch.step_status(n)].glyph} {n}" for n in named))
        )
    if step.downtime == "starts":
        rows.append(line(("From here on users wait.", "bad")))
    if step.downtime == "ends":
        rows.append(line(("Here users stop waiting.", "good")))
    if step.ponr is not None:
        what = (
            "the new database takes writes" if step.ponr.value == "new_writes" else "the old side is deleted"
        )
        rows.append(line((f"Point of no return: {what}.", "bad")))
    return rows if len(rows) > 2 else []


def _found(watch: Watch, step: Step, now: datetime) -> Iterator[Line]:
    """Proof and outputs of what was done."""
    state = watch.step(step)
    if state.checks:
        verified = _last(watch.of_step(step.id), Kind.VERIFIED)
        when = f", {age(verified.at, now)}" if verified else ""
        yield from (line(), line((f"Proof found{when}", "head")))
        yield from (check_line(check) for check in state.checks)
    if state.adopted:
        yield line(("It was there already and this run's own: taken over, not made again.", "dim"))
    if state.reproved:
        ok = bool(state.reproved.get("ok"))
        told = f"{clock_seconds(str(state.reproved['at']), now)} {state.reproved.get('evidence', '')}"
        yield line(("✓ still holds  " if ok else "✗ CHANGED  ", "good" if ok else "bad"), told)
    if state.outputs:
        yield from (line(), line(("What it gives", "head")))
        for name, value in _leaves(state.outputs, ""):
            yield line((f"  {name}: ", "dim"), _short(value)[:_LONGEST_VALUE])
    decided = [d for d in watch.state.decisions if d.get("step") == step.id]
    if decided:
        yield from (line(), line(("Decisions", "head")))
        yield from (_decision(d, now) for d in decided)


def _decision(decision: Mapping[str, Any], now: datetime) -> Line:
    who = f"{decision.get('who') or decision.get('by', '')}"
    reason = f", because: {decision['reason']}" if decision.get("reason") else ""
    text = f"{clock_seconds(str(decision.get('at', '')), now)} {decision.get('command')} by {who}{reason}"
    if decision.get("refused"):
        return line(text, (f"  refused: {decision['refused']}", "bad"))
    return line(text)


def commands_of(watch: Watch, step: Step, logged: Sequence[str] = ()) -> list[str]:
    """The real commands a step ran: from its log, its progress, and the programs it started."""
    found = list(logged)
    for text in watch.progress.get(step.id, {}).get("commands", []):
        found.append(str(text))
    if not found:
        for record in watch.of_step(step.id):
            argv = record.body.get("child", {}).get("argv") if record.kind is Kind.SPAWNED else None
            if argv:
                found.append(shlex.join(str(part) for part in argv))
    return list(dict.fromkeys(found))


def _commands(watch: Watch, step: Step, logged: Sequence[str]) -> list[Line]:
    found = commands_of(watch, step, logged)
    if not found:
        return []
    return [line(), line(("Commands that were run (y copies)", "head")), *(line(f"$ {c}") for c in found)]
