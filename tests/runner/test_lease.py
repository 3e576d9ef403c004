"""P4: at most one runner. The kernel lets go of a dead one's lease, and children do not keep it."""

from __future__ import annotations

import fcntl
import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from migrator.errors import Locked
from migrator.runner.lease import Lease, held
from migrator.runner.main import main
from tests.runner.runs import living_runner, make_run

ROOT = Path(__file__).parents[2]
ANN = {"pid": 4711, "who": "ann", "host": "desk"}


def test_a_second_holder_is_refused_and_told_who_it_is(tmp_path: Path) -> None:
    path = tmp_path / "run-1" / "runner.lock"
    path.parent.mkdir()
    assert not held(path)
    first = Lease(path, ANN)
    assert held(path)
    with pytest.raises(Locked) as caught:
        Lease(path, {"pid": 1, "who": "bob"})
    assert int(caught.value.exit_code) == 5
    for word in ("ann", "desk", "4711", "migrator attach run-1"):
        assert word in str(caught.value)
    assert held(path)
    first.release()
    assert not held(path)
    Lease(path, {"pid": 2, "who": "x"}).release()
    assert "ann" not in path.read_text()


def test_the_file_is_private(tmp_path: Path) -> None:
    Lease(tmp_path / "runner.lock", ANN).release()
    assert stat.S_IMODE((tmp_path / "runner.lock").stat().st_mode) == 0o600


def test_the_lease_is_free_after_kill_9_though_a_child_lives(tmp_path: Path) -> None:
    path = tmp_path / "runner.lock"
    holder = subprocess.Popen(
        [sys.executable, "-m", "tests.runner.holder", str(path)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert holder.stdout is not None
    child = int(holder.stdout.readline())
    try:
        assert held(path)
        with pytest.raises(Locked, match="another runner") as caught:
            Lease(path, ANN)
        assert f'"pid": {holder.pid}' in caught.value.detail
        holder.kill()
        holder.wait(10)
        os.kill(child, 0)
        assert not held(path)
        Lease(path, ANN).release()
    finally:
        os.kill(child, signal.SIGKILL)
        holder.kill()
        holder.stdout.close()
        holder.wait(10)


def test_a_look_at_the_very_moment_of_the_start_does_not_keep_a_runner_out(tmp_path: Path) -> None:
    path = tmp_path / "runner.lock"
    path.touch()
    viewer = os.open(path, os.O_RDWR)
    fcntl.flock(viewer, fcntl.LOCK_SH)
    threading.Timer(0.08, os.close, [viewer]).start()
    Lease(path, ANN).release()


def test_viewers_who_look_do_not_keep_a_runner_out(tmp_path: Path) -> None:
    path = tmp_path / "runner.lock"
    Lease(path, ANN).release()
    ended = threading.Event()

    def look() -> None:
        while not ended.is_set():
            held(path)

    viewers = [threading.Thread(target=look) for _ in range(2)]
    for viewer in viewers:
        viewer.start()
    try:
        for _ in range(100):
            Lease(path, ANN).release()
    finally:
        ended.set()
        for viewer in viewers:
            viewer.join()


def test_a_second_runner_ends_with_code_5_and_leaves_the_journal_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_run(tmp_path)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    umask = os.umask(0o077)
    try:
        with living_runner(folder):
            before = folder.journal.read_bytes()
            assert main([str(folder.path)]) == 5
            assert folder.journal.read_bytes() == before
    finally:
        os.umask(umask)
        for number, handler in handlers.items():
            signal.signal(number, handler)
    said = capsys.readouterr().err
    assert "another runner is at work" in said
    assert '"who": "ann"' in said
