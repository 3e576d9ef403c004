"""What a journal holds: records, each a past-tense fact. State is only ever a fold over them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """Kinds of journal records, with the keys of their body."""

    RUN_CREATED = "run_created"
    """run_id, runbook, runbook_digest, mode, account, region, values, who, host, created, versions"""
    RUNNER_STARTED = "runner_started"
    """pid, start_time, boot_id, host, who, token"""
    RUNNER_STOPPED = "runner_stopped"
    """reason: done | failed | waiting | paused | aborted | error | signal, next"""
    INTENT = "intent"
    """step, attempt, try, key, step_hash, inputs_digest, baseline{verdict, evidence, facts}, deadline"""
    SPAWNED = "spawned"
    """step, attempt, child{pid, start_time, boot_id, folder, argv, label}"""
    NOTED = "noted"
    """step, values: facts an action wants to find again after a crash"""
    OUTCOME = "outcome"
    """step, attempt, ok, error{kind, what, where, next, detail}"""
    PROBED = "probed"
    """step, attempt, verdict, evidence, facts, why: in_doubt | reprove | retry"""
    VERIFIED = "verified"
    """step, attempt, ok, checks[{name, ok, detail}]"""
    DONE = "done"
    """step, attempt, outputs, report, adopted"""
    FAILED = "failed"
    """step, attempt, error: refused before any effect, or proven absent after its attempts"""
    BLOCKED = "blocked"
    """step, attempt, reason, evidence, error"""
    RETRIED = "retried"
    """step: a person asked for another try"""
    SKIPPED = "skipped"
    """step, reason, who"""
    UNDO_INTENT = "undo_intent"
    """step"""
    UNDONE = "undone"
    """step, checks"""
    UNDO_FAILED = "undo_failed"
    """step, error"""
    REPROVED = "reproved"
    """step, ok, verdict, evidence"""
    WAIT_STARTED = "wait_started"
    """step, until (UTC, ISO 8601), reason"""
    GATE_OPENED = "gate_opened"
    """step, question, yes, no, confirm, checks[{name, ok, detail, at}]"""
    DECISION = "decision"
    """command, step, who, host, reason, confirm, shown, by: person | policy, order, refused: why, if it was"""
    PAUSED = "paused"
    CONTINUED = "continued"
    ABORTED = "aborted"
    """who, reason"""
    PONR_PASSED = "ponr_passed"
    """step, which"""
    VALUES_FOUND = "values_found"
    """values, source: values of variables that the surroundings gave"""
    MEASURED = "measured"
    """name, values: what surroundings measured (traffic, writes, leftovers, time scale)"""
    FINISHED = "finished"
    """outcome: done | failed | rolled_back | aborted"""


@dataclass(frozen=True)
class Record:
    """One line of the journal. `at` is UTC in ISO 8601 with microseconds; `digest` chains to the one before."""

    seq: int
    at: str
    kind: Kind
    body: Mapping[str, Any]
    digest: str

    @property
    def step(self) -> str:
        """The step the record is about, or an empty text."""
        return str(self.body.get("step", ""))
