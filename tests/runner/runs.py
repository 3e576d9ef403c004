"""Run folders as a real start leaves them, without a runner."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from migrator.journal import SqliteJournal
from migrator.loading.runbook import load_runbook
from migrator.model.records import Kind
from migrator.model.runbook import Runbook
from migrator.resources import shipped
from migrator.runner.compose import catalogue
from migrator.runner.folders import RunFolder, new_run
from migrator.runner.lease import Lease

HABITCRAFT = shipped("runbooks") / "habitcraft.yaml"
Row = tuple[Kind, Mapping[str, Any]]


@cache
def habitcraft() -> Runbook:
    return load_runbook(HABITCRAFT, catalogue(), shipped("terraform") / "stacks")


def make_run(base: Path, *rows: Row, mode: str = "rehearse") -> RunFolder:
    """A run of habitcraft with these records after its creation."""
    folder = new_run(base, "habitcraft")
    folder.runbook.write_bytes(HABITCRAFT.read_bytes())
    created = {
        "run_id": folder.run_id,
        "runbook": "habitcraft",
        "runbook_digest": habitcraft().digest,
        "mode": mode,
        "account": "111122223333",
        "region": "us-west-2",
        "values": {},
        "who": "ann",
        "created": "2026-01-03T02:00:00+00:00",
    }
    with SqliteJournal(folder.journal, create=True) as journal:
        journal.append(Kind.RUN_CREATED, created)
        for kind, body in rows:
            journal.append(kind, body)
    return folder


STARTED: Row = (Kind.RUNNER_STARTED, {"pid": 4711, "who": "ann"})
FIRST = habitcraft().phases[0].steps[0].id


def intent(step: str = FIRST) -> Row:
    return (Kind.INTENT, {"step": step, "attempt": 1, "baseline": {}})


def stopped(reason: str, **more: Any) -> Row:
    return (Kind.RUNNER_STOPPED, {"reason": reason, **more})


def error(kind: str = "Refused") -> dict[str, str]:
    return {"kind": kind, "what": "the world said no", "where": "", "next": "mend it", "detail": ""}


@contextmanager
def living_runner(folder: RunFolder, refuse: str = "") -> Iterator[list[str]]:
    """Holds the lease and takes every order, as a runner does; gives the commands it took."""
    lease = Lease(folder.lease, {"pid": 4711, "who": "ann", "host": "desk"})
    taken: list[str] = []
    ended = threading.Event()

    def work() -> None:
        with SqliteJournal(folder.journal) as journal:
            while not ended.wait(0.02):
                for order in journal.orders():
                    body = {"command": order.command, "order": order.id, "who": order.who, "by": "person"}
                    journal.append(Kind.DECISION, {**body, "refused": refuse} if refuse else body)
                    journal.take(order)
                    taken.append(f"{order.command} {order.step} {order.reason} {order.confirm}".strip())

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield taken
    finally:
        ended.set()
        thread.join()
        lease.release()
