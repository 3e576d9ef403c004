"""The command line's contract: what parses, what is printed, which code a command ends with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from migrator.cli import _parser, main
from migrator.console import follow
from migrator.journal import SqliteJournal
from migrator.model.records import Kind
from migrator.runner.folders import RunFolder
from tests.runner.runs import FIRST, HABITCRAFT, STARTED, error, intent, living_runner, make_run, stopped

ROOT = Path(__file__).parents[1]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def shell(*arguments: str, cwd: Path, **more: Any) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, without a terminal; it may not wait for anybody."""
    return subprocess.run(
        [sys.executable, "-c", "import sys; from migrator.cli import main; sys.exit(main())", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **more.pop("env", {})},
        stdin=more.pop("stdin", subprocess.DEVNULL),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **more,
    )


@pytest.mark.parametrize(
    "line",
    [
        "",
        "validate",
        "validate habitcraft",
        "rehearse",
        "rehearse habitcraft --plain --rows 1000",
        "rehearse migration.yaml --json --source-dump dump.pgc",
        "rehearse habitcraft --source-url postgresql://db.example.com/app",
        "run",
        "run migration.yaml --yes --no-input --confirm=text",
        "resume",
        "resume RUN --plain --json --yes --no-input --confirm text",
        "attach",
        "attach RUN --plain",
        "status",
        "status RUN --json",
        "approve RUN",
        "approve RUN STEP --confirm=text --reason=why",
        "pause RUN",
        "continue RUN",
        "retry RUN STEP --reason why",
        "skip RUN STEP --reason why",
        "abort RUN --reason why",
        "runs",
        "runs --json",
        "report",
        "report RUN --format md",
        "report RUN --format html",
        "report RUN --format json",
        "runbook list",
        "runbook show habitcraft",
    ],
)
def test_every_command_of_the_contract_parses(line: str) -> None:
    assert callable(_parser().parse_args(line.split()).handler)


@pytest.mark.parametrize(
    "line", ["explode", "approve", "skip", "report --format pdf", "rehearse --rows many", "runbook", "--nope"]
)
def test_wrong_usage_ends_with_2(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(line.split())
    assert caught.value.code == 2
    assert "usage:" in capsys.readouterr().err


@pytest.mark.parametrize(
    "line",
    [
        "validate",
        "validate habitkraft",
        "validate .",
        "rehearse",
        "run nothing.yaml",
        "resume",
        "attach",
        "status",
        "status nothing",
        "approve nothing",
        "report",
        "runbook show nothing",
    ],
)
def test_what_is_not_there_ends_with_2_and_one_message(
    here: Path, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(line.split()) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("migrator: ")
    assert "Next: " in err
    assert "Traceback" not in err
    assert not list(here.iterdir())


def test_without_a_terminal_nothing_asks(here: Path) -> None:
    """The bare command says how it is used; the others work or end."""
    done = shell(cwd=here)
    assert (done.returncode, done.stdout) == (2, "")
    assert "usage: migrator" in done.stderr
    done = shell("runs", cwd=here, stdin=None)
    assert (done.returncode, done.stdout) == (0, "No runs here yet. Next: migrator rehearse habitcraft\n")


def test_a_reader_that_goes_away_makes_no_noise(here: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from migrator.cli import main; sys.exit(main())",
            "runbook",
            "show",
            "habitcraft",
        ],
        cwd=here,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


def test_a_terminal_of_few_characters_gets_replacements(here: Path) -> None:
    done = shell("runbook", "show", "habitcraft", cwd=here, env={"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii()


def test_the_shipped_runbook_is_valid_listed_and_shown(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["validate", "habitcraft"]) == 0
    assert "habitcraft: valid" in capsys.readouterr().out
    assert main(["runbook", "list"]) == 0
    assert capsys.readouterr().out.startswith("habitcraft  ")
    assert main(["runbook", "show", "habitcraft"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("# ")
    assert shown.count("- [ ] **") == HABITCRAFT.read_text().count("\n      - id: ")
    for word in ("Why: ", "Proof: ", "Back: ", "**Point of no return**", "## Monthly cost"):
        assert word in shown


def test_validate_prints_every_problem_with_its_place(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (
        HABITCRAFT.read_text()
        .replace("\ntitle:", "\ntitel:", 1)
        .replace("holds_until: cutover", "holds_until: cutovr", 1)
    )
    file = here / "own.yaml"
    file.write_text(text)
    assert main(["validate", "own.yaml"]) == 2
    err = capsys.readouterr().err
    problems = [line for line in err.splitlines() if line.startswith(("own.yaml:", str(file)))]
    assert len(problems) >= 2
    for wrong in ("titel", "cutovr"):
        line = next(n for n, row in enumerate(text.splitlines(), 1) if wrong in row)
        assert any(f"own.yaml:{line}:" in problem and wrong in problem for problem in problems), err
    assert all(part.isdecimal() for problem in problems for part in problem.split(":")[1:3])


# --- status and runs

KEYS = {
    "run_id",
    "runbook",
    "mode",
    "state",
    "runner",
    "phase",
    "step",
    "in_doubt",
    "waiting",
    "point_of_no_return",
    "next",
}
FAILED = (Kind.FAILED, {"step": FIRST, "attempt": 1, "error": error()})
BLOCKED = (Kind.BLOCKED, {"step": FIRST, "attempt": 1, "reason": "why", "evidence": "seen", "error": {}})
OPENED = (
    Kind.GATE_OPENED,
    {"step": FIRST, "question": "?", "yes": "y", "no": "n", "confirm": "it's $(me)", "checks": []},
)
WAITING = (Kind.WAIT_STARTED, {"step": FIRST, "until": "2026-01-04T02:00:00+00:00", "reason": "TTL"})


@pytest.mark.parametrize(
    ("rows", "state", "next_command"),
    [
        ((), "paused", "migrator resume RUN"),
        ((STARTED,), "paused", "migrator resume RUN"),
        ((STARTED, intent()), "in_doubt", "migrator resume RUN"),
        (
            (STARTED, intent(), FAILED, stopped("failed")),
            "failed",
            f"migrator retry RUN {FIRST} && migrator resume RUN",
        ),
        (
            (STARTED, intent(), BLOCKED, stopped("failed")),
            "blocked",
            f"migrator retry RUN {FIRST} && migrator resume RUN",
        ),
        (
            (STARTED, OPENED, stopped("waiting")),
            "waiting",
            f"migrator approve RUN {FIRST} --confirm='it'\"'\"'s $(me)' && migrator resume RUN",
        ),
        ((STARTED, WAITING, stopped("waiting")), "waiting", "migrator resume RUN"),
        (
            (STARTED, (Kind.PAUSED, {}), stopped("paused")),
            "paused",
            "migrator continue RUN && migrator resume RUN",
        ),
        ((STARTED, stopped("error", error=error())), "failed", "migrator resume RUN"),
        ((STARTED, (Kind.FINISHED, {"outcome": "done"}), stopped("done")), "done", "migrator report RUN"),
        ((STARTED, (Kind.FINISHED, {"outcome": "aborted"})), "aborted", "migrator report RUN"),
        ((STARTED, (Kind.FINISHED, {"outcome": "rolled_back"})), "rolled_back", "migrator report RUN"),
    ],
)
def test_status_as_json_in_every_state(
    here: Path, rows: tuple[Any, ...], state: str, next_command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(here, *rows)
    assert main(["status", run.run_id, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found.keys() >= KEYS
    assert found["state"] == state
    assert found["runner"]["alive"] is False
    assert found["next"] == next_command.replace("RUN", run.run_id)
    assert found["in_doubt"] == ([FIRST] if state == "in_doubt" else [])
    assert set(found["waiting"]) == {"for", "until"}
    assert found["point_of_no_return"] == "before"
    assert found["mode"] == "rehearse"
    assert main(["status", run.run_id]) == 0
    told = capsys.readouterr().out
    assert f"{run.run_id}: {state}" in told
    assert found["next"] in told


def test_status_knows_a_living_runner_and_the_side(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run(here, STARTED, (Kind.PONR_PASSED, {"step": FIRST, "which": "new_writes"}), intent())
    with living_runner(run):
        assert main(["status", "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert (found["state"], found["runner"], found["in_doubt"]) == (
            "running",
            {"pid": 4711, "alive": True},
            [],
        )
        assert found["point_of_no_return"] == "after"
        assert found["next"] == f"migrator attach {run.run_id}"
        main(["status"])
        assert "AFTER the point of no return" in capsys.readouterr().out


def test_runs_lists_a_damaged_one_among_the_others(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = make_run(here, STARTED, (Kind.FINISHED, {"outcome": "done"}), stopped("done"))
    doubt = make_run(here, STARTED, intent())
    damaged = make_run(here)
    damaged.journal.write_bytes(b"nothing")
    assert main(["runs", "--json"]) == 0
    rows = {row["run_id"]: row for row in map(json.loads, capsys.readouterr().out.splitlines())}
    assert {name: row["state"] for name, row in rows.items()} == {
        done.run_id: "done",
        doubt.run_id: "in_doubt",
        damaged.run_id: "damaged",
    }
    assert list(rows)[-1] == done.run_id, "unfinished first"
    assert main(["runs"]) == 0
    told = capsys.readouterr().out
    assert f"next: migrator resume {doubt.run_id}" in told
    assert f"{damaged.run_id}  damaged" in told
    assert main(["status", damaged.run_id]) == 1
    assert "not continued" in capsys.readouterr().err


# --- attach, its exit codes


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        ((STARTED, (Kind.FINISHED, {"outcome": "done"}), stopped("done")), 0),
        ((STARTED, (Kind.FINISHED, {"outcome": "rolled_back"}), stopped("done")), 0),
        ((STARTED, intent(), FAILED, stopped("failed")), 1),
        ((STARTED, intent(), BLOCKED, stopped("failed")), 1),
        ((STARTED, (Kind.FINISHED, {"outcome": "aborted"}), stopped("aborted")), 1),
        ((STARTED, intent()), 1),
        ((STARTED, WAITING, stopped("waiting")), 3),
        ((STARTED, OPENED, stopped("waiting")), 3),
        ((STARTED, (Kind.PAUSED, {}), stopped("paused")), 3),
        ((STARTED, stopped("error", error=error("CredentialsError"))), 4),
        (
            (
                STARTED,
                intent(),
                (Kind.FAILED, {"step": FIRST, "attempt": 1, "error": error("CredentialsError")}),
            ),
            4,
        ),
        ((STARTED, stopped("error", error=error("Locked"))), 5),
        (
            (
                STARTED,
                (Kind.UNDO_INTENT, {"step": FIRST}),
                (Kind.UNDO_FAILED, {"step": FIRST, "error": error()}),
            ),
            6,
        ),
    ],
)
def test_exit_codes_of_a_watched_run(
    here: Path,
    rows: tuple[Any, ...],
    code: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(follow, "_POLL_SECONDS", 0.01)
    run = make_run(here, *rows)
    assert main(["attach", run.run_id, "--plain"]) == code
    told = capsys.readouterr().out.splitlines()
    assert told[-1].startswith("next: migrator ")
    assert main(["attach", run.run_id, "--json"]) == code
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert events[-1]["event"] == "end"
    assert events[-1].keys() >= KEYS
    assert [e["seq"] for e in events[:-1]] == list(range(1, len(rows) + 2))


# --- orders


@pytest.mark.parametrize("command", ["approve", "pause", "continue", "retry", "skip", "abort", "interrupt"])
def test_an_order_is_taken_by_a_living_runner(
    here: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(here, STARTED, intent())
    with living_runner(run) as taken:
        assert main([command, run.run_id, FIRST, "--reason", "why", "--confirm=yes"]) == 0
    assert capsys.readouterr().out == f"{command}: taken by the runner\n"
    assert taken == [f"{command} {FIRST} why yes"]


def test_a_refused_order_says_why(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run(here, STARTED, intent())
    with living_runner(run, refuse="a skip needs a reason"):
        assert main(["skip", run.run_id, FIRST]) == 2
    assert capsys.readouterr().err == "migrator: skip was refused: a skip needs a reason\n"


def test_an_order_waits_for_the_next_runner(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run(here, STARTED, intent(), FAILED, stopped("failed"))
    assert main(["retry", run.run_id[:15], FIRST]) == 0
    assert capsys.readouterr().out == f"retry: left for the next runner. Next: migrator resume {run.run_id}\n"
    with SqliteJournal(run.journal) as journal:
        (order,) = journal.orders()
    assert (order.command, order.step) == ("retry", FIRST)
    assert json.loads(order.shown)["state"] == "failed"


@pytest.mark.parametrize("outcome", ["done", "aborted", "rolled_back"])
def test_a_run_that_has_ended_takes_no_orders(
    here: Path, outcome: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(here, STARTED, (Kind.FINISHED, {"outcome": outcome}), stopped(outcome))
    assert main(["pause", run.run_id]) == 2
    assert f"has ended: {outcome}" in capsys.readouterr().err
    with SqliteJournal(run.journal) as journal:
        assert journal.orders() == []


def test_resume_of_a_run_that_has_ended_is_a_usage_error(here: Path) -> None:
    run = make_run(here, STARTED, (Kind.FINISHED, {"outcome": "done"}), stopped("done"))
    assert main(["resume", run.run_id]) == 2


def test_a_report_is_printed_in_its_forms(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run: RunFolder = make_run(here, STARTED, intent(), FAILED, stopped("failed"))
    assert main(["report", run.run_id, "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found.keys() >= {
        "run_id",
        "runbook",
        "mode",
        "outcome",
        "started",
        "ended",
        "seconds",
        "phases",
        "service",
        "writes",
        "database",
        "terraform",
        "images",
        "dns",
        "leftovers",
    }
    assert main(["report", run.run_id]) == 0
    assert capsys.readouterr().out.startswith("# ")
