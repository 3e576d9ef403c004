"""A control whose runs are led by the real engine, in threads of this process, on actions that only take time."""

from __future__ import annotations

import concurrent.futures
import json
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from migrator.contracts.action import ActionSpec, Check, Preview, Probe, Verdict, Verification
from migrator.contracts.context import StepContext
from migrator.contracts.control import RunSummary, ShippedRunbook, StartOptions
from migrator.contracts.journal import Order
from migrator.engine.book import Book
from migrator.engine.decisions import Policy
from migrator.engine.executor import Executor
from migrator.engine.protocol import StepProtocol
from migrator.engine.status import run_status
from migrator.errors import Interrupted, Refused
from migrator.model.records import Kind, Record
from migrator.model.runbook import EffectClass, Runbook, Step
from migrator.model.state import fold
from tests.tui.books import habits
from tests.tui.story import Story


@dataclass(frozen=True)
class Anything:
    """Parameters are not looked at."""


class SharedJournal:
    """Records in a list, for many threads."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.rows: list[Record] = []
        self.inbox: list[Order] = []
        self.newest: dict[str, Mapping[str, Any]] = {}
        self.ordered = 0

    def append(self, kind: Kind, body: Mapping[str, Any]) -> Record:
        with self.lock:
            at = datetime.now(UTC).isoformat()
            record = Record(len(self.rows) + 1, at, kind, json.loads(json.dumps(body)), "")
            self.rows.append(record)
            return record

    def records(self, after: int = 0) -> Sequence[Record]:
        with self.lock:
            return self.rows[after:]

    def orders(self) -> Sequence[Order]:
        with self.lock:
            return list(self.inbox)

    def take(self, order: Order) -> None:
        with self.lock:
            self.inbox.remove(order)

    def set_progress(self, step: str, progress: Mapping[str, Any]) -> None:
        with self.lock:
            self.newest[step] = dict(progress)


class WallClock:
    """The time of this machine."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        time.sleep(min(seconds, 0.05))


@dataclass
class FakeRun:
    """One run: its journal, its folder, and a runner when there is one."""

    runbook: Runbook
    folder: Path
    journal: SharedJournal = field(default_factory=SharedJournal)
    runner: threading.Thread | None = None
    interrupted: threading.Event = field(default_factory=threading.Event)
    broken: set[str] = field(default_factory=set)
    """Steps that fail as long as they are in here."""
    killed: threading.Event = field(default_factory=threading.Event)

    @property
    def alive(self) -> bool:
        return self.runner is not None and self.runner.is_alive() and not self.killed.is_set()


class Killed(BaseException):
    """The runner goes away in the middle."""


class SlowAction:
    """Takes its time, shows progress, writes a log."""

    spec: ActionSpec

    def __init__(self, run: FakeRun, step: Step, seconds: float) -> None:
        read = step.action.startswith("preflight")
        effect = EffectClass.READ if read else EffectClass.NAMED
        self.spec = ActionSpec(step.action, "takes time", effect, Anything, reprove=not read)
        self._run = run
        self._step = step
        self._seconds = seconds
        self._made = False

    def preview(self, ctx: StepContext[Any]) -> Preview:
        return Preview((self._step.title,))

    def probe(self, ctx: StepContext[Any]) -> Probe:
        made = ctx.step_id in _made(self._run)
        return Probe(Verdict.OURS if made else Verdict.ABSENT, "it is there" if made else "nothing is there")

    def apply(self, ctx: StepContext[Any]) -> None:
        if self._step.id in self._run.broken:
            raise Refused(
                "the server refused the connection",
                where="db.example.com:5432",
                next="let this machine in, then try again",
                detail="connection to server failed: Connection refused",
            )
        story = Story(self._run.runbook).busy().progress.get(self._step.id, {})
        log = self._run.folder / "logs" / f"{self._step.id}.log"
        with log.open("a", encoding="utf-8") as file:
            file.write(f"02:00:00.000 $ demo {self._step.action} --step {self._step.id}\n")
            ticks = max(1, int(self._seconds * 10))
            for tick in range(ticks):
                if self._run.killed.is_set():
                    raise Killed
                if self._run.interrupted.is_set():
                    raise Interrupted("interrupted by the operator", where=f"step {self._step.id}")
                file.write(f"02:00:00.{tick:03d} part {tick + 1} of {ticks}\n")
                file.flush()
                self._run.journal.set_progress(
                    self._step.id,
                    {**story, "message": "working", "done": tick + 1, "total": ticks, "unit": "parts"},
                )
                time.sleep(self._seconds / ticks)
        _made(self._run).add(self._step.id)

    def verify(self, ctx: StepContext[Any]) -> Verification:
        outputs = {"bucket": "habitcraft-terraform-state"} if self._step.id == "backend" else {}
        if self._step.id == "network":
            outputs = {"private_subnet_ids": ["subnet-1", "subnet-2"]}  # type: ignore[dict-item]
        if self._step.id == "dump":
            outputs = {"archive": "/tmp/archive"}
        return Verification((Check("read back", True, "as it must be"),), outputs)

    def undo(self, ctx: StepContext[Any]) -> None:
        _made(self._run).discard(self._step.id)


_WORLDS: dict[int, set[str]] = {}


def _made(run: FakeRun) -> set[str]:
    return _WORLDS.setdefault(id(run), set())


class _ByStep(StepProtocol):
    def action(self, step: Step) -> Any:
        return self._actions[step.id]


class FakeControl:
    """Runs of one runbook. `seconds` is how long each step takes."""

    def __init__(
        self, folder: Path | None = None, *, seconds: float = 0.05, broken: Sequence[str] = ()
    ) -> None:
        self.base = folder or Path(tempfile.mkdtemp(prefix="wizard-"))
        self.seconds = seconds
        self.broken = set(broken)
        self.list: list[FakeRun] = []
        self.pauses: dict[str, float] = {}

    def runs(self) -> Sequence[RunSummary]:
        rows = [_summary(run) for run in reversed(self.list)]
        return sorted(rows, key=lambda row: bool(row.ended))

    def runbooks(self) -> Sequence[ShippedRunbook]:
        book = habits()
        return [ShippedRunbook(book.name, book.title, book.summary)]

    def begin(self, target: str, mode: Literal["rehearse", "run"], options: StartOptions) -> Path:
        folder = self.base / f"{target}-{len(self.list) + 1}"
        (folder / "logs").mkdir(parents=True)
        path = folder / "runbook.yaml"
        path.write_text("\n".join(f"line {n}" for n in range(1, 200)) + "\n", encoding="utf-8")
        run = FakeRun(habits(str(path)), folder, broken=self.broken)
        run.journal.append(
            Kind.RUN_CREATED,
            {
                "run_id": folder.name,
                "runbook": target,
                "runbook_digest": run.runbook.digest,
                "mode": mode,
                "account": "111122223333",
                "region": "us-west-2",
                "values": {},
                "who": "mara",
                "host": "deck",
                "created": datetime.now(UTC).isoformat(),
            },
        )
        self.list.append(run)
        self._start(run, options)
        return folder

    def _start(self, run: FakeRun, options: StartOptions) -> None:
        run.killed = threading.Event()
        killed = run.killed
        started = threading.Event()

        def lead() -> None:
            book = Book(run.journal)
            book.append(Kind.RUNNER_STARTED, pid=1, who="mara", host="deck")
            started.set()
            actions = {
                s.id: SlowAction(run, s, self.pauses.get(s.id, self.seconds))
                for s in run.runbook.steps()
                if s.action
            }
            clock = WallClock()
            protocol = _ByStep(book, actions, _context, clock, lambda attempt: 0.05)
            policy = Policy(auto_approve=options.yes, rehearsal=True, attended=True, who="mara", host="deck")
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                executor = Executor(
                    _plain(run.runbook),
                    book,
                    protocol,
                    clock,
                    policy,
                    pool,
                    run.interrupted,
                    tick=lambda: _tick(killed),
                )
                try:
                    reason = executor.run()
                except Killed:
                    return
            book.append(Kind.RUNNER_STOPPED, reason=reason)

        run.runner = threading.Thread(target=lead, name="fake runner", daemon=True)
        run.runner.start()
        started.wait(5.0)

    def kill(self, folder: Path) -> None:
        """The runner dies in the middle of whatever it does."""
        run = self.run(folder)
        run.killed.set()
        if run.runner:
            run.runner.join(5.0)

    def resume(self, folder: Path, options: StartOptions) -> bool:
        run = self.run(folder)
        if run.alive:
            return False
        self._start(run, options)
        return True

    def run(self, folder: Path) -> FakeRun:
        return next(run for run in self.list if run.folder == folder)

    def open(self, folder: Path) -> FakeView:
        return FakeView(self.run(folder))

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
        journal = self.run(folder).journal
        with journal.lock:
            journal.ordered += 1
            now = datetime.now(UTC).isoformat()
            order = Order(journal.ordered, now, command, step, "mara", "deck", reason, confirm, shown)
            journal.inbox.append(order)
            return order.id

    def answer(self, folder: Path, order_id: int) -> str | None:
        for record in self.run(folder).journal.records():
            if record.kind is Kind.DECISION and record.body.get("order") == order_id:
                return str(record.body.get("refused", ""))
        return None

    def report(self, folder: Path, form: Literal["md", "html", "json"]) -> str:
        return f"# {self.run(folder).runbook.title}\n\nAs {form}.\n"

    def stop(self) -> None:
        """Ends all runners."""
        for run in self.list:
            run.killed.set()
        for run in self.list:
            if run.runner:
                run.runner.join(5.0)


def _plain(runbook: Runbook) -> Runbook:
    """The same steps without values, which these actions do not take."""
    phases = tuple(replace(p, steps=tuple(replace(s, params={}) for s in p.steps)) for p in runbook.phases)
    return replace(runbook, phases=phases)


def _tick(killed: threading.Event) -> None:
    if killed.is_set():
        raise Killed


class FakeView:
    """A look at a fake run."""

    def __init__(self, run: FakeRun) -> None:
        self._run = run
        self.folder = run.folder
        self.runbook = run.runbook

    def records(self, after: int = 0) -> Sequence[Record]:
        return self._run.journal.records(after)

    def progress(self) -> Mapping[str, Mapping[str, Any]]:
        with self._run.journal.lock:
            return dict(self._run.journal.newest)

    def alive(self) -> bool:
        return self._run.alive

    def log_path(self, step: str) -> Path:
        return self._run.folder / "logs" / f"{step}.log"

    def expected_seconds(self) -> Mapping[str, tuple[float, float]]:
        return {s.id: (2.0, 5.0) for s in self.runbook.steps() if s.action}

    def close(self) -> None:
        pass


def _context(step: Step, params: Any, attempt: int, deadline_seconds: float) -> StepContext[Any]:
    return StepContext(
        run_id="r1",
        step_id=step.id,
        params=params,
        key=f"r1-{step.id}",
        attempt=attempt,
        work=Path(),
        shipped=Path(),
        tags={},
        baseline={},
        memory={},
        children=(),
        account="111122223333",
        region="us-west-2",
        tools=None,  # type: ignore[arg-type]
        channel=None,  # type: ignore[arg-type]
    )


def _summary(run: FakeRun) -> RunSummary:
    state = fold(run.journal.records())
    status = run_status(state, run.runbook, alive=run.alive)
    return RunSummary(
        run_id=state.run_id,
        folder=run.folder,
        runbook=state.runbook,
        mode=state.mode,
        state=status["state"],
        phase=status["phase"],
        step=status["step"],
        created=state.created,
        ended=state.ended,
        alive=run.alive,
        waiting_for=status["waiting"]["for"],
        waiting_until=status["waiting"]["until"],
        next=status["next"],
        problem=status["problem"],
    )


Until = Callable[[], bool]


def eventually(found: Until, seconds: float = 10.0) -> None:
    """Waits until something is so; fails when it never is."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found():
            return
        time.sleep(0.02)
    raise AssertionError("it did not happen")
