"""How a step speaks: throttled progress, deadlines, interruption, a log without secrets or control characters."""

from __future__ import annotations

import stat
import threading
import time
from pathlib import Path

import pytest

from migrator.contracts.process import Child
from migrator.engine.book import Book
from migrator.errors import DeadlineExceeded, Interrupted
from migrator.journal import SqliteJournal
from migrator.model.records import Kind
from migrator.runner.channel import StepChannel, StepLog, child_from_json, child_to_json
from migrator.secrets import MASK, Secret


class Desk:
    """A channel with all that belongs to it."""

    def __init__(self, folder: Path, deadline: float = 60.0) -> None:
        self.journal = SqliteJournal(folder / "journal.db", create=True)
        self.file = folder / "it.log"
        self.interrupted = threading.Event()
        self.channel = StepChannel(
            Book(self.journal), "it", 2, StepLog(self.file), self.interrupted, deadline
        )


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_facts_and_children_are_records(desk: Desk) -> None:
    child = Child(7, "123", "boot", Path("/runs/it"), "apply", ("terraform", "apply"))
    desk.channel.remember({"database": "attempt_1"})
    desk.channel.spawned(child)
    noted, spawned = desk.journal.records()
    assert (noted.kind, noted.body) == (Kind.NOTED, {"step": "it", "values": {"database": "attempt_1"}})
    assert spawned.body["attempt"] == 2
    assert child_from_json(spawned.body["child"]) == child
    assert child_from_json(child_to_json(child)) == child


def test_the_log_is_private_clean_and_scrubbed(desk: Desk) -> None:
    Secret("canary-of-a-log")
    desk.channel.log("password=canary-of-a-log")
    desk.channel.log("coloured can\x1b[31mary-of-a-log")
    desk.channel.log("x" * 3_990 + "canary-of-a-log")
    desk.channel.log("two\nlines \x1b]0;title\x07\u202eand a trick")
    desk.channel.command(["psql", "-c", "select 'a b'", "canary-of-a-log"])
    text = desk.file.read_text()
    lines = text.splitlines()
    assert len(lines) == 5
    assert "canary" not in text
    assert "\x1b" not in text
    assert lines[0].endswith(f" password={MASK}")
    assert lines[1].endswith(f" coloured {MASK}")
    assert lines[3].endswith(" two lines and a trick")
    assert lines[4].endswith(f""" $ psql -c 'select '"'"'a b'"'"'' {MASK}""")
    assert all(len(line) < 4_050 for line in lines)
    assert stat.S_IMODE(desk.file.stat().st_mode) == 0o600


def test_a_flood_of_lines_stays_whole_lines(desk: Desk) -> None:
    def write(name: str) -> None:
        for number in range(100):
            desk.channel.log(f"{name} {number}")

    threads = [threading.Thread(target=write, args=(n,)) for n in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    said = [line.split(" ", 1)[1] for line in desk.file.read_text().splitlines()]
    assert sorted(said) == sorted(f"{n} {i}" for n in "abc" for i in range(100))


def test_progress_is_throttled_but_its_end_is_shown(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[object] = []
    monkeypatch.setattr(desk.journal, "set_progress", lambda step, body: written.append(body["done"]))
    for done in range(1001):
        desk.channel.progress("copying rows", done, 1000, "rows")
    assert written[0] == 0
    assert written[-1] == 1000
    assert len(written) < 20


def test_progress_shows_a_new_message_at_once(desk: Desk) -> None:
    desk.channel.progress("dumping", 1, 10)
    desk.channel.progress("restoring\x1b[2J", 2, 10, "rows", {"kind": "database"})
    row = desk.journal.progress()["it"]
    assert (row["message"], row["done"], row["total"], row["unit"]) == ("restoring", 2, 10, "rows")
    assert row["detail"] == {"kind": "database"}
    assert desk.journal.records() == []


def test_an_interrupt_wakes_a_sleeping_step(desk: Desk) -> None:
    threading.Timer(0.05, desk.interrupted.set).start()
    started = time.monotonic()
    with pytest.raises(Interrupted, match="step it"):
        desk.channel.sleep(30)
    assert time.monotonic() - started < 10
    with pytest.raises(Interrupted):
        desk.channel.check_cancelled()


def test_a_deadline_ends_a_sleep_and_names_the_step(tmp_path: Path) -> None:
    desk = Desk(tmp_path, deadline=0.05)
    desk.channel.check_cancelled()
    with pytest.raises(DeadlineExceeded, match="step it"):
        desk.channel.sleep(30)


def test_a_short_sleep_just_ends(desk: Desk) -> None:
    desk.channel.sleep(0.01)
    desk.channel.sleep(-1)
