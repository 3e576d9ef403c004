"""Where runs live, how they are found, and who may read them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from migrator.errors import UsageError
from migrator.runner.folders import RunFolder, all_runs, find_run, new_run, whoami


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_run_is_for_its_owner_alone(tmp_path: Path) -> None:
    umask = os.umask(0o022)
    try:
        run = new_run(tmp_path, "habitcraft")
        work = run.work("network")
    finally:
        os.umask(umask)
    assert run.path.parent == tmp_path / ".migrator" / "runs"
    assert run.run_id.startswith("habitcraft-")
    assert [mode(p) for p in (run.path.parent, run.path, run.logs, work)] == [0o700] * 4
    assert run.work("network") == work
    assert new_run(tmp_path, "habitcraft").run_id != run.run_id


def with_journal(run: RunFolder) -> RunFolder:
    run.journal.touch()
    return run


def test_runs_are_found_by_name_beginning_or_path(tmp_path: Path) -> None:
    assert list(all_runs(tmp_path)) == []
    first, second = with_journal(new_run(tmp_path, "first")), with_journal(new_run(tmp_path, "second"))
    new_run(tmp_path, "empty")
    assert set(all_runs(tmp_path)) == {first, second}
    assert find_run(tmp_path, first.run_id) == first
    assert find_run(tmp_path, "sec") == second
    assert find_run(tmp_path, str(second.path)) == second
    with pytest.raises(UsageError, match="no run 'third'"):
        find_run(tmp_path, "third")


def test_an_exact_name_wins_over_a_longer_one_and_two_beginnings_are_refused(tmp_path: Path) -> None:
    runs = tmp_path / ".migrator" / "runs"
    for name in ("app-1", "app-12"):
        (runs / name).mkdir(parents=True)
        (runs / name / "journal.db").touch()
    assert find_run(tmp_path, "app-1").run_id == "app-1"
    with pytest.raises(UsageError, match="fits 2 runs"):
        find_run(tmp_path, "app")


def test_the_operator_has_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "ann")
    assert whoami() == "ann"
