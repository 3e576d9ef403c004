"""The runner is killed in the middle of a dump and of a restore; the next one ends in the same world."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest

from migrator.contracts.params import build
from migrator.contracts.process import Child
from phases.db_migration import Compare, Dump, Fence, Restore
from phases.db_migration.dump import DumpParams
from phases.db_migration.fence import FenceParams
from phases.db_migration.restore import RestoreParams
from tests.phases.database_runner import FileRecorder, write_spec
from tests.phases.database_steps import Bench, perform
from tests.phases.test_db_migration import APPLICATION, clean, compare_params, dump, restore_params, role
from tests.postgres_lab import Lab

pytestmark = [pytest.mark.engine, pytest.mark.crash]


@pytest.fixture
def bench(lab: Lab, tmp_path: Path) -> Iterator[Bench]:
    found = Bench(lab, tmp_path)
    yield found
    clean(lab)


def _kill_in(bench: Bench, step: str, action: str, params: Any, label: str) -> tuple[FileRecorder, int]:
    """Runs the step's apply in a process and kills it while its child `label` is at work.

    The child is stopped so that it surely outlives its runner; its pid is given back, to let it go on.
    """
    spec = write_spec(bench, step, action, params, bench.folder / f"{step}.spec.json")
    runner = subprocess.Popen([sys.executable, "-m", "tests.phases.database_runner", str(spec)])
    channel = FileRecorder(path=bench.folder / f"{step}.json")
    deadline = time.monotonic() + 30
    pid = 0
    while not pid and time.monotonic() < deadline and runner.poll() is None:
        channel.read()
        pid = next((_command_of(child) for child in channel.children if child.label == label), 0)
        time.sleep(0.002)
    os.kill(pid, signal.SIGSTOP)
    assert runner.poll() is None, "the runner ended before it could be killed"
    os.kill(runner.pid, signal.SIGKILL)
    runner.wait()
    channel.read()
    bench.channels[step] = channel
    return channel, pid


def _command_of(child: Child) -> int:
    """The pid of the program under the supervisor; 0 while it has not started."""
    try:
        return int(json.loads((child.folder / "command.json").read_text())["pid"])
    except (OSError, ValueError):
        return 0


def test_runner_killed_in_the_middle_of_a_dump(bench: Bench) -> None:
    params = DumpParams(bench.source, application_role=APPLICATION)
    channel, pid = _kill_in(bench, "dump", "db_migration.dump", params, "pg_dump")
    ctx = bench.context("dump", build(DumpParams, _plain(params)), attempt=2)
    assert ctx.tools.processes.alive(channel.children[-1])
    os.kill(pid, signal.SIGCONT)
    assert Dump().probe(ctx).verdict in ("absent", "partial")
    assert not any(ctx.tools.processes.alive(child) for child in channel.children)
    Dump().apply(ctx)
    assert Dump().probe(bench.again(ctx)).verdict == "ours"
    killed = Dump().verify(bench.again(ctx))
    assert killed.ok, killed.checks
    undisturbed = perform(Dump(), bench.context("undisturbed", params))
    one, other = (
        json.loads(Path(str(o["snapshot_facts"])).read_text()) for o in (killed.outputs, undisturbed)
    )
    assert one["tables"] == other["tables"]
    assert one["catalogue"] == other["catalogue"]


def test_runner_killed_in_the_middle_of_a_restore(bench: Bench) -> None:
    dumped = dump(bench)
    role(bench)
    params = restore_params(bench, dumped)
    channel, pid = _kill_in(bench, "restore", "db_migration.restore", params, "pg_restore")
    ctx = bench.context("restore", build(RestoreParams, _plain(params)), attempt=2)
    assert ctx.tools.processes.alive(channel.children[-1])
    os.kill(pid, signal.SIGCONT)
    assert Restore().probe(ctx).verdict == "partial"
    assert not ctx.tools.processes.alive(channel.children[-1])
    Restore().apply(ctx)
    assert Restore().probe(bench.again(ctx)).verdict == "ours"
    found = Restore().verify(bench.again(ctx))
    assert found.ok, found.checks
    attempt = str(found.outputs["attempt_database"])
    with bench.lab.clusters.target.connect() as server:
        ours = server.execute("SELECT datname FROM pg_database WHERE datname LIKE '%attempt%'").fetchall()
    assert ours == [(attempt,)]
    compared = Compare().verify(bench.context("compare", compare_params(bench, dumped, attempt)))
    assert compared.ok, [check for check in compared.checks if not check.ok]


def test_cancel_ends_the_child(bench: Bench) -> None:
    """An interruption sends one SIGINT; pg_dump ends, and the next attempt begins anew."""
    ctx = bench.context("dump", DumpParams(bench.source))

    def cancel() -> None:
        if bench.channels["dump"].children:
            raise KeyboardInterrupt

    bench.channels["dump"].cancel = cancel
    with pytest.raises(KeyboardInterrupt):
        Dump().apply(ctx)
    bench.channels["dump"].cancel = lambda: None
    again = bench.again(ctx, 2)
    assert Dump().probe(again).verdict in ("absent", "partial")
    Dump().apply(again)
    assert Dump().verify(bench.again(again)).ok


def test_runner_dies_between_the_fence_and_the_end_of_sessions(bench: Bench) -> None:
    params = FenceParams(bench.source, APPLICATION)
    ctx = bench.context("fence", params)
    channel, facts, server = bench.channels["fence"], bench.lab.source, bench.lab.clusters.source

    class Died(Exception):
        pass

    def die_when_closed(values: Mapping[str, Any]) -> None:
        if values.get("closed_at"):
            raise Died
        channel.memory.update(values)

    with psycopg.connect(
        host=server.host,
        port=server.port,
        dbname=facts.database,
        user=APPLICATION,
        password=facts.application_password.reveal(),
    ) as app:
        app.execute("SELECT 1")
        channel.remember = die_when_closed  # type: ignore[method-assign]
        try:
            with pytest.raises(Died):
                Fence().apply(ctx)
            assert app.execute("SELECT 1").fetchone() == (1,)
            del channel.remember
            fenced_at = channel.memory["fenced_at"]
            again = bench.again(ctx)
            assert Fence().probe(again).verdict == "partial"
            Fence().apply(again)
            assert Fence().probe(bench.again(ctx)).verdict == "ours"
            assert Fence().verify(bench.again(ctx)).outputs == {"fenced_at": fenced_at}
            with pytest.raises(psycopg.OperationalError):
                app.execute("SELECT 1")
        finally:
            Fence().undo(bench.again(ctx))


def _plain(params: Any) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(json.dumps(params, default=vars))
    return plain
