"""Starting, following and finding again of child processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from migrator.contracts.process import Child, Command
from migrator.errors import DeadlineExceeded, Interrupted, Refused
from migrator.tools.process import MAX_LINE_BYTES, LocalProcesses, allowed_environment


def command(tmp_path: Path, *argv: str, **more: Any) -> Command:
    values: dict[str, Any] = {
        "label": "test",
        "cwd": tmp_path,
        "environment": {"PATH": os.environ["PATH"]},
        "deadline_seconds": 30.0,
        "grace_seconds": 1.0,
    }
    return Command(argv=argv, **{**values, **more})


def _ignore(_child: Child) -> None:
    pass


def _until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.02)


def test_start_and_follow(tmp_path: Path) -> None:
    processes, out, err = LocalProcesses(), [], []  # type: ignore[var-annotated]
    child = processes.start(
        command(tmp_path, "sh", "-c", "echo one; printf two; echo bad >&2; exit 2", ok_codes=(0, 2)),
        tmp_path / "child",
        _ignore,
    )
    found = processes.follow(child, out.append, err.append)
    assert (found.code, found.reason, found.ok) == (2, "exit", True)
    assert (out, err) == (["one", "two"], ["bad"])
    assert not processes.alive(child)
    again: list[str] = []
    assert LocalProcesses().follow(child, again.append) == found
    assert again == ["one", "two"]


def test_the_command_waits_for_the_record_and_is_not_run_without_it(tmp_path: Path) -> None:
    processes = LocalProcesses()

    def broken(child: Child) -> None:
        assert processes.alive(child)
        assert not (tmp_path / "ran").exists()
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="disk is full"):
        processes.start(command(tmp_path, "touch", str(tmp_path / "ran")), tmp_path / "child", broken)
    _until(lambda: (tmp_path / "child" / "status.json").exists())
    assert json.loads((tmp_path / "child" / "status.json").read_text())["reason"] == "not_run"
    assert not (tmp_path / "ran").exists()


def test_the_environment_is_exactly_what_was_given_and_lies_in_no_file(tmp_path: Path) -> None:
    processes, out = LocalProcesses(), []  # type: ignore[var-annotated]
    given = {"PATH": os.environ["PATH"], "TOKEN": "very-secret-value", "PYTHONHOME": "/nowhere"}
    child = processes.start(command(tmp_path, "env", environment=given), tmp_path / "child", _ignore)
    assert processes.follow(child, out.append).ok
    assert sorted(
        line for line in out if not line.startswith(("PWD=", "SHLVL=", "_=", "LC_CTYPE="))
    ) == sorted(f"{name}={value}" for name, value in given.items())
    (tmp_path / "child" / "stdout").unlink()
    for file in (tmp_path / "child").iterdir():
        assert "very-secret-value" not in file.read_text(), file.name


def test_long_lines_are_cut_and_the_next_one_is_whole(tmp_path: Path) -> None:
    processes, out = LocalProcesses(), []  # type: ignore[var-annotated]
    program = f"print('x'*{MAX_LINE_BYTES * 40}); print('next'); print('y'*{MAX_LINE_BYTES}); print('end')"
    child = processes.start(command(tmp_path, sys.executable, "-c", program), tmp_path / "child", _ignore)
    assert processes.follow(child, out.append).ok
    assert [len(line) for line in out] == [MAX_LINE_BYTES, 4, MAX_LINE_BYTES, 3]
    assert out[1] == "next"


def test_a_folder_is_used_once(tmp_path: Path) -> None:
    processes = LocalProcesses()
    processes.follow(processes.start(command(tmp_path, "true"), tmp_path / "child", _ignore))
    with pytest.raises(Refused, match="already holds"):
        processes.start(command(tmp_path, "true"), tmp_path / "child", _ignore)


def test_an_unknown_program_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="not found"):
        LocalProcesses().start(command(tmp_path, "no-such-program-here"), tmp_path / "child", _ignore)
    assert LocalProcesses().find("no-such-program-here") is None
    (tmp_path / "tool").write_text("#!/bin/sh\n")
    (tmp_path / "tool").chmod(0o700)
    assert LocalProcesses().find("tool", [str(tmp_path)]) == tmp_path / "tool"


@pytest.mark.engine
def test_a_cancelling_tick_sends_one_sigint_and_goes_on(tmp_path: Path) -> None:
    processes = LocalProcesses()
    program = "trap 'echo int >> {0}; sleep 0.2; exit 9' INT; echo ready; while :; do sleep 0.05; done"
    child = processes.start(
        command(tmp_path, "sh", "-c", program.format(tmp_path / "signals"), grace_seconds=5.0),
        tmp_path / "child",
        _ignore,
    )
    seen: list[str] = []

    def tick() -> None:
        if seen:
            raise Interrupted("the operator interrupted")

    with pytest.raises(Interrupted):
        processes.follow(child, seen.append, tick=tick)
    assert (tmp_path / "signals").read_text() == "int\n"
    assert processes.follow(child).code == 9


@pytest.mark.crash
def test_the_command_outlives_a_killed_runner_and_is_found_again(tmp_path: Path) -> None:
    runner = textwrap.dedent(
        """
        import dataclasses, json, os, sys, time
        from pathlib import Path
        from migrator.contracts.process import Command
        from migrator.tools.process import LocalProcesses
        here = Path(sys.argv[1])
        def spawned(child):
            (here / "child.json").write_text(json.dumps(dataclasses.asdict(child), default=str))
        command = Command(("sh", "-c", "echo start; sleep 1.5; echo end; exit 4"), "t", here, dict(os.environ), 30.0)
        child = LocalProcesses().start(command, here / "child", spawned)
        print("started", flush=True)
        time.sleep(60)
        """
    )
    process = subprocess.Popen([sys.executable, "-c", runner, str(tmp_path)], stdout=subprocess.PIPE)
    assert process.stdout
    process.stdout.readline()
    process.kill()
    process.communicate()
    recorded = json.loads((tmp_path / "child.json").read_text())
    child = Child(**{**recorded, "folder": Path(recorded["folder"]), "argv": tuple(recorded["argv"])})
    processes, out = LocalProcesses(), []  # type: ignore[var-annotated]
    assert processes.alive(child)
    found = processes.follow(child, out.append)
    assert (found.code, found.reason, out) == (4, "exit", ["start", "end"])


@pytest.mark.crash
def test_a_killed_supervisor_leaves_its_command_to_be_followed(tmp_path: Path) -> None:
    processes, out = LocalProcesses(), []  # type: ignore[var-annotated]
    program = f"echo start; sleep 1; touch {tmp_path}/finished; echo end"
    child = processes.start(command(tmp_path, "sh", "-c", program), tmp_path / "child", _ignore)
    _until(
        lambda: bool((tmp_path / "child" / "stdout").exists() and (tmp_path / "child" / "stdout").read_text())
    )
    os.kill(child.pid, signal.SIGKILL)
    found = processes.follow(child, out.append)
    assert (tmp_path / "finished").exists()
    assert (found.code, found.reason, found.ok, out) == (None, "lost", False, ["start", "end"])


def test_another_process_with_the_same_pid_is_not_ours(tmp_path: Path) -> None:
    processes = LocalProcesses()
    child = processes.start(command(tmp_path, "true"), tmp_path / "child", _ignore)
    processes.follow(child)
    mine = Child(os.getpid(), child.start_time, child.boot_id, child.folder, "", ())
    assert not processes.alive(mine)
    other_boot = Child(os.getpid(), "1", "another-boot", child.folder, "", ())
    assert not processes.alive(other_boot)


def test_run_gives_exit_and_both_outputs(tmp_path: Path) -> None:
    found, out, err = LocalProcesses().run(
        command(tmp_path, "sh", "-c", "cat; echo no >&2; exit 1"), input_text="given"
    )
    assert (found.code, found.ok, out, err) == (1, False, "given", "no\n")
    _, out, _ = LocalProcesses().run(command(tmp_path, "sh", "-c", "echo 123456789"), limit_bytes=4)
    assert out == "1234"


@pytest.mark.engine
def test_run_ends_at_its_deadline_and_when_cancelled(tmp_path: Path) -> None:
    slow = command(tmp_path, "sleep", "60", deadline_seconds=0.3)
    assert LocalProcesses().run(slow)[0].reason == "deadline"

    def tick() -> None:
        raise DeadlineExceeded("the step's deadline passed")

    with pytest.raises(DeadlineExceeded):
        LocalProcesses().run(command(tmp_path, "sleep", "60"), tick=tick)


def test_the_allow_list_keeps_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_LOG", "trace")
    monkeypatch.setenv("AWS_PROFILE", "one")
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    monkeypatch.setenv("GITHUB_TOKEN", "secret-token")
    found = allowed_environment(names=["AWS_PROFILE"], more={"X": "1"})
    assert found["AWS_PROFILE"] == "one"
    assert found["X"] == "1"
    assert "PATH" in found
    assert not {"TF_LOG", "GITHUB_TOKEN", "AWS_REGION"} & set(found)
    assert "AWS_REGION" in allowed_environment(prefixes=["AWS_"])
