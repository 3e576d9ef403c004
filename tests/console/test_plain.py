"""What a person reads, and what a program reads, of a whole run."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from migrator.console import follow as module
from migrator.console.follow import follow
from migrator.contracts.control import Control
from migrator.engine.decisions import Policy
from migrator.errors import InDoubt, Refused
from migrator.model.records import Kind, Record
from migrator.model.runbook import PointOfNoReturn, Runbook, StepKind, Wait
from tests.console.views import RecordedRun
from tests.core.test_sanitize import FORBIDDEN
from tests.engine.books import book, gate, step
from tests.engine.stage import Part, Stage
from tests.engine.world import SimulatedCrash

GOLDEN = Path(__file__).parent / "golden" / "run.txt"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_POLL_SECONDS", 0.0)


def eventful() -> tuple[Runbook, list[Record]]:
    """A crash, a retry, a refusal, a skip, a red and a green gate, a wait, both sides of the point of no return."""
    runbook = book(
        step("look", "read"),
        step("network", "terraform", needs=("look",)),
        step("load", "data_load", needs=("network",)),
        step("extra", "named", needs=("load",)),
        step("check", "read", needs=("extra",)),
        gate("agree", needs=("check",), evidence=("check",), ponr=PointOfNoReturn.NEW_WRITES),
        step("record", "compare_and_set", needs=("agree",)),
        step("soak", "", needs=("record",), kind=StepKind.WAIT, wait=Wait(86_400.0, "soak")),
        step("remove", "delete", needs=("soak",), ponr=PointOfNoReturn.DELETION),
    )
    stage = Stage(
        runbook,
        look=Part(greens=[False]),
        load=Part(applies=[InDoubt("the connection was cut")]),
        extra=Part(applies=[Refused("no room", next="make room")]),
    )

    def work(ctx: object) -> None:
        stage.clock.time += timedelta(seconds=95)

    stage.parts["network"].applies = [work]
    stage.start()
    stage.order("retry", "look", reason="mended")
    with pytest.raises(SimulatedCrash):
        stage.start(crash_at=22)
    stage.start()
    stage.order("retry", "load")
    stage.start()
    stage.order("skip", "extra")
    stage.order("skip", "extra", reason="done by hand")
    stage.parts["check"].greens = [True, False]
    stage.start()
    stage.order("approve", "agree")
    stage.start()
    stage.clock.time += timedelta(days=1)
    stage.start(Policy(reprove_after_seconds=1e9))
    return runbook, stage.journal.rows


def watch(run: RecordedRun, *, as_json: bool = False) -> int:
    return follow(cast(Control, run), run.folder, as_json=as_json)


def test_a_whole_run_in_plain_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The golden file is what an operator reads; look at every change of it as one."""
    monkeypatch.chdir(tmp_path)
    runbook, rows = eventful()
    run = RecordedRun(tmp_path / ".migrator" / "runs" / "r1", runbook, rows)
    assert watch(run) == 0
    told = capsys.readouterr().out
    assert run.closed
    assert told == GOLDEN.read_text(encoding="utf-8")


def test_it_is_the_same_however_the_records_arrive(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runbook, rows = eventful()
    told = []
    for at_once in (1, 7, 1_000):
        watch(RecordedRun(tmp_path, runbook, rows, at_once))
        told.append(capsys.readouterr().out)
    assert told[0] == told[1] == told[2]


def test_every_event_is_one_line_of_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runbook, rows = eventful()
    run = RecordedRun(tmp_path, runbook, rows, 9)
    run.rows_of_progress = {
        "load": {"message": "restoring", "done": 3, "total": 9, "unit": "rows", "at": "x"}
    }
    assert watch(run, as_json=True) == 0
    lines = capsys.readouterr().out.splitlines()
    events = [json.loads(line) for line in lines]
    assert [e["event"] for e in events if "seq" in e] == [r.kind.value for r in rows]
    assert [e for e in events if e["event"] == "progress"] == [
        {"event": "progress", "step": "load", **run.rows_of_progress["load"]}
    ]
    assert events[-1]["event"] == "end"
    assert events[-1]["state"] == "done"
    assert events[-1]["folder"] == str(tmp_path)


HOSTILE = "a\x1b[2J\x9b31m\u202eb\nforged: line\x07"


def hostile(value: Any) -> Any:
    """Every text of a record's body made hostile, but for names and times."""
    if isinstance(value, dict):
        keep = (
            "step",
            "kind",
            "verdict",
            "until",
            "at",
            "command",
            "which",
            "by",
            "outcome",
            "mode",
            "why",
            "created",
        )
        return {k: v if k in keep and isinstance(v, str) else hostile(v) for k, v in value.items()}
    if isinstance(value, list):
        return [hostile(item) for item in value]
    return HOSTILE if isinstance(value, str) else value


@pytest.mark.parametrize("as_json", [False, True])
def test_nothing_from_outside_steers_the_terminal(
    tmp_path: Path, as_json: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """P9: neither records nor the runbook's own words nor progress."""
    runbook, rows = eventful()
    rows = [replace(r, body=hostile(dict(r.body))) for r in rows]
    steps = tuple(replace(s, title=HOSTILE) for s in runbook.phases[0].steps)
    runbook = replace(
        runbook, title=HOSTILE, phases=(replace(runbook.phases[0], title=HOSTILE, steps=steps),)
    )
    run = RecordedRun(tmp_path, runbook, rows, 5)
    row = {"message": HOSTILE, "done": 3, "total": 9, "unit": HOSTILE, "at": rows[-1].at}
    run.rows_of_progress = {name: dict(row) for name in ("load", "network", "@traffic")}
    watch(run, as_json=as_json)
    told = capsys.readouterr().out
    assert not FORBIDDEN.search(told)
    assert not any(line.startswith("forged") for line in told.splitlines())
    assert len(told.splitlines()) > 40


def test_progress_is_told_for_steps_at_work_and_not_too_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runbook, rows = eventful()
    intent = next(r.seq for r in rows if r.kind is Kind.INTENT and r.step == "network")
    run = RecordedRun(tmp_path, runbook, rows[:intent], intent)
    run.rows_of_progress = {
        "network": {
            "message": "12 of 30 resources",
            "done": 12_345,
            "total": 30_000,
            "unit": "rows",
            "at": rows[intent].at,
        },
        "load": {"message": "not at work", "at": rows[intent].at},
    }
    looks = [True] * 20
    monkeypatch.setattr(run, "alive", lambda: bool(looks) and looks.pop())
    watch(run)
    told = [line for line in capsys.readouterr().out.splitlines() if "network: " in line]
    assert len(told) == 1
    assert told[0].endswith("network: 12 of 30 resources (12,345 of 30,000 rows)")


def test_what_has_not_moved_is_told_again_only_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And always with the time of now: lines stand in the order of their times."""
    runbook, rows = eventful()
    intent = next(r.seq for r in rows if r.kind is Kind.INTENT and r.step == "network")
    run = RecordedRun(tmp_path, runbook, rows[:intent], intent)
    row = {"message": "comparing", "at": rows[intent].at}
    run.rows_of_progress = {"network": row}
    seconds = iter(range(0, 400, 2))
    monkeypatch.setattr("migrator.console.follow.time.monotonic", lambda: next(seconds))
    looks = [True] * 40
    monkeypatch.setattr(run, "alive", lambda: bool(looks) and looks.pop())

    def move() -> None:
        if len(looks) == 20:
            row["at"] = "2031-01-01T00:00:00+00:00"

    run.look = move
    watch(run)
    told = [line for line in capsys.readouterr().out.splitlines() if "network: " in line]
    # 80 seconds: at once, after 30, at the move 40 seconds in, and 30 seconds after it.
    assert len(told) == 4
    assert len({line[:8] for line in told}) <= 2


@pytest.mark.parametrize(("exists", "code", "told"), [(True, 0, "1 of 1"), (False, 1, "0 of 1")])
def test_a_look_ends_well_only_when_nothing_has_changed(
    tmp_path: Path, exists: bool, code: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = Stage(book(step("a", "named"), gate("agree", needs=("a",))))
    assert stage.start() == "waiting"
    stage.parts["a"].exists = exists
    stage.clock.time += timedelta(seconds=1)
    assert stage.start(Policy(only_look=True)) == "looked"
    run = RecordedRun(tmp_path, stage.runbook, stage.journal.rows)
    assert follow(cast(Control, run), run.folder, as_json=False, ended=("waiting", "paused")) == code
    assert f"nothing was sent: {told} done steps still hold" in capsys.readouterr().out


def test_the_downtime_clock_runs_until_the_last_step_of_the_window(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runbook, rows = eventful()
    window = {"load": "starts", "record": "ends"}
    steps = tuple(replace(s, downtime=window.get(s.id, "")) for s in runbook.phases[0].steps)
    runbook = replace(runbook, phases=(replace(runbook.phases[0], steps=steps),))
    end = max(r.seq for r in rows if r.kind is Kind.INTENT and r.step == "load") + 1
    watch(RecordedRun(tmp_path, runbook, rows[:end]))
    assert "! users wait for " in capsys.readouterr().out
    watch(RecordedRun(tmp_path, runbook, rows))
    told = capsys.readouterr().out
    assert re.search(r"^users waited for .* in the maintenance window$", told, re.MULTILINE)


def test_ctrl_c_leaves_the_run_alone_and_says_how_to_come_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runbook, rows = eventful()
    run = RecordedRun(tmp_path / "run-1", runbook, rows, 3)

    def press() -> None:
        if run.shown > 10:
            raise KeyboardInterrupt

    run.look = press
    with pytest.raises(KeyboardInterrupt):
        watch(run)
    assert "Next: migrator attach run-1" in capsys.readouterr().err
    assert run.closed


def test_the_end_names_the_next_command_in_every_line_of_fate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """P12: wherever the records end, the last line is a command."""
    runbook, rows = eventful()
    for end in range(1, len(rows) + 1, 5):
        watch(RecordedRun(tmp_path, runbook, rows[:end]))
        last = capsys.readouterr().out.splitlines()[-1]
        assert re.fullmatch(r"next: migrator (resume|retry|approve|report|continue|attach) r1.*", last)
