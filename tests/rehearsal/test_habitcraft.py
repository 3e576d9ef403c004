"""The whole move of habitcraft: once as a user sees it, without network; once with its runner killed on the way."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from migrator.resources import shipped
from tests.rehearsal.harness import NEW_NAMESPACE, Moment, Run, at, finish, same_story
from tests.rehearsal.secrecy import ArgumentWatch, findings, open_files

LAST = "update_documentation"

KILLS: tuple[tuple[Moment, float], ...] = (
    (at("spawned", "network", "apply"), 4.0),
    (at("spawned", "database", "apply"), 20.0),
    (at("intent", "compute"), 3.0),
    (at("intent", "fence"), 0.5),
    (at("spawned", "restore"), 0.4),
    (at("intent", "cutover"), 0.1),
    (at("intent", "delete_backend_service"), 0.01),
)


def loopback_namespaces() -> bool:
    """Whether this machine lets us make a network namespace in which only loopback is up."""
    if not all(shutil.which(program) for program in ("unshare", "nsenter", "ip")):
        return False
    return subprocess.run([*NEW_NAMESPACE, "true"], capture_output=True, check=False).returncode == 0


@dataclass
class Told:
    """What one whole rehearsal left."""

    world: dict[str, Any]
    story: dict[str, Any]
    report: dict[str, Any]
    leaks: list[str]
    readable: list[str]
    secrets: list[str]


def lead(base: Path, kills: tuple[tuple[Moment, float], ...], *, isolated: bool) -> Told:
    """A whole rehearsal; it stops at the last manual step, where the test looks at the world."""
    text = (shipped("runbooks") / "habitcraft.yaml").read_text(encoding="utf-8")
    head, mark, tail = text.partition(f"- id: {LAST}\n")
    assert tail.count("auto: rehearsal") == 1
    (base / "habitcraft.yaml").write_text(
        head + mark + tail.replace("auto: rehearsal", "auto: never"), "utf-8"
    )
    run = Run(base, isolated=isolated)
    try:
        with ArgumentWatch() as arguments:
            viewer = run.begin("./habitcraft.yaml")
            for kill in kills:
                run.kill_at(*kill)
                finish(viewer)
                viewer = run.resume()
            assert finish(viewer) == 3, run.output()
            seen, secrets = run.observe("habitcraft-prod", "habitcraft")
            run.command("approve", run.folder.name, LAST)
            assert finish(run.resume()) == 0, run.output()
        report = run.report()
        leaks = findings(run.folder, run.printed(), arguments.seen, secrets)
        return Told(seen, same_story(report), report, leaks, open_files(run.folder), sorted(secrets))
    except BaseException:
        run.discard()
        raise


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Told:
    return lead(tmp_path_factory.mktemp("undisturbed"), (), isolated=loopback_namespaces())


def calm(found: dict[str, Any]) -> dict[str, Any]:
    """The world without the tables that the clients write into: they do not write the same twice."""
    lively = ("users", "habits", "completions", "figures", "activity")
    return {
        **found,
        "rows": {t: r for t, r in found["rows"].items() if not any(word in t for word in lively)},
    }


@pytest.mark.rehearsal
def test_the_move_loses_no_write_and_leaves_nothing(undisturbed: Told) -> None:
    report = undisturbed.report
    assert report["outcome"] == "done"
    assert report["writes"]["acknowledged"] > 1_000
    assert report["writes"]["lost"] == 0
    assert report["writes"]["duplicated"] == 0
    assert report["service"]["unavailable_seconds"] > 0
    assert report["database"]["rows"] >= 200_000
    assert len(report["database"]["checks"]) >= 20
    assert all(check["ok"] for check in report["database"]["checks"])
    assert all(image["verified"] for image in report["images"])
    assert len(report["terraform"]) == 8
    assert {row["name"].rstrip(".") for row in report["dns"]} == {"www.example.com", "api.example.com"}
    assert report["leftovers"] == []
    assert report["outside_contacts"] == []
    assert undisturbed.world["locks"] == []


@pytest.mark.rehearsal
def test_no_secret_is_told_and_no_file_is_open_to_others(undisturbed: Told) -> None:
    assert len(undisturbed.secrets) >= 6
    assert undisturbed.leaks == []
    assert undisturbed.readable == []


@pytest.mark.rehearsal
@pytest.mark.crash
def test_a_runner_killed_again_and_again_ends_in_the_same_world(undisturbed: Told, tmp_path: Path) -> None:
    killed = lead(tmp_path, KILLS, isolated=False)
    assert killed.report["writes"]["lost"] == 0
    assert killed.report["writes"]["duplicated"] == 0
    assert killed.leaks == []
    assert calm(killed.world) == calm(undisturbed.world)
    # Clients do not write the same twice, so the number of rows differs; every table was compared in each run.
    told, expected = killed.story, undisturbed.story
    told["database"].pop("rows")
    expected["database"].pop("rows")
    assert told == expected
