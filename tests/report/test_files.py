"""The files of a run: three forms, private, whole, and without a secret however it is quoted."""

from __future__ import annotations

import json
import stat
from pathlib import Path

from migrator.journal import SqliteJournal
from migrator.loading.migration import find_runbook
from migrator.model.records import Kind
from migrator.runner.control import LocalControl
from migrator.runner.folders import RunFolder
from migrator.runner.reports import render_report, scrubbed, write_reports
from migrator.secrets import Secret
from tests.report.stories import full, troubled


def test_three_private_files(tmp_path: Path) -> None:
    story = full()
    write_reports(RunFolder(tmp_path), story.state, story.runbook)
    assert {path.name for path in tmp_path.iterdir()} == {"report.json", "report.md", "report.html"}
    for path in tmp_path.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        form = path.suffix[1:]
        assert form in ("md", "html", "json")
        assert path.read_text() == render_report(story.state, story.runbook, form)  # type: ignore[arg-type]
    assert json.loads((tmp_path / "report.json").read_text())["outcome"] == "done"


def test_a_secret_is_found_before_it_is_quoted(tmp_path: Path) -> None:
    canary = Secret('ca"na<ry&|\\w_*')
    story = troubled()
    story.say(
        4000, Kind.DECISION, command="pause", who="ada", by="person", reason=f"it is {canary.reveal()} now"
    )
    write_reports(RunFolder(tmp_path), story.state, story.runbook)
    for path in tmp_path.iterdir():
        text = path.read_text()
        assert "‹secret›" in text
        assert "na&lt;ry" not in text
        assert "na<ry" not in text


def test_a_run_in_the_middle_has_every_form(tmp_path: Path) -> None:
    folder = tmp_path / ".migrator" / "runs" / "habitcraft-1"
    folder.mkdir(parents=True)
    (folder / "runbook.yaml").write_bytes(find_runbook("habitcraft").read_bytes())
    with SqliteJournal(folder / "journal.db", create=True) as journal:
        created = {"run_id": "habitcraft-1", "mode": "rehearse", "created": "2026-01-03T02:00:00+00:00"}
        journal.append(Kind.RUN_CREATED, created)
        journal.append(Kind.INTENT, {"step": "check_tools", "attempt": 1})
    control = LocalControl(tmp_path)
    assert json.loads(control.report(folder, "json"))["outcome"] == "unfinished"
    assert "… **Not finished**" in control.report(folder, "md")
    assert "… Not finished" in control.report(folder, "html")


def test_keys_are_scrubbed_too() -> None:
    canary = Secret("canary-of-keys")
    assert scrubbed({canary.reveal(): [(canary.reveal(), 1, None)]}) == {"‹secret›": [["‹secret›", 1, None]]}
