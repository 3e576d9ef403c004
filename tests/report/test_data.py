"""report.json: the keys of the contract, and that nothing is claimed that was not measured or not done."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from migrator.model.records import Kind
from migrator.model.runbook import StepKind
from migrator.model.state import StepState, StepStatus, fold
from migrator.report import build_report, to_html, to_markdown
from migrator.report.data import phase_status
from migrator.report.shares import union_seconds
from tests.engine.books import SPECS, every_class, step
from tests.engine.world import Simulation
from tests.report.stories import BEGUN, Story, full, hostile, runbook, troubled

CONTRACT = {
    "": (
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
    ),
    "phases": ("id", "status", "seconds", "steps"),
    "steps": ("id", "action", "status", "attempts", "seconds"),
    "service": ("requests", "failed", "unavailable_seconds"),
    "writes": ("acknowledged", "found", "lost", "duplicated"),
    "database": ("tables", "rows", "freeze_seconds", "checks"),
    "checks": ("name", "ok"),
    "terraform": ("stack", "added", "changed", "destroyed", "seconds"),
    "images": ("name", "digest", "verified"),
    "dns": ("name", "before", "after"),
}


def assert_contract(report: dict[str, Any]) -> None:
    json.dumps(report)
    rows = {"": [report], "and": [report], "phases": report["phases"]}
    rows["steps"] = [step for phase in report["phases"] for step in phase["steps"]]
    rows["checks"] = report["database"]["checks"]
    for name in ("service", "writes", "database"):
        rows[name] = [report[name]]
    for name in ("terraform", "images", "dns"):
        rows[name] = report[name]
    for name, keys in CONTRACT.items():
        for row in rows[name]:
            assert set(keys) <= set(row), name
    assert report["mode"] in ("rehearse", "run")
    assert report["outcome"] in ("done", "failed", "rolled_back", "aborted", "unfinished")


def test_a_simulated_run_has_every_key() -> None:
    simulation = Simulation.begin(every_class(), SPECS)
    assert simulation.start() == "done"
    report = build_report(fold(simulation.journal.rows), simulation.runbook)
    assert_contract(report)
    assert (report["outcome"], report["phases"][0]["status"]) == ("done", "done")
    assert all(step["status"] == "done" for step in report["phases"][0]["steps"])


@pytest.mark.parametrize(
    "story", [full(), full(measured=False, mode="run"), troubled(), Story(), hostile("x")]
)
def test_told_runs_have_every_key_and_every_form(story: Story) -> None:
    assert_contract(story.report)
    assert to_markdown(story.report)
    assert to_html(story.report)


def test_a_whole_run_says_what_was_measured() -> None:
    report = full().report
    assert report["service"]["unavailable_seconds"] == 5.2
    assert report["writes"] == {"acknowledged": 770, "found": 770, "lost": 0, "duplicated": 0, "lost_ids": []}
    assert report["database"]["freeze_seconds"] == 4.0
    assert [row["stack"] for row in report["terraform"]] == ["test/n", "test/registry"]
    assert report["window"]["seconds"] == 7.0
    assert report["point_of_no_return"].keys() == {"new_writes"}


def test_what_was_not_measured_is_never_zero() -> None:
    report = full(measured=False, mode="run").report
    assert set(report["service"].values()) == {None}
    assert set(report["writes"].values()) == {None}
    text = to_markdown(report)
    assert "| Lost | not measured |" in text
    assert "| Service unavailable | not measured |" in text


def test_a_database_that_was_not_moved_has_no_figures() -> None:
    database = Story().report["database"]
    assert database == {"tables": None, "rows": None, "freeze_seconds": None, "checks": []}


def test_without_a_final_comparison_nothing_is_lost_or_found() -> None:
    story = Story()
    story.say(5, Kind.MEASURED, name="traffic", values={"requests": 5, "writes": {"acknowledged": 3}})
    assert story.report["writes"] == {"acknowledged": 3, "found": None, "lost": None, "duplicated": None}


def test_skipped_is_not_done() -> None:
    report = troubled().report
    steps = {step["id"]: step for phase in report["phases"] for step in phase["steps"]}
    assert steps["registry"]["status"] == "skipped"
    assert steps["registry"]["seconds"] is None, "the hour until somebody skipped it is not work"
    skipped = {"step": "registry", "title": "Do registry", "reason": "made by hand", "who": "ada"}
    assert skipped.items() <= report["skipped"][0].items()


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (["done", "done"], "done"),
        (["done", "skipped"], "partly_skipped"),
        (["skipped", "skipped"], "skipped"),
        (["done", "pending"], "running"),
        (["pending", "pending"], "pending"),
        (["done", "waiting"], "waiting"),
        (["failed", "in_doubt"], "in_doubt"),
        (["done", "blocked"], "blocked"),
        (["running", "failed"], "failed"),
    ],
)
def test_the_status_of_a_phase(found: list[str], expected: str) -> None:
    assert phase_status([StepState("s", StepStatus(status)) for status in found]) == expected


def test_outcomes() -> None:
    assert full().report["outcome"] == "done"
    assert troubled().report["outcome"] == "failed"
    fresh = Story()
    assert (fresh.report["outcome"], fresh.report["state"], fresh.report["ended"]) == (
        "unfinished",
        "running",
        "",
    )
    fresh.begin("look", 5)
    assert fresh.report["as_of"] > fresh.report["started"]
    fresh.say(6, Kind.RUNNER_STOPPED, reason="paused")
    assert (fresh.report["outcome"], fresh.report["state"]) == ("unfinished", "paused")
    fresh.say(7, Kind.ABORTED, who="ada", reason="enough")
    assert fresh.report["outcome"] == "aborted"


def test_adopted_failed_and_blocked_steps_keep_their_story() -> None:
    report = troubled().report
    steps = {step["id"]: step for phase in report["phases"] for step in phase["steps"]}
    assert steps["look"]["adopted"]
    assert (steps["network"]["seconds"], steps["network"]["error"]["what"]) == (6.0, "the quota is used up")
    assert (steps["push"]["seconds"], steps["push"]["reason"]) == (2.0, "something is there")
    assert steps["cutover"]["seconds"] is None


def test_shares_are_unions_of_intervals() -> None:
    found = full().report["shares"]
    assert found["total_seconds"] == 50.0
    assert found["work_seconds"] == {
        "terraform": 20.0,
        "database": 4.0,
        "images": 2.0,
        "waits": 5.0,
        "decisions": 1.0,
        "other": 3.0,
    }
    assert found["terraform_and_database_seconds"] == 24.0
    assert found["any_step_seconds"] == 33.0
    assert (found["before_first_step_seconds"], found["after_last_step_seconds"]) == (10.0, 6.0)
    assert (found["engine_seconds"], found["engine_share"], found["engine_includes_lab"]) == (
        17.0,
        0.34,
        True,
    )


def test_the_twin_is_not_the_engines_share_when_it_was_measured() -> None:
    story = full()
    story.say(50, Kind.MEASURED, name="lab", values={"start_seconds": 9.0, "stop_seconds": 5.0})
    found = story.report["shares"]
    assert (found["lab_seconds"], found["engine_seconds"], found["engine_includes_lab"]) == (14.0, 3.0, False)


def test_a_continued_run_has_no_share_of_the_engine() -> None:
    story = full()
    assert story.report["shares"]["engine_seconds"] is not None
    story.say(51, Kind.RUNNER_STARTED, pid=2)
    assert story.report["shares"]["engine_seconds"] is None
    assert "not measured" in to_markdown(story.report)


def test_time_in_which_people_were_wanted_is_not_the_engines() -> None:
    assert troubled().report["shares"]["engine_share"] is None
    story = full()
    story.say(49, Kind.DECISION, command="pause", by="person", who="ada")
    assert story.report["shares"]["engine_share"] is None


def test_work_of_people_that_a_rehearsal_took_for_granted_is_said() -> None:
    story = full()
    story.runbook = runbook()
    move = story.runbook.phases[1]
    by_hand = replace(step("hands", "", kind=StepKind.MANUAL), title="Call the bank")
    phases = (story.runbook.phases[0], replace(move, steps=(*move.steps, by_hand)))
    story.runbook = replace(story.runbook, phases=phases)
    assert "Call the bank: work for a person" not in to_markdown(story.report)
    story.say(45, Kind.DECISION, step="hands", command="approve", by="policy", who="ada")
    assert "Call the bank: work for a person, taken as done by policy." in to_markdown(story.report)
    assert "Call the bank: work for a person, taken as done by policy." in to_html(story.report)


def test_union_of_intervals() -> None:
    def span(begun: int, ended: int) -> tuple[Any, Any]:
        return BEGUN.replace(second=begun), BEGUN.replace(second=ended)

    assert union_seconds([]) == 0
    assert union_seconds([span(5, 9), span(0, 2), span(1, 3), span(6, 7)]) == 7
