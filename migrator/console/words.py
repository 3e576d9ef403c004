"""What a run says in plain lines: one fact a line, its time first, glyph and word together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from migrator.engine.status import approval, describe_trouble
from migrator.model.downtime import downtime
from migrator.model.records import Kind, Record
from migrator.model.runbook import PointOfNoReturn, Runbook, Step
from migrator.model.state import RunState, StepStatus, seconds_between
from migrator.sanitize import clean_line

_PASSED = {
    PointOfNoReturn.NEW_WRITES.value: "from here on, going back loses what is written to the new database",
    PointOfNoReturn.DELETION.value: "from here on, parts of the old platform are gone",
}


class Words:
    """Turns records and progress into lines."""

    def __init__(self, runbook: Runbook, expected: Mapping[str, tuple[float, float]]) -> None:
        self._runbook = runbook
        self._expected = expected
        self._steps = {step.id: step for step in runbook.steps()}
        self._phase = ""
        self._count = len(self._steps)

    def record(self, record: Record, state: RunState) -> Iterator[str]:
        """The lines for one record; none for those that only a program needs."""
        at = self._clock(record.at, state)
        step = self._steps.get(record.step)
        if step is None:
            yield from (f"{at} {text}" for text in self._run_line(record, state))
            return
        if step.phase != self._phase and record.kind in (Kind.INTENT, Kind.WAIT_STARTED, Kind.GATE_OPENED):
            self._phase = step.phase
            phase = next(p for p in self._runbook.phases if p.id == step.phase)
            yield f"{at} == {phase.title}"
        for text in self._step_line(record, step, state):
            yield f"{at} {text}"

    def _clock(self, at: str, state: RunState) -> str:
        elapsed = round(seconds_between(state.created, at))
        hours = f"{elapsed // 3600}:" if elapsed >= 3600 else ""
        return f"{at[11:19]} +{hours}{elapsed // 60 % 60:02d}:{elapsed % 60:02d}"

    def _run_line(self, record: Record, state: RunState) -> Iterator[str]:
        body = record.body
        match record.kind:
            case Kind.RUN_CREATED:
                where = (
                    "REHEARSAL on a twin on this machine; nothing real is touched"
                    if state.mode == "rehearse"
                    else f"LIVE in account {state.account}, region {state.region}"
                )
                yield f"{self._runbook.title}"
                yield f"{where}; run {state.run_id}, {self._count} steps"
            case Kind.RUNNER_STARTED:
                yield f"> runner {body.get('pid')} started by {body.get('who')}"
                done = sum(self._steps[s.id].action != "" for s in state.with_status(StepStatus.DONE))
                if done:
                    count = f"{done} step{'s' if done != 1 else ''}"
                    yield f"~ asking the world whether what is done still holds ({count})"
                for doubt in state.in_doubt:
                    yield f"? in doubt: {doubt}; it is probed before anything is sent again"
            case Kind.DECISION if body.get("refused"):
                yield f"! {body['command']} refused: {clean_line(str(body['refused']))}"
            case Kind.DECISION:
                reason = f": {clean_line(str(body['reason']))}" if body.get("reason") else ""
                yield f"* {body['command']} by {body.get('who') or 'policy'}{reason}"
            case Kind.PAUSED:
                yield "= paused after the steps at work"
            case Kind.CONTINUED:
                yield "> going on"
            case Kind.RUNNER_STOPPED if body.get("reason") == "looked":
                asked = [
                    s for s in state.steps.values() if str(s.reproved.get("at", "")) >= state.runner["at"]
                ]
                hold = sum(bool(s.reproved["ok"]) for s in asked)
                yield f"= looked, nothing was sent: {hold} of {len(asked)} done steps still hold"
            case Kind.RUNNER_STOPPED if body.get("error"):
                yield f"! the runner stopped: {clean_line(str(body['error'].get('what')))}"
                for key in ("detail", "next"):
                    if body["error"].get(key):
                        yield f"  {clean_line(str(body['error'][key]))}"

    def _step_line(  # noqa: C901 - one case a kind
        self, record: Record, step: Step, state: RunState
    ) -> Iterator[str]:
        found = state.step(step.id)
        body = record.body
        match record.kind:
            case Kind.INTENT:
                attempt = f" (attempt {body['attempt']})" if body["attempt"] > 1 else ""
                yield f"> {step.title}{attempt}{self._expectation(step)}"
            case Kind.PROBED if body.get("why") in ("in_doubt", "look"):
                yield f"? {step.title}: {body['verdict']} — {clean_line(str(body['evidence']))}"
            case Kind.OUTCOME if not body["ok"]:
                yield f"! {step.title}: {clean_line(str(body['error']['what']))}"
            case Kind.DONE:
                adopted = ", found done and adopted" if body.get("adopted") else ""
                count = len(found.checks)
                checks = f", {count} check{'s' if count != 1 else ''} ok" if count else ""
                yield f"✓ done: {step.title} ({self._took(found.seconds)}{checks}{adopted})"
            case Kind.FAILED | Kind.BLOCKED:
                word = "failed" if record.kind is Kind.FAILED else "blocked, a person is needed"
                yield f"✗ {word}: {step.title}"
                yield f"  {clean_line(describe_trouble(found))}"
                if found.error.get("next"):
                    yield f"  next: {clean_line(str(found.error['next']))}"
            case Kind.SKIPPED:
                yield f"- skipped, which is not done: {step.title} ({clean_line(found.reason)})"
            case Kind.UNDONE:
                yield f"< undone: {step.title}"
            case Kind.WAIT_STARTED:
                yield f"~ waits until {found.until[:19].replace('T', ' ')}Z: {step.title}"
            case Kind.GATE_OPENED:
                red = [c for c in body["checks"] if not c["ok"]]
                yield f"? {step.title}: {clean_line(str(body['question']))}"
                if body["checks"]:
                    yield f"  evidence: {len(body['checks']) - len(red)} of {len(body['checks'])} green"
                for check in red:
                    yield f"  red: {clean_line(check['name'])}: {clean_line(check['detail'])}"
                yield f"  yes: {clean_line(str(body['yes']))}"
                yield f"  no: {clean_line(str(body['no']))}"
                yield f"  to say yes: {approval(state.run_id, step.id, str(body.get('confirm', '')))}"
            case Kind.DECISION if body.get("refused"):
                yield f"! {body['command']} {step.id} refused: {clean_line(str(body['refused']))}"
            case Kind.DECISION:
                by = "policy" if body.get("by") == "policy" else body.get("who")
                reason = f": {clean_line(str(body['reason']))}" if body.get("reason") else ""
                yield f"* {body['command']} {step.id} by {by}{reason}"
            case Kind.PONR_PASSED:
                yield f"! point of no return passed: {_PASSED.get(str(body['which']), '')}"
            case Kind.REPROVED if not body["ok"]:
                yield f"! {step.title}: no longer as it was left: {clean_line(str(body['evidence']))}"

    def _expectation(self, step: Step) -> str:
        if step.id not in self._expected:
            return ""
        low, high = self._expected[step.id]
        if round(low) == round(high):
            return f" (about {self._took(high)})"
        return f" ({self._took(low)} to {self._took(high)})"

    @staticmethod
    def _took(seconds: float) -> str:
        if seconds < 100:
            return f"{seconds:.1f} s"
        minutes = int(seconds) // 60
        if minutes < 100:
            return f"{minutes} min {int(seconds) % 60} s"
        return f"{minutes // 60} h {minutes % 60} min"

    def progress(
        self, state: RunState, progress: Mapping[str, Mapping[str, Any]], now: datetime
    ) -> Iterator[tuple[str, str, str]]:
        """A line for each step at work, for traffic and for the downtime: what it is about, since when, the line."""
        at = self._clock(now.isoformat(), state)
        for step_id, row in progress.items():
            step = self._steps.get(step_id)
            if step is None or state.step(step_id).status is not StepStatus.RUNNING:
                continue
            if row["at"] < state.step(step_id).started:
                continue
            yield step_id, str(row["at"]), f"{at}   {step_id}: {self._amount(row)}"
        traffic = progress.get("@traffic")
        if traffic and not state.outcome and traffic.get("detail", {}).get("requests"):
            yield "@traffic", str(traffic["at"]), f"{at}   traffic: {traffic.get('message', '')}"
        window = downtime(state, self._runbook, now)
        if window and window.running:
            yield "@downtime", now.isoformat(), f"{at} ! users wait for {self._took(window.seconds)}"

    @staticmethod
    def _amount(row: Mapping[str, Any]) -> str:
        message = clean_line(str(row.get("message", "")))
        done, total = row.get("done"), row.get("total")
        if done is None:
            return message
        of = f" of {total:,.0f}" if total else ""
        return f"{message} ({done:,.0f}{of} {row.get('unit', '')})".replace(" )", ")")

    def end(self, status: Mapping[str, Any], folder: Path, here: Path) -> Iterator[str]:
        """The last lines: where it stands, what is proven, the exact next command."""
        yield ""
        yield f"{status['run_id']}: {status['state']}"
        if status["in_doubt"]:
            yield f"in doubt: {', '.join(status['in_doubt'])}"
        if status["problem"] and status["state"] != "done":
            yield f"problem: {clean_line(status['problem'])}"
        if status["waiting"]["for"] and status["state"] == "waiting":
            yield f"waits for {status['waiting']['for']} {status['waiting']['until']}".rstrip()
        if window := status["downtime"]:
            word = "users wait for" if window["running"] else "users waited for"
            yield f"{word} {self._took(window['seconds'])} in the maintenance window"
        traffic = status["measured"].get("traffic", {})
        if traffic.get("requests"):
            writes = traffic.get("writes", {})
            yield (
                f"measured: service unavailable {traffic.get('unavailable_seconds')} s; "
                f"{writes.get('acknowledged')} writes acknowledged, {writes.get('lost')} lost, "
                f"{writes.get('duplicated')} duplicated"
            )
        where = folder.relative_to(here) if folder.is_relative_to(here) else folder
        yield f"report: {where / 'report.md'}"
        yield f"next: {status['next']}"
