"""The wizard on a real run in a real terminal: real keys, a real twin, viewers and runners killed on purpose."""

from __future__ import annotations

import itertools
import json
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from migrator.errors import ExitCode
from migrator.model.state import StepStatus
from migrator.runner.control import state_of
from migrator.runner.folders import RunFolder
from migrator.tui.words import DECISION, LOOKS
from tests.rehearsal.harness import Moment, Run, at
from tests.tui.terminal import Terminal

SHORT = Path(__file__).with_name("short.yaml")
SMALL, LARGE = (80, 24), (160, 50)
UP = "\x1b[A"

MOMENTS: tuple[Moment, ...] = (
    at("intent", "zone"),
    at("intent", "state"),
    at("spawned", "network", "apply"),
    at("intent", "image"),
    at("wait_started", "ttl_wait"),
    at("intent", "fence"),
    at("spawned", "restore"),
    at("intent", "compare"),
    at("gate_opened", "approve_deletion"),
    at("gate_opened", "look_at_the_world"),
)


def migrator(folder: Path, *arguments: str, size: tuple[int, int] = LARGE) -> Terminal:
    """`migrator` with these arguments, as somebody types it."""
    return Terminal(("migrator", *arguments), folder, size)


def begun(base: Path, seconds: float = 60.0) -> Run:
    """The run that was begun below a folder."""
    run, end = Run(base), time.monotonic() + seconds
    while not (found := next(iter(base.glob(".migrator/runs/*/journal.db")), None)):
        assert time.monotonic() < end, "no run was begun"
        time.sleep(0.02)
    run.folder = found.parent
    return run


def until(run: Run, moment: Moment, terminal: Terminal, seconds: float = 120.0) -> None:
    """Watches until a record fits; the terminal is drawn meanwhile."""
    end = time.monotonic() + seconds
    while not any(moment(record) for record in run.records()):
        assert time.monotonic() < end, f"the moment did not come; on screen:\n{terminal.text()}"
        terminal.rest(0.1)


def wrong_rows(run: Run, text: str) -> list[str]:
    """Steps that the tree on a large screen shows otherwise than the journal has them."""
    state, book, alive = state_of(RunFolder(run.folder))
    wrong = []
    for step in book.steps():
        status = state.step(step.id).status
        asks = status is StepStatus.WAITING and step.gate is not None
        look = DECISION if asks else LOOKS[status]
        rows = [row for row in text.splitlines() if f"{look.glyph} {step.title}"[:30] in row[:62]]
        if not any(look.word in row[:62] for row in rows):
            wrong.append(f"{step.id} is {status.value} (runner alive: {alive})")
    return wrong


def shows_the_truth(run: Run, terminal: Terminal, seconds: float = 15.0) -> None:
    """The tree agrees with the journal within a moment: both go on while they are read."""
    end = time.monotonic() + seconds
    while wrong := wrong_rows(run, terminal.text()):
        assert time.monotonic() < end, f"{wrong}; on screen:\n{terminal.text()}"
        terminal.rest(0.05)


def end_by_signal(number: signal.Signals, code: ExitCode) -> Callable[[Terminal], None]:
    """A signal that the wizard answers: it goes, and the terminal is as it was."""

    def end(terminal: Terminal) -> None:
        terminal.signal(number)
        assert terminal.ends() == code
        assert terminal.whole()

    return end


def kill(terminal: Terminal) -> None:
    """`kill -9`: the terminal cannot be whole, but the run goes on."""
    terminal.signal(signal.SIGKILL)
    assert terminal.ends() == -signal.SIGKILL


ENDS: tuple[Callable[[Terminal], None], ...] = (
    kill,
    end_by_signal(signal.SIGTERM, ExitCode.TERMINATED),
    Terminal.hang_up,
    end_by_signal(signal.SIGHUP, ExitCode.HUNG_UP),
)


@pytest.mark.crash
def test_a_viewer_ended_at_ten_moments_changes_nothing(tmp_path: Path) -> None:
    """At each moment two viewers go, each in another way; the next one shows what is true."""
    shutil.copy(SHORT, tmp_path / "short.yaml")
    viewer = migrator(tmp_path, "rehearse", "./short.yaml")
    run = begun(tmp_path)
    try:
        ways = itertools.cycle(ENDS)
        for number, moment in enumerate(MOMENTS):
            until(run, moment, viewer)
            if number == 8:
                viewer.sees("Delete?")
                viewer.send("g")
                viewer.sees("to say yes, type")
                viewer.send("delete it\r")
                until(run, at("done", "approve_deletion"), viewer)
            next(ways)(viewer)
            watcher = migrator(tmp_path, "attach")
            watcher.sees("WATCHING ONLY")
            shows_the_truth(run, watcher)
            next(ways)(watcher)
            viewer = migrator(tmp_path, "resume")
            viewer.sees("migrator" if number == len(MOMENTS) - 1 else "REHEARSAL on a twin")
            shows_the_truth(run, viewer)
        viewer.send("g")
        viewer.sees("Seen?")
        viewer.send("y")
        until(run, at("finished"), viewer)
        viewer.sees("✓ done")
        viewer.send("q")
        assert viewer.ends() == ExitCode.DONE
        runners = [record for record in run.records() if record["kind"] == "runner_started"]
        assert len(runners) == 1
        report = run.report()
        assert report["outcome"] == "done"
        assert report["leftovers"] == []
    finally:
        viewer.child.close(force=True)
        run.discard()


def a_step_fails_and_is_tried_again(wizard: Terminal, run: Run) -> None:
    """The image is not where it should be; then it is again."""
    until(run, at("intent", "state"), wizard)
    layout = Path(run.lab().variables["backend_image"].removeprefix("oci:"))
    hidden = layout.with_name("hidden")
    layout.rename(hidden)
    until(run, at("failed", "image"), wizard)
    wizard.sees("FAILED")
    hidden.rename(layout)
    until(run, at("done", "network"), wizard)
    wizard.send("g")
    wizard.sees("What went wrong")
    wizard.sees("How to go on")
    wizard.send("t")
    until(run, at("done", "image"), wizard)


def the_runner_is_killed_and_somebody_goes_on(wizard: Terminal, run: Run) -> None:
    """In mid-step; the resume screen says where the run stands, and one key goes on."""
    run.kill_at(at("spawned", "restore"), 0.1)
    wizard.sees("nobody leads it")
    wizard.send("r")
    wizard.sees("last led")
    wizard.sees("not known; w asks the world")
    wizard.send("w")
    wizard.sees("it only asked the world", 60)
    wizard.sees("all as they were left")
    wizard.sees("What the next key does")
    wizard.send("\r")
    until(run, at("done", "restore"), wizard)


def a_watcher_may_not_steer(wizard: Terminal, watcher: Terminal, run: Run) -> None:
    """Until steering is asked for, a second terminal only looks."""
    watcher.sees("WATCHING ONLY")
    until(run, at("gate_opened", "approve_deletion"), wizard)
    watcher.send("g")
    watcher.sees("You only watch.")
    watcher.send("\x1b")


def detached_and_back_from_home(wizard: Terminal) -> None:
    """Leaving the screen leaves the run alone."""
    wizard.send("q")
    wizard.sees("Unfinished runs")
    wizard.send(UP)
    wizard.send("\r")
    wizard.sees("ASKS YOU")


def a_severe_decision_wants_its_words(wizard: Terminal, run: Run) -> None:
    """Other words decide nothing."""
    wizard.send("g")
    wizard.sees("to say yes, type")
    wizard.send("delete\r")
    wizard.sees("Nothing was decided")
    # One key after the other, as fingers do: the framework carries out bound keys of a burst late.
    for keys in ("\x01", "\x0b", "delete it", "\r"):
        wizard.send(keys)
        wizard.rest(0.3)
    until(run, at("gate_opened", "look_at_the_world"), wizard)


@pytest.mark.crash
@pytest.mark.rehearsal
def test_a_whole_rehearsal_by_hand_with_trouble_on_the_way(tmp_path: Path) -> None:
    """80 by 24, from home to the end: every gate by hand, a failure, a killed runner, a watcher, a detach."""
    shutil.copy(SHORT, tmp_path / "short.yaml")
    (tmp_path / "migration.yaml").write_text("format: 1\nrunbook: ./short.yaml\nvalues: {}\n", "utf-8")
    wizard = migrator(tmp_path, size=SMALL)
    wizard.sees("Migrations in this folder")
    wizard.sees("Enter rehearse")
    wizard.send("\r")
    run = begun(tmp_path)
    terminals = [wizard]
    try:
        wizard.sees("REHEARSAL on a twin", 60)
        a_step_fails_and_is_tried_again(wizard, run)
        the_runner_is_killed_and_somebody_goes_on(wizard, run)
        watcher = migrator(tmp_path, "attach")
        terminals.append(watcher)
        a_watcher_may_not_steer(wizard, watcher, run)
        detached_and_back_from_home(wizard)
        a_severe_decision_wants_its_words(wizard, run)
        shows_the_truth(run, watcher)
        wizard.sees("Seen?")
        wizard.send("g")
        wizard.sees("y yes")
        wizard.send("y")
        until(run, at("finished"), wizard)
        for terminal in terminals:
            terminal.sees("✓ done")
        watcher.send("q")
        watcher.ends()
        wizard.send("q")
        wizard.sees("Ended runs")
        wizard.send("q")
        assert wizard.ends() == ExitCode.DONE
        assert wizard.whole()

        assert run.report()["outcome"] == "done"
        decisions = [r for r in run.records() if r["kind"] == "decision" and not r.get("refused")]
        assert {r["command"] for r in decisions if r.get("by") == "person"} == {"retry", "approve"}
        status = json.loads(run.command("status", run.folder.name, "--json").stdout)
        assert (status["state"], status["in_doubt"]) == ("done", [])
    finally:
        for terminal in terminals:
            terminal.child.close(force=True)
        run.discard()
