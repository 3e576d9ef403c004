"""`kill -9` to the runner of a short run, at a dozen moments; each time the same world and the same report."""

from __future__ import annotations

import concurrent.futures
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.rehearsal.harness import Moment, Run, at, finish, same_story, world

SHORT = Path(__file__).with_name("short.yaml")
GATE = "look_at_the_world"

MOMENTS: dict[str, tuple[Moment, float]] = {
    "while the twin starts": (at("runner_started"), 0.6),
    "state bucket, after the intent": (at("intent", "state"), 0.02),
    "a record is being changed": (at("intent", "lower_ttl"), 0.05),
    "a wait": (at("wait_started", "ttl_wait"), 0.5),
    "a plan at work": (at("intent", "network"), 2.0),
    "in the middle of an apply": (at("spawned", "network", "apply"), 3.0),
    "an image on its way": (at("intent", "image"), 0.03),
    "the fence, before its outcome": (at("intent", "fence"), 0.3),
    "in the middle of a dump": (at("spawned", "dump"), 0.05),
    "in the middle of a restore": (at("spawned", "restore"), 0.15),
    "the swap": (at("intent", "swap"), 0.02),
    "the deletion": (at("intent", "delete_service"), 0.01),
}


def lead(base: Path, kill: tuple[Moment, float] | None) -> tuple[dict[str, Any], dict[str, Any], Run]:
    """A whole short run, killed once or not; its world just before the end, and its report."""
    base.mkdir()
    target = shutil.copy(SHORT, base)
    run = Run(base)
    try:
        viewer = run.begin(str(target))
        if kill is not None:
            run.kill_at(*kill)
            finish(viewer)
            status = run.command("status", run.folder.name)
            assert f"migrator resume {run.folder.name}" in status.stdout, status.stdout + status.stderr
            viewer = run.resume()
        assert finish(viewer) == 3, run.output()
        seen = world(run.lab(), "habitcraft-short", "habitcraft")
        run.command("approve", run.folder.name, GATE)
        assert finish(run.resume()) == 0, run.output()
        return seen, same_story(run.report()), run
    except BaseException:
        run.discard()
        raise


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, Any]]:
    seen, story, _ = lead(tmp_path_factory.mktemp("runs") / "undisturbed", None)
    return seen, story


@pytest.mark.crash
def test_a_runner_killed_at_any_of_these_moments_leaves_nothing_wrong(
    undisturbed: tuple[dict[str, Any], dict[str, Any]], tmp_path: Path
) -> None:
    seen, story = undisturbed
    assert seen["locks"] == []
    assert story["outcome"] == "done"
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        futures = {
            name: pool.submit(lead, tmp_path / f"run{number}", kill)
            for number, (name, kill) in enumerate(MOMENTS.items())
        }
    wrong = [found for name, future in futures.items() if (found := compare(name, future, seen, story))]
    assert not wrong, "\n".join(wrong)


def compare(
    name: str, future: concurrent.futures.Future[Any], seen: dict[str, Any], story: dict[str, Any]
) -> str:
    """What differs after this moment from the undisturbed run; empty when nothing does."""
    try:
        found, told, run = future.result()
    except Exception as error:  # noqa: BLE001 - all moments are told of at once
        return f"{name}: {error}"
    differences = [
        f"world {key}: {found[key]} instead of {seen[key]}" for key in seen if found[key] != seen[key]
    ]
    differences += [
        f"report {key}: {told[key]} instead of {story[key]}" for key in story if told[key] != story[key]
    ]
    applies = [
        (record["step"], record["child"]["label"])
        for record in run.records()
        if record["kind"] == "spawned" and "apply" in record["child"]["label"]
    ]
    # A Terraform child that outlives its runner is followed to its end: there is one apply for each stack.
    if len(applies) != len(set(applies)):
        differences.append(f"applied twice: {applies}")
    return "; ".join([name, *differences]) if differences else ""
