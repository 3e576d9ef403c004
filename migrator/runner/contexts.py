"""Makes the context of an attempt from the folded state and the run's surroundings."""

from __future__ import annotations

import hashlib
import re
import threading
from pathlib import Path
from typing import Any

from migrator.contracts.context import StepContext, Tools
from migrator.contracts.surroundings import Surroundings
from migrator.engine.book import Book
from migrator.model.runbook import Step
from migrator.runner.channel import StepChannel, StepLog, child_from_json
from migrator.runner.folders import RunFolder

_MAX_KEY = 48


def step_key(run_id: str, step_id: str) -> str:
    """The idempotency key: the same in every attempt, [a-z0-9-], at most 48 characters."""
    key = re.sub(r"[^a-z0-9-]", "-", f"{run_id}-{step_id}".lower())
    if len(key) <= _MAX_KEY:
        return key
    digest = hashlib.sha256(key.encode()).hexdigest()[:10]
    return f"{key[: _MAX_KEY - 11]}-{digest}"


class Contexts:
    """The `ContextFactory` of a real runner."""

    def __init__(
        self,
        folder: RunFolder,
        book: Book,
        tools: Tools,
        surroundings: Surroundings,
        shipped: Path,
        interrupted: threading.Event,
    ) -> None:
        self._folder = folder
        self._book = book
        self._tools = tools
        self._surroundings = surroundings
        self._shipped = shipped
        self._interrupted = interrupted
        self._logs: dict[str, StepLog] = {}

    def __call__(self, step: Step, params: Any, attempt: int, deadline_seconds: float) -> StepContext[Any]:
        """The context of one attempt."""
        state = self._book.step(step.id)
        log = self._logs.setdefault(step.id, StepLog(self._folder.log(step.id)))
        channel = StepChannel(self._book, step.id, attempt, log, self._interrupted, deadline_seconds)
        run_id = self._folder.run_id
        return StepContext(
            run_id=run_id,
            step_id=step.id,
            params=params,
            key=step_key(run_id, step.id),
            attempt=attempt,
            work=self._folder.work(step.id),
            shipped=self._shipped,
            tags={"migrator:run": run_id, "migrator:step": step.id},
            baseline=dict(state.baseline),
            memory=state.memory,
            children=tuple(child_from_json(row) for row in state.children),
            account=self._surroundings.account,
            region=self._surroundings.region,
            tools=self._tools,
            channel=channel,
        )
