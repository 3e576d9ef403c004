"""What is left of a journal whose writer was killed, or whose disk was full."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from migrator.journal import SqliteJournal
from migrator.model.records import Kind


def writer(path: Path, records: int, largest_file_bytes: int = 0) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.journal.writer", str(path), str(records), str(largest_file_bytes)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )


def numbers(path: Path) -> list[int]:
    with SqliteJournal(path) as journal:
        return [r.body["number"] for r in journal.records()]


@pytest.mark.crash
@pytest.mark.parametrize("seed", range(6))
def test_a_kill_leaves_a_valid_prefix_with_all_that_was_acknowledged(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "journal.db"
    child = writer(path, 1_000)
    assert child.stdout is not None
    last = random.Random(seed).randint(1, 900)
    told = [int(child.stdout.readline()) for _ in range(last)]
    child.kill()
    told += [int(line) for line in child.stdout.read().split()]
    child.wait()
    child.stdout.close()
    found = numbers(path)
    assert found == list(range(len(found)))
    assert len(told) <= len(found) <= len(told) + 1
    assert len(found) < 1_000
    with SqliteJournal(path) as journal:
        journal.append(Kind.NOTED, {"step": "one", "number": len(found)})
    assert numbers(path) == list(range(len(found) + 1))


def test_a_full_disk_is_an_error_and_the_journal_stays_whole(tmp_path: Path) -> None:
    """The write-ahead log may not grow beyond 100 kB; after room is made the same process goes on."""
    path = tmp_path / "journal.db"
    child = writer(path, 2_000, 100_000)
    out, _ = child.communicate(timeout=60)
    assert child.returncode == 3, out[-300:]
    lines = out.splitlines()
    assert lines[-2].startswith("error the journal cannot be written / ")
    told = [int(line) for line in lines if line.isdecimal()]
    assert 5 < len(told) < 1_000
    assert numbers(path) == told == list(range(len(told)))
