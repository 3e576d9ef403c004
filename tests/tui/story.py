"""Runs told record by record on a clock of their own: the same screen every time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from migrator.contracts.control import RunSummary, ShippedRunbook, StartOptions
from migrator.engine.status import run_status
from migrator.errors import MigratorError
from migrator.model.records import Kind, Record
from migrator.model.runbook import Runbook
from migrator.model.state import fold
from tests.tui.books import habits

START = datetime(2026, 1, 3, 2, 0, tzinfo=UTC)


@dataclass
class Story:
    """A run. Each method adds records and lets time pass; times in seconds."""

    runbook: Runbook = field(default_factory=habits)
    mode: str = "rehearse"
    alive: bool = True
    records: list[Record] = field(default_factory=list)
    progress: dict[str, dict[str, Any]] = field(default_factory=dict)
    clock: datetime = START
    folder: Path = Path("/runs/habitcraft-20260103-0200")
    logs: Path = Path("/nowhere")

    def __post_init__(self) -> None:
        self.add(
            Kind.RUN_CREATED,
            run_id="habitcraft-20260103-0200",
            runbook=self.runbook.name,
            runbook_digest=self.runbook.digest,
            mode=self.mode,
            account="111122223333",
            region="us-west-2",
            values={},
            who="mara",
            host="deck",
            created=self.clock.isoformat(),
            versions={},
        )
        self.add(Kind.RUNNER_STARTED, pid=4711, host="deck", who="mara")

    def now(self) -> datetime:
        """The time at the end of the story so far."""
        return self.clock

    def add(self, kind: Kind, **body: Any) -> Record:
        record = Record(len(self.records) + 1, self.clock.isoformat(), kind, body, "")
        self.records.append(record)
        return record

    def wait(self, seconds: float) -> Story:
        self.clock += timedelta(seconds=seconds)
        return self

    def begin(self, step: str, attempt: int = 1) -> Story:
        self.add(Kind.INTENT, step=step, attempt=attempt, key=f"r1-{step}", baseline={"verdict": "absent"})
        return self

    def child(self, step: str, *argv: str) -> Story:
        self.add(Kind.SPAWNED, step=step, attempt=1, child={"pid": 812, "label": argv[0], "argv": list(argv)})
        return self

    def done(self, *steps: str, seconds: float = 3.0, outputs: Mapping[str, Any] | None = None) -> Story:
        for step in steps:
            if self._gate(step):
                self.asks(step)
                self.add(
                    Kind.DECISION,
                    step=step,
                    command="approve",
                    by="person",
                    who="mara",
                    host="deck",
                    reason="",
                )
                self.add(Kind.DONE, step=step, attempt=1, outputs={}, report={}, adopted=False)
                continue
            if fold(self.records).step(step).status.value != "running":
                self.begin(step)
            self.wait(seconds)
            self.add(Kind.OUTCOME, step=step, attempt=1, ok=True, error=None)
            self.add(
                Kind.VERIFIED,
                step=step,
                attempt=1,
                ok=True,
                checks=[{"name": "read back", "ok": True, "detail": ""}],
            )
            self.add(Kind.DONE, step=step, attempt=1, outputs=dict(outputs or {}), report={}, adopted=False)
        return self

    def _gate(self, step: str) -> bool:
        return self.runbook.step(step).gate is not None

    def until(self, step: str, seconds: float = 20.0) -> Story:
        """Everything before a step is done."""
        for earlier in self.runbook.steps():
            if earlier.id == step:
                break
            if earlier.wait is not None:
                self.waits(earlier.id, 4.0).wait(4.0)
                self.add(Kind.DONE, step=earlier.id, attempt=1, outputs={}, report={}, adopted=False)
            else:
                self.done(earlier.id, seconds=seconds)
        return self

    def asks(self, step: str, *, red: str = "") -> Story:
        gate = self.runbook.step(step).gate
        assert gate is not None
        at = self.clock.isoformat()
        checks = [
            {"name": f"{e}: answers", "ok": e != red, "detail": "as it must be", "at": at}
            for e in gate.evidence
        ]
        self.add(
            Kind.GATE_OPENED,
            step=step,
            question=gate.question,
            yes=gate.yes,
            no=gate.no,
            confirm=gate.confirm,
            checks=checks,
        )
        return self

    def waits(self, step: str, seconds: float) -> Story:
        until = self.clock + timedelta(seconds=seconds)
        self.add(Kind.WAIT_STARTED, step=step, until=until.isoformat(), reason="soak")
        return self

    def fails(self, step: str, what: str = "the port is closed", **error: str) -> Story:
        told = {
            "kind": "Refused",
            "what": what,
            "where": f"step {step}",
            "next": "open the port, then retry",
            **error,
        }
        self.begin(step).wait(2.0)
        self.add(Kind.OUTCOME, step=step, attempt=1, ok=False, error=told)
        self.add(Kind.FAILED, step=step, attempt=1, error=told)
        return self

    def blocks(self, step: str, evidence: str = "held by run r0") -> Story:
        self.begin(step).wait(2.0)
        self.add(
            Kind.OUTCOME,
            step=step,
            attempt=1,
            ok=False,
            error={"kind": "InDoubt", "what": "the connection was cut"},
        )
        self.add(
            Kind.PROBED, step=step, attempt=1, verdict="foreign", evidence=evidence, facts={}, why="in_doubt"
        )
        self.add(
            Kind.BLOCKED,
            step=step,
            attempt=1,
            reason="something is there that this run did not make",
            evidence=evidence,
            error={
                "kind": "InDoubt",
                "what": "the connection was cut",
                "next": "look at what is there, then retry",
            },
        )
        return self

    def doubt(self, step: str) -> Story:
        self.begin(step).child(step, "terraform", "apply", "-input=false").wait(5.0)
        self.add(
            Kind.OUTCOME,
            step=step,
            attempt=1,
            ok=False,
            error={
                "kind": "Interrupted",
                "what": "interrupted by the operator",
                "detail": "signal: interrupt",
            },
        )
        self.add(Kind.PAUSED)
        return self

    def dies(self) -> Story:
        self.alive = False
        return self

    def ends(self, outcome: str = "done") -> Story:
        self.add(Kind.FINISHED, outcome=outcome)
        self.add(Kind.RUNNER_STOPPED, reason=outcome)
        self.alive = False
        return self

    def busy(self) -> Story:
        """Progress of every kind."""
        resources = [
            {"address": "aws_vpc.main", "action": "create", "state": "done", "seconds": 3.2},
            {
                "address": 'aws_subnet.public["us-west-2a"]',
                "action": "create",
                "state": "running",
                "seconds": 11.0,
            },
            {"address": "aws_internet_gateway.main", "action": "replace", "state": "failed", "seconds": 2.0},
            {"address": "aws_route_table.public", "action": "create", "state": "pending", "seconds": 0.0},
        ]
        self.progress["network"] = {
            "message": "applying the reviewed plan",
            "done": 1,
            "total": 4,
            "unit": "resources",
            "detail": {"kind": "terraform", "stack": "habitcraft/network", "resources": resources},
        }
        self.progress["restore"] = {
            "message": "restoring",
            "detail": {
                "kind": "database",
                "stage": "restore",
                "bytes_per_second": 21_000_000.0,
                "tables": [
                    {
                        "name": "public.users",
                        "state": "done",
                        "rows_total": 20_000,
                        "bytes_total": 4_200_000,
                        "rows_done": 20_000,
                    },
                    {
                        "name": "public.habits",
                        "state": "running",
                        "rows_total": 200_000,
                        "bytes_total": 64_000_000,
                        "rows_done": 90_000,
                        "bytes_done": 30_000_000,
                    },
                    {
                        "name": "public.completions",
                        "state": "pending",
                        "rows_total": 1_900_000,
                        "bytes_total": 240_000_000,
                    },
                ],
            },
        }
        self.progress["@traffic"] = {
            "kind": "traffic",
            "requests": 48_211,
            "failed": 12,
            "unavailable_seconds": 14.2,
            "writes_acknowledged": 19_034,
            "old": {"requests": 41_000, "failed": 12, "latency_ms_p50": 4.0, "latency_ms_p95": 9.0},
            "new": {"requests": 7_211, "failed": 0, "latency_ms_p50": 5.0, "latency_ms_p95": 12.0},
            "series": {
                "requests_old": [40.0] * 70 + [0.0] * 50,
                "requests_new": [0.0] * 84 + [float(n) for n in range(4, 40)],
                "failed": [0.0] * 70 + [8.0] * 14 + [0.0] * 36,
                "latency_ms_p95": [float(8 + n % 5) for n in range(120)],
            },
        }
        return self


class StoryView:
    """A told run, as a face sees it."""

    def __init__(self, story: Story) -> None:
        self._story = story
        self.folder = story.folder
        self.runbook = story.runbook

    def records(self, after: int = 0) -> Sequence[Record]:
        return self._story.records[after:]

    def progress(self) -> Mapping[str, Mapping[str, Any]]:
        return dict(self._story.progress)

    def alive(self) -> bool:
        return self._story.alive

    def log_path(self, step: str) -> Path:
        return self._story.logs / f"{step}.log"

    def expected_seconds(self) -> Mapping[str, tuple[float, float]]:
        found = {s.id: s.expected_seconds for s in self.runbook.steps() if s.expected_seconds and s.action}
        return {name: (seconds * 0.8, seconds * 1.5) for name, seconds in found.items()}

    def close(self) -> None:
        pass


@dataclass
class StoryControl:
    """Told runs. Orders are kept; `refusal` is what the runner answers, none for no answer."""

    stories: list[Story]
    refusal: str | None = ""
    orders: list[dict[str, str]] = field(default_factory=list)
    resumed: list[Path] = field(default_factory=list)
    begun: list[tuple[str, str]] = field(default_factory=list)
    trouble: MigratorError | None = None
    gone: str = ""
    """A done step that the world no longer holds."""
    look_is_killed: bool = False

    def runs(self) -> Sequence[RunSummary]:
        return [summary(story) for story in self.stories]

    def runbooks(self) -> Sequence[ShippedRunbook]:
        book = habits()
        return [ShippedRunbook(book.name, book.title, book.summary)]

    def begin(self, target: str, mode: Literal["rehearse", "run"], options: StartOptions) -> Path:
        if self.trouble:
            raise self.trouble
        self.begun.append((target, mode))
        return self.stories[0].folder

    def resume(self, folder: Path, options: StartOptions) -> bool:
        if self.trouble:
            raise self.trouble
        story = self._story(folder)
        if story.alive:
            return False
        self.resumed.append(folder)
        story.add(Kind.RUNNER_STARTED, pid=99, host="deck", who="noor")
        if options.only_look and self.look_is_killed:
            return True
        if options.only_look:
            story.wait(4)
            done = {r.step: True for r in story.records if r.kind is Kind.DONE}
            for step in [s for s in story.runbook.steps() if s.action and done.get(s.id)]:
                gone = step.id == self.gone
                evidence = "it is not there any more" if gone else "there, whole"
                story.add(Kind.REPROVED, step=step.id, ok=not gone, verdict="ours", evidence=evidence)
            story.add(Kind.RUNNER_STOPPED, reason="looked", error=None)
        else:
            story.alive = True
        return True

    def _story(self, folder: Path) -> Story:
        return next(s for s in self.stories if s.folder == folder)

    def open(self, folder: Path) -> StoryView:
        if self.trouble:
            raise self.trouble
        return StoryView(self._story(folder))

    def order(
        self,
        folder: Path,
        command: str,
        *,
        step: str = "",
        reason: str = "",
        confirm: str = "",
        shown: str = "",
    ) -> int:
        self.orders.append(
            {"command": command, "step": step, "reason": reason, "confirm": confirm, "shown": shown}
        )
        return len(self.orders)

    def answer(self, folder: Path, order_id: int) -> str | None:
        return self.refusal

    def report(self, folder: Path, form: Literal["md", "html", "json"]) -> str:
        return f"# Report as {form}\n\nEverything was well.\n"


def summary(story: Story) -> RunSummary:
    state = fold(story.records)
    status = run_status(state, story.runbook, alive=story.alive)
    return RunSummary(
        run_id=state.run_id,
        folder=story.folder,
        runbook=state.runbook,
        mode=state.mode,
        state=status["state"],
        phase=status["phase"],
        step=status["step"],
        created=state.created,
        ended=state.ended,
        alive=story.alive,
        waiting_for=status["waiting"]["for"],
        waiting_until=status["waiting"]["until"],
        next=status["next"],
        problem=status["problem"],
    )
