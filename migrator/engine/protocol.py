"""The step protocol: INTENT before effect, OUTCOME, VERIFIED, DONE; in doubt, only a probe may come next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Protocol

from migrator.contracts.action import Action, Probe, Verdict, Verification
from migrator.contracts.context import StepContext
from migrator.contracts.surroundings import Clock
from migrator.engine.book import Book, describe
from migrator.engine.inputs import build_params, step_hash
from migrator.errors import Interrupted, Refused, RollbackFailed
from migrator.model.records import Kind
from migrator.model.runbook import EffectClass, Step
from migrator.model.state import StepStatus


class ContextFactory(Protocol):
    """Makes the context of one attempt."""

    def __call__(self, step: Step, params: Any, attempt: int, deadline_seconds: float) -> StepContext[Any]:
        """The context; its baseline, memory and children come from the folded state."""
        ...


class StepProtocol:
    """Drives one step from where it stands to a settled or stuck status, one record at a time."""

    def __init__(
        self,
        book: Book,
        actions: Mapping[str, Action[Any]],
        make_context: ContextFactory,
        clock: Clock,
        pause_between_attempts: Callable[[int], float] = lambda attempt: min(30.0, 2.0**attempt),
    ) -> None:
        self._book = book
        self._actions = actions
        self._context = make_context
        self._clock = clock
        self._backoff = pause_between_attempts

    def action(self, step: Step) -> Action[Any]:
        """The code behind a step."""
        return self._actions[step.action]

    def run(self, step: Step) -> StepStatus:
        """One try: until DONE, FAILED, BLOCKED, or IN_DOUBT after an interruption."""
        action = self.action(step)
        tries_left = action.spec.effect.attempts
        status = self._book.step(step.id).status
        while True:
            if status is StepStatus.IN_DOUBT:
                status = self._settle(step, action, may_repeat=True)
            if status is not StepStatus.PENDING:
                return status
            tries_left -= 1
            try:
                status = self._attempt(step, action)
            except Interrupted:
                return self._book.step(step.id).status
            if status is StepStatus.IN_DOUBT:
                if self._was_interrupted(step):
                    return status
                status = self._settle(step, action, may_repeat=tries_left > 0)
            if status is StepStatus.PENDING:
                self._clock.sleep(self._backoff(action.spec.effect.attempts - tries_left))

    def _was_interrupted(self, step: Step) -> bool:
        return self._book.step(step.id).error.get("kind") == "Interrupted"

    def _attempt(self, step: Step, action: Action[Any]) -> StepStatus:
        """A fresh attempt: baseline, INTENT, effect, OUTCOME, proof. `Interrupted` before there was an INTENT."""
        state = self._book.step(step.id)
        attempt = state.attempt + 1
        try:
            params, inputs = build_params(step, action.spec.params, self._book.state)
            ctx = self._context(step, params, attempt, step.deadline_seconds)
            baseline = self._baseline(action, ctx)
        except Interrupted:
            raise
        except Exception as error:  # noqa: BLE001 - nothing was sent yet: whatever it is, the step has failed
            return self._failed(step, attempt, error)
        if action.spec.effect is not EffectClass.READ and baseline.verdict in (
            Verdict.FOREIGN,
            Verdict.UNKNOWN,
        ):
            return self._failed(step, attempt, _refusal(step, baseline))
        if step.ponr and step.ponr.value not in self._book.state.ponr:
            self._book.append(Kind.PONR_PASSED, step=step.id, which=step.ponr.value)
        deadline = self._clock.now() + timedelta(seconds=step.deadline_seconds)
        self._book.append(
            Kind.INTENT,
            step=step.id,
            attempt=attempt,
            **{"try": state.tries},
            key=ctx.key,
            step_hash=step_hash(step),
            inputs_digest=inputs,
            baseline=dict(baseline.facts)
            | {"verdict": baseline.verdict.value, "evidence": baseline.evidence},
            deadline=deadline.isoformat(),
        )
        ctx = self._context(step, params, attempt, step.deadline_seconds)
        try:
            if baseline.verdict is not Verdict.OURS:
                action.apply(ctx)
        except Refused as error:
            self._book.append(Kind.OUTCOME, step=step.id, attempt=attempt, ok=False, error=describe(error))
            return self._failed(step, attempt, error)
        except Exception as error:  # noqa: BLE001 - unclassified means in doubt, and is probed
            self._book.append(Kind.OUTCOME, step=step.id, attempt=attempt, ok=False, error=describe(error))
            return StepStatus.IN_DOUBT
        self._book.append(Kind.OUTCOME, step=step.id, attempt=attempt, ok=True, error=None)
        return self._prove(step, action, ctx, adopted=baseline.verdict is Verdict.OURS)

    def _baseline(self, action: Action[Any], ctx: StepContext[Any]) -> Probe:
        if action.spec.effect is EffectClass.READ:
            return Probe(Verdict.ABSENT, "a read changes nothing")
        return action.probe(ctx)

    def _settle(self, step: Step, action: Action[Any], *, may_repeat: bool) -> StepStatus:
        """In doubt: asks the world, and only then decides. PENDING means a new attempt may follow."""
        state = self._book.step(step.id)
        attempt = state.attempt
        if action.spec.effect is EffectClass.READ:
            if may_repeat:
                return StepStatus.PENDING
            return self._failed_as_described(step, attempt)
        try:
            params, _ = build_params(step, action.spec.params, self._book.state)
            ctx = self._context(step, params, attempt, step.deadline_seconds)
            probe = action.probe(ctx)
        except Interrupted:
            return StepStatus.IN_DOUBT
        except Exception as error:  # noqa: BLE001 - a probe that cannot answer is an UNKNOWN
            probe = Probe(Verdict.UNKNOWN, f"the probe gave no answer: {describe(error)['what']}")
        self._note_probe(step, attempt, probe, "in_doubt")
        match probe.verdict:
            case Verdict.OURS:
                return self._prove(step, action, ctx, adopted=True)
            case Verdict.ABSENT | Verdict.PARTIAL if may_repeat:
                return StepStatus.PENDING
            case Verdict.ABSENT:
                return self._failed_as_described(step, attempt)
        why = {
            Verdict.PARTIAL: "it was done in part, and its attempts are used up",
            Verdict.FOREIGN: "something is there that this run did not make",
        }.get(probe.verdict, "the world did not answer clearly")
        return self._blocked(step, attempt, why, probe.evidence, dict(state.error))

    def _prove(self, step: Step, action: Action[Any], ctx: StepContext[Any], *, adopted: bool) -> StepStatus:
        """A fresh read of the world. A read that is not green has failed; a change that is not green blocks."""
        try:
            found = action.verify(self._context(step, ctx.params, ctx.attempt, step.deadline_seconds))
        except Interrupted as error:
            self._book.append(
                Kind.OUTCOME, step=step.id, attempt=ctx.attempt, ok=False, error=describe(error)
            )
            return StepStatus.IN_DOUBT
        except Exception as error:  # noqa: BLE001 - what cannot be read is not proven
            if action.spec.effect is EffectClass.READ:
                return self._failed(step, ctx.attempt, error)
            why = "it was done, but could not be proven"
            return self._blocked(step, ctx.attempt, why, describe(error)["what"], describe(error))
        checks = [{"name": c.name, "ok": c.ok, "detail": c.detail} for c in found.checks]
        self._book.append(Kind.VERIFIED, step=step.id, attempt=ctx.attempt, ok=found.ok, checks=checks)
        if not found.ok:
            return self._not_green(step, action, ctx.attempt, found)
        self._book.append(
            Kind.DONE,
            step=step.id,
            attempt=ctx.attempt,
            outputs=dict(found.outputs),
            report=dict(found.report),
            adopted=adopted,
        )
        return StepStatus.DONE

    def _not_green(self, step: Step, action: Action[Any], attempt: int, found: Verification) -> StepStatus:
        red = [f"{c.name}: {c.detail}" for c in found.checks if not c.ok] or ["nothing was checked"]
        error = Refused(
            "not as it must be: " + "; ".join(red), where=f"step {step.id}", next="mend the cause, then retry"
        )
        if action.spec.effect is EffectClass.READ:
            return self._failed(step, attempt, error)
        return self._blocked(
            step, attempt, "it was done, but its proof is red", "; ".join(red), describe(error)
        )

    def _note_probe(self, step: Step, attempt: int, probe: Probe, why: str) -> None:
        self._book.append(
            Kind.PROBED,
            step=step.id,
            attempt=attempt,
            verdict=probe.verdict.value,
            evidence=probe.evidence,
            facts=dict(probe.facts),
            why=why,
        )

    def _failed(self, step: Step, attempt: int, error: BaseException) -> StepStatus:
        self._book.append(Kind.FAILED, step=step.id, attempt=attempt, error=describe(error))
        return StepStatus.FAILED

    def _failed_as_described(self, step: Step, attempt: int) -> StepStatus:
        error = dict(self._book.step(step.id).error)
        self._book.append(Kind.FAILED, step=step.id, attempt=attempt, error=error)
        return StepStatus.FAILED

    def _blocked(
        self, step: Step, attempt: int, reason: str, evidence: str, error: dict[str, Any]
    ) -> StepStatus:
        self._book.append(
            Kind.BLOCKED, step=step.id, attempt=attempt, reason=reason, evidence=evidence, error=error
        )
        return StepStatus.BLOCKED

    def reverify(self, step: Step) -> Verification:
        """Reads the world again for a DONE read-only step: the fresh evidence of a gate."""
        action = self.action(step)
        params, _ = build_params(step, action.spec.params, self._book.state)
        state = self._book.step(step.id)
        return action.verify(self._context(step, params, state.attempt, step.deadline_seconds))

    def reprove(self, step: Step, *, only_look: bool = False) -> bool:
        """Asks the world whether a DONE step still holds; BLOCKED with the evidence when it does not.

        With `only_look` the answer is kept, and nothing is decided.
        """
        state = self._book.step(step.id)
        probe = self._ask(step)
        holds = probe.verdict is Verdict.OURS
        self._book.append(
            Kind.REPROVED, step=step.id, ok=holds, verdict=probe.verdict.value, evidence=probe.evidence
        )
        if not holds and not only_look:
            why = "it was done, but the world has changed since"
            self._blocked(step, state.attempt, why, probe.evidence, {})
        return holds

    def look(self, step: Step) -> None:
        """Asks the world about a step in doubt, keeps the answer, and decides nothing."""
        if self.action(step).spec.effect is not EffectClass.READ:
            self._note_probe(step, self._book.step(step.id).attempt, self._ask(step), "look")

    def _ask(self, step: Step) -> Probe:
        action, attempt = self.action(step), self._book.step(step.id).attempt
        try:
            params, _ = build_params(step, action.spec.params, self._book.state)
            return action.probe(self._context(step, params, attempt, step.deadline_seconds))
        except Exception as error:  # noqa: BLE001 - a probe that cannot answer is an UNKNOWN
            return Probe(Verdict.UNKNOWN, f"the probe gave no answer: {describe(error)['what']}")

    def undo(self, step: Step) -> StepStatus:
        """Takes back what this run made in one step. `RollbackFailed` leaves it UNDO_FAILED."""
        action = self.action(step)
        state = self._book.step(step.id)
        if state.status is not StepStatus.UNDOING:
            self._book.append(Kind.UNDO_INTENT, step=step.id)
        try:
            params, _ = build_params(step, action.spec.params, self._book.state)
            ctx = self._context(step, params, state.attempt, step.deadline_seconds)
            if action.spec.effect is not EffectClass.READ:
                action.undo(ctx)
                probe = action.probe(ctx)
                if probe.verdict not in (Verdict.ABSENT, Verdict.FOREIGN):
                    raise RollbackFailed("the undo left something behind", detail=probe.evidence)
                self._note_probe(step, state.attempt, probe, "undo")
        except Exception as error:  # noqa: BLE001 - shown to a person, who decides
            self._book.append(Kind.UNDO_FAILED, step=step.id, error=describe(error))
            return StepStatus.UNDO_FAILED
        self._book.append(Kind.UNDONE, step=step.id, checks=[])
        return StepStatus.UNDONE


def _refusal(step: Step, probe: Probe) -> Refused:
    what = (
        "something is there already that this run did not make"
        if probe.verdict is Verdict.FOREIGN
        else "the world did not answer clearly, so nothing was sent"
    )
    return Refused(
        what, where=f"step {step.id}", detail=probe.evidence, next="look at what is there, then retry or skip"
    )
