"""The door for faces: what a target means, what runs there are, and orders to a runner that lives or not."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from migrator.contracts.control import StartOptions
from migrator.errors import InvalidRunbook, JournalDamaged, UsageError
from migrator.journal import SqliteJournal
from migrator.model.records import Kind
from migrator.runner.control import LocalControl, find_or_latest, lab_spec, locate
from tests.runner.runs import (
    FIRST,
    HABITCRAFT,
    STARTED,
    error,
    habitcraft,
    intent,
    living_runner,
    make_run,
    stopped,
)


def test_a_name_is_a_shipped_runbook(tmp_path: Path) -> None:
    path, given, base = locate("habitcraft", tmp_path)
    assert (path.name, given, base) == ("habitcraft.yaml", {}, tmp_path)
    with pytest.raises(UsageError, match="habitcraft"):
        locate("habitcraf", tmp_path)


def test_a_runbook_file_belongs_to_its_folder(tmp_path: Path) -> None:
    file = tmp_path / "books" / "own.yaml"
    file.parent.mkdir()
    file.write_bytes(HABITCRAFT.read_bytes())
    assert locate(str(file), tmp_path) == (file, {}, file.parent)


def test_a_migration_file_names_a_runbook_and_gives_values(tmp_path: Path) -> None:
    file = tmp_path / "migration.yaml"
    file.write_text("format: 1\nrunbook: habitcraft\nvalues:\n  domain: example.com\n")
    path, given, base = locate(str(file), Path("/nowhere"))
    assert (path.name, list(given), base) == ("habitcraft.yaml", ["domain"], tmp_path)


@pytest.mark.parametrize("target", ["./nothing.yaml", "nothing.yaml", ".", "./", "/", "no/such/file"])
def test_what_is_no_file_is_a_usage_error(tmp_path: Path, target: str) -> None:
    with pytest.raises(UsageError):
        locate(target, tmp_path)


def test_a_file_that_is_no_yaml_is_a_list_of_problems(tmp_path: Path) -> None:
    file = tmp_path / "migration.yaml"
    file.write_bytes(b"\xff\xfe: [")
    with pytest.raises((InvalidRunbook, UsageError)):
        locate(str(file), tmp_path)


def test_a_damaged_run_is_listed_among_the_others(tmp_path: Path) -> None:
    good = make_run(tmp_path, STARTED, intent(), stopped("error"))
    damaged = make_run(tmp_path, STARTED)
    other = sqlite3.connect(damaged.journal)
    other.execute("DROP TRIGGER records_keep")
    other.execute("DELETE FROM records WHERE seq=2")
    other.commit()
    other.close()
    empty = make_run(tmp_path)
    empty.journal.write_bytes(b"")
    gone = make_run(tmp_path)
    gone.runbook.unlink()
    broken = make_run(tmp_path)
    broken.runbook.write_text("phases: {")
    rows = {row.run_id: row for row in LocalControl(tmp_path).runs()}
    assert rows[good.run_id].state == "in_doubt"
    for run in (damaged, empty, gone, broken):
        assert rows[run.run_id].state == "damaged", run
        assert rows[run.run_id].problem
    with pytest.raises(JournalDamaged):
        LocalControl(tmp_path).status(damaged.path)


def test_the_latest_unfinished_run_is_found(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no unfinished run"):
        find_or_latest(tmp_path, "", unfinished=True)
    first = make_run(tmp_path, STARTED)
    ended = make_run(tmp_path, STARTED, (Kind.FINISHED, {"outcome": "done"}), stopped("done"))
    assert find_or_latest(tmp_path, "", unfinished=True) == first
    assert find_or_latest(tmp_path, ended.run_id) == ended
    with pytest.raises(UsageError, match="has ended: done"):
        LocalControl(tmp_path).resume(ended.path, StartOptions())


def test_a_run_with_a_living_runner_is_not_started_again(tmp_path: Path) -> None:
    run = make_run(tmp_path, STARTED)
    control = LocalControl(tmp_path)
    with living_runner(run):
        assert control.resume(run.path, StartOptions()) is False
        view = control.open(run.path)
        assert view.alive()
        assert view.runbook.digest == habitcraft().digest
        assert [r.kind for r in view.records()] == [Kind.RUN_CREATED, Kind.RUNNER_STARTED]
        view.close()


def test_an_order_is_answered_by_the_runner_or_waits_for_one(tmp_path: Path) -> None:
    run = make_run(tmp_path, STARTED)
    control = LocalControl(tmp_path)
    order = control.order(run.path, "pause", reason="lunch")
    assert control.answer(run.path, order) is None
    with SqliteJournal(run.journal) as journal:
        (row,) = journal.orders()
        assert (row.command, row.reason, row.step) == ("pause", "lunch", "")
        assert row.who
        assert row.host
        journal.append(Kind.DECISION, {"command": "pause", "order": order})
        second = control.order(run.path, "retry", step=FIRST)
        journal.append(Kind.DECISION, {"command": "retry", "order": second, "refused": "it is done"})
    assert control.answer(run.path, order) == ""
    assert control.answer(run.path, second) == "it is done"


def test_a_report_is_there_at_any_time(tmp_path: Path) -> None:
    run = make_run(
        tmp_path, STARTED, intent(), (Kind.FAILED, {"step": FIRST, "attempt": 1, "error": error()})
    )
    control = LocalControl(tmp_path)
    found = json.loads(control.report(run.path, "json"))
    assert (found["run_id"], found["phases"][0]["steps"][0]["status"]) == (run.run_id, "failed")
    assert habitcraft().title in control.report(run.path, "md")


def test_what_the_twin_is_asked_for(tmp_path: Path) -> None:
    options = StartOptions(rows=50, source_dump="dump.pgc", source_url="postgresql://db.example.com/app")
    spec = lab_spec(habitcraft(), options)
    assert spec["database"]["rows"] == 50
    assert Path(spec["database"]["source_dump"]).is_absolute()
    assert spec["database"]["source_url"] == "postgresql://db.example.com/app"
    assert "source_dump" not in lab_spec(habitcraft(), StartOptions())["database"]
