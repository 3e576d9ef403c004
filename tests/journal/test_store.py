"""The journal: what is appended is read back, and whatever was edited, lost or damaged is noticed on open."""

from __future__ import annotations

import json
import sqlite3
import stat
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from migrator.errors import JournalDamaged, MigratorError, UsageError
from migrator.journal import SqliteJournal
from migrator.journal.store import FORMAT
from migrator.model.records import Kind
from migrator.secrets import MASK, Secret

NOW = datetime(2026, 1, 3, 2, 0, tzinfo=UTC)


def made(path: Path, records: int = 5) -> Path:
    with SqliteJournal(path, create=True, now=lambda: NOW) as journal:
        for number in range(records):
            journal.append(Kind.NOTED, {"step": "one", "values": {"number": number}})
    return path


def test_records_are_read_back_as_they_were_appended(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with SqliteJournal(path, create=True, now=lambda: NOW) as journal:
        first = journal.append(Kind.RUN_CREATED, {"run_id": "r1", "values": {"ü": [1, None, 2.5]}})
        second = journal.append(Kind.DONE, {"step": "one", "outputs": {"text": "a\nb\u202e'\""}})
        assert list(journal.records()) == [first, second]
    with SqliteJournal(path) as journal:
        assert list(journal.records()) == [first, second]
        assert list(journal.records(1)) == [second]
        assert list(journal.records(2)) == []
        third = journal.append(Kind.FINISHED, {"outcome": "done"})
    assert (first.seq, second.seq, third.seq) == (1, 2, 3)
    assert first.at == "2026-01-03T02:00:00.000000+00:00"
    assert first.body == {"run_id": "r1", "values": {"ü": [1, None, 2.5]}}
    assert len({first.digest, second.digest, third.digest}) == 3


def test_one_writer_sees_what_another_reader_sees(tmp_path: Path) -> None:
    with (
        SqliteJournal(tmp_path / "journal.db", create=True) as writer,
        SqliteJournal(writer.path) as reader,
    ):
        writer.append(Kind.PAUSED, {})
        assert [r.kind for r in reader.records()] == [Kind.PAUSED]


def test_the_settings_are_those_of_a_durable_file(tmp_path: Path) -> None:
    with SqliteJournal(tmp_path / "journal.db", create=True) as journal:
        journal.set_progress("one", {"message": "x"})
        assert journal._db.execute("PRAGMA synchronous").fetchone() == (2,)
        assert journal._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_files_are_for_the_owner_alone(tmp_path: Path) -> None:
    with SqliteJournal(tmp_path / "journal.db", create=True) as journal:
        journal.append(Kind.PAUSED, {})
        found = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    assert found == {"journal.db": 0o600, "journal.db-wal": 0o600, "journal.db-shm": 0o600}


def test_an_existing_journal_is_not_made_anew(tmp_path: Path) -> None:
    path = made(tmp_path / "journal.db")
    with pytest.raises(FileExistsError):
        SqliteJournal(path, create=True)
    with SqliteJournal(path) as journal:
        assert len(journal.records()) == 5


def test_no_journal_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no journal here"):
        SqliteJournal(tmp_path / "journal.db")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "statement", ["UPDATE records SET body='{}' WHERE seq=2", "DELETE FROM records WHERE seq=5"]
)
def test_the_file_itself_refuses_to_change_a_record(tmp_path: Path, statement: str) -> None:
    path = made(tmp_path / "journal.db")
    other = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        other.execute(statement)
    other.close()


def edit(path: Path, *statements: str) -> None:
    """Somebody who knows SQLite."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("DROP TRIGGER records_keep")
    other.execute("DROP TRIGGER records_hold")
    for statement in statements:
        other.execute(statement)
    other.close()


@pytest.mark.parametrize(
    "statements",
    [
        ('UPDATE records SET body=\'{"step":"one","values":{}}\' WHERE seq=3',),
        ("UPDATE records SET at='2026-01-03T03:00:00+00:00' WHERE seq=1",),
        ("UPDATE records SET kind='done' WHERE seq=2",),
        ("UPDATE records SET digest='0' WHERE seq=4",),
        ("DELETE FROM records WHERE seq=1",),
        ("DELETE FROM records WHERE seq=3",),
        ("DELETE FROM records WHERE seq=5",),
        ("DELETE FROM records WHERE seq > 2",),
        ("DELETE FROM records",),
        ("DELETE FROM records WHERE seq=5", "UPDATE head SET seq=4"),
        ("UPDATE records SET seq=9 WHERE seq=5",),
        ("UPDATE records SET seq=6 WHERE seq=3", "UPDATE records SET seq=3 WHERE seq=4"),
        ("INSERT INTO records VALUES (6, 'now', 'paused', '{}', '0')",),
        ("UPDATE head SET digest='0'",),
        ("DELETE FROM head",),
        ("DROP TABLE head",),
        ("DROP TABLE records",),
        (f"PRAGMA user_version={FORMAT + 1}",),
        ("PRAGMA user_version=0",),
    ],
)
def test_every_edit_is_noticed_on_open(tmp_path: Path, statements: tuple[str, ...]) -> None:
    path = made(tmp_path / "journal.db")
    edit(path, *statements)
    with pytest.raises(JournalDamaged) as caught:
        SqliteJournal(path)
    assert str(path) in str(caught.value)
    assert "not continued" in str(caught.value)


def test_dropped_triggers_alone_change_no_record(tmp_path: Path) -> None:
    path = made(tmp_path / "journal.db")
    edit(path)
    with SqliteJournal(path) as journal:
        assert len(journal.records()) == 5


def test_a_chain_of_another_journal_does_not_fit(tmp_path: Path) -> None:
    """Record 3 of a journal that differs in record 1: its own digest is right, what came before is not."""
    path = made(tmp_path / "journal.db")
    with SqliteJournal(tmp_path / "other.db", create=True) as other:
        for _ in range(3):
            other.append(Kind.PAUSED, {})
        seq, at, kind, digest = (
            (r := other.records()[2]).seq,
            r.at,
            r.kind.value,
            r.digest,
        )
    edit(
        path,
        "DELETE FROM records WHERE seq=3",
        f"INSERT INTO records VALUES ({seq}, '{at}', '{kind}', '{{}}', '{digest}')",
    )
    with pytest.raises(JournalDamaged, match="record 3 does not fit"):
        SqliteJournal(path)


@pytest.mark.parametrize(
    "content", [b"", b"not a database, but long enough to be looked at" * 50, b"\0" * 8192]
)
def test_what_is_no_journal_is_damaged(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(content)
    with pytest.raises(JournalDamaged):
        SqliteJournal(path)


def test_a_file_cut_in_the_middle_is_noticed(tmp_path: Path) -> None:
    path = made(tmp_path / "journal.db", 400)
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.truncate(size // 2)
    with pytest.raises(JournalDamaged):
        SqliteJournal(path)


def test_a_flipped_bit_is_noticed(tmp_path: Path) -> None:
    path = made(tmp_path / "journal.db", 400)
    data = bytearray(path.read_bytes())
    at = data.rindex(b'{"number":7}')
    data[at + len(b'{"number":')] ^= 1
    path.write_bytes(data)
    with pytest.raises(JournalDamaged):
        SqliteJournal(path)


@pytest.mark.parametrize(
    "body",
    [
        {"values": Secret("canary-of-the-journal")},
        {"values": {"deep": [Secret("canary-of-the-journal")]}},
        {"values": {1, 2}},
        {"values": float("nan")},
        {"values": Path("x")},
    ],
)
def test_a_secret_or_anything_that_is_not_json_is_refused(tmp_path: Path, body: dict[str, object]) -> None:
    with SqliteJournal(tmp_path / "journal.db", create=True) as journal:
        with pytest.raises((TypeError, ValueError)) as caught:
            journal.append(Kind.NOTED, {"step": "one", **body})
        assert "canary" not in str(caught.value)
        with pytest.raises((TypeError, ValueError)):
            journal.set_progress("one", body)
        journal.append(Kind.PAUSED, {})
        assert [r.seq for r in journal.records()] == [1]


@pytest.mark.parametrize("value", ["canary-7Gq!x", 'ca"na\\ry\n-quoted', "canary ünïcode", "987654321"])
def test_a_text_that_holds_a_secret_is_scrubbed_on_the_disk(tmp_path: Path, value: str) -> None:
    Secret(value)
    body = {"step": "one", "error": {"detail": f"tool: password {value} is wrong"}, "number": 987654321}
    with SqliteJournal(tmp_path / "journal.db", create=True) as journal:
        record = journal.append(Kind.OUTCOME, {**body, "ok": False})
        journal.set_progress("one", {"message": f"using {value}"})
        assert record.body["error"]["detail"] == f"tool: password {MASK} is wrong"
        assert record.body["number"] == 987654321
        assert journal.progress()["one"]["message"] == f"using {MASK}"
        assert list(journal.records()) == [record]
        for file in tmp_path.iterdir():
            data = file.read_bytes()
            for spelled in (value, json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]):
                if not spelled.isdecimal():
                    assert spelled.encode() not in data


def test_a_password_spelled_like_a_step_does_not_hide_the_step(tmp_path: Path) -> None:
    Secret("warehouse")
    with SqliteJournal(tmp_path / "journal.db", create=True) as journal:
        assert journal.append(Kind.RETRIED, {"step": "warehouse-dump"}).step == "warehouse-dump"


def test_the_inbox_is_taken_in_order_and_once(tmp_path: Path) -> None:
    with SqliteJournal(tmp_path / "journal.db", create=True) as journal:
        with SqliteJournal(journal.path) as viewer:
            first = viewer.order("pause", who="ann", host="desk")
            second = viewer.order(
                "approve", step="agree", who="ann", host="desk", reason="r", confirm="yes", shown="{}"
            )
        orders = journal.orders()
        assert [o.id for o in orders] == [first, second]
        assert (orders[1].command, orders[1].step, orders[1].confirm, orders[1].shown) == (
            "approve",
            "agree",
            "yes",
            "{}",
        )
        journal.take(orders[0])
        assert journal.taken(first)
        assert not journal.taken(second)
        assert not journal.taken(99)
        assert [o.id for o in journal.orders()] == [second]
        assert journal.records() == []


def test_progress_keeps_only_the_newest(tmp_path: Path) -> None:
    with SqliteJournal(tmp_path / "journal.db", create=True, now=lambda: NOW) as journal:
        journal.set_progress("one", {"message": "a", "done": 1})
        journal.set_progress("one", {"message": "b", "done": 2})
        journal.set_progress("two", {"message": "c"})
        assert journal.progress() == {
            "one": {"message": "b", "done": 2, "at": "2026-01-03T02:00:00.000+00:00"},
            "two": {"message": "c", "at": "2026-01-03T02:00:00.000+00:00"},
        }
        assert journal.records() == []


def test_readers_see_only_whole_prefixes_while_records_are_written(tmp_path: Path) -> None:
    total = 150
    problems: list[str] = []
    seen: list[int] = []
    with SqliteJournal(tmp_path / "journal.db", create=True) as journal:
        finished = threading.Event()

        def read() -> None:
            while True:
                last = finished.is_set()
                with SqliteJournal(journal.path) as reader:
                    numbers = [r.body["number"] for r in reader.records()]
                if numbers != list(range(len(numbers))):
                    problems.append(str(numbers))
                if last:
                    seen.append(len(numbers))
                    return

        def note(step: str) -> None:
            while not finished.is_set():
                journal.set_progress(step, {"message": "x"})

        work: list[Callable[[], None]] = [read, read, lambda: note("a")]
        threads = [threading.Thread(target=each) for each in work]
        for thread in threads:
            thread.start()
        for number in range(total):
            journal.append(Kind.NOTED, {"step": "one", "number": number})
        finished.set()
        for thread in threads:
            thread.join()
    assert problems == []
    assert seen == [total, total]


def test_a_writer_that_fell_behind_is_refused_and_holds_nobody_up(tmp_path: Path) -> None:
    with (
        SqliteJournal(tmp_path / "journal.db", create=True) as first,
        SqliteJournal(tmp_path / "journal.db") as second,
    ):
        first.append(Kind.PAUSED, {})
        with pytest.raises(MigratorError, match="cannot be written"):
            second.append(Kind.CONTINUED, {})
        first.append(Kind.CONTINUED, {})
        assert [r.kind for r in second.records()] == [Kind.PAUSED, Kind.CONTINUED]


def test_many_threads_append_one_chain(tmp_path: Path) -> None:
    with SqliteJournal(tmp_path / "journal.db", create=True) as journal:

        def write(name: str) -> None:
            for number in range(20):
                journal.append(Kind.NOTED, {"step": name, "number": number})

        threads = [threading.Thread(target=write, args=(f"s{n}",)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    with SqliteJournal(journal.path) as again:
        records = again.records()
    assert [r.seq for r in records] == list(range(1, 81))
    for name in ("s0", "s1", "s2", "s3"):
        assert [r.body["number"] for r in records if r.step == name] == list(range(20))
