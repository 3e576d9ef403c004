"""What of the database phase can be seen without a server."""

from __future__ import annotations

import pytest

from phases.db_migration import ACTIONS
from phases.db_migration.comparison import behind, needed
from phases.db_migration.contents import choose
from phases.db_migration.marks import Found, Mark, name_with
from phases.db_migration.snapshot import SequenceValue

LISTED = [
    ";",
    "; Archive created at 2026-01-01 00:00:00 UTC",
    "5; 2615 2200 SCHEMA - public postgres",
    "2; 3079 16384 EXTENSION - citext ",
    "3500; 0 0 COMMENT - EXTENSION citext ",
    "3; 3079 16385 EXTENSION - hstore ",
    "215; 1259 16400 TABLE public users owner",
    "3400; 0 16400 TABLE DATA public users owner",
    "3257; 3466 16999 EVENT TRIGGER - note_ddl admin",
    "3258; 6104 17000 PUBLICATION - figures admin",
    "3259; 6106 17001 PUBLICATION TABLE public figures users admin",
    "2100; 826 16998 DEFAULT ACL public DEFAULT PRIVILEGES FOR TABLES owner",
    "3501; 0 0 ACL - SCHEMA public owner",
]


def test_contents_leave_out_what_a_master_cannot_restore() -> None:
    chosen = choose(LISTED, ("plpgsql", "citext"))
    kept = [line for line in chosen.lines if not line.startswith(";")]
    assert kept == [LISTED[5], LISTED[6], LISTED[7], LISTED[12]]
    assert [item.split(": ")[1] for item in chosen.left_out] == [
        "the server already has it",
        "the server already has it",
        "event triggers need a superuser",
        "publications belong to the old server",
        "publications belong to the old server",
    ]


def _sequence(last: int, called: bool = True, by: int = 1, column: int | None = None) -> SequenceValue:
    return SequenceValue(last, called, by, column)


@pytest.mark.parametrize(
    ("source", "target", "problem"),
    [
        (_sequence(5), _sequence(5), ""),
        (_sequence(5), _sequence(9), ""),
        (_sequence(5), _sequence(4), "stands at 4"),
        (_sequence(1, called=False), _sequence(1, called=False), ""),
        (_sequence(1), _sequence(1, called=False), "stands at None"),
        (_sequence(5), _sequence(5, column=8), "must have reached 8"),
        (_sequence(-5, by=-1), _sequence(-4, by=-1), "must have reached -5"),
        (_sequence(-5, by=-1), _sequence(-6, by=-1), ""),
    ],
)
def test_sequences_behind(source: SequenceValue, target: SequenceValue, problem: str) -> None:
    found = behind({"s": source}, {"s": target})
    assert (problem in found["s"]) if problem else not found


def test_a_missing_sequence_is_behind() -> None:
    assert behind({"s": _sequence(1)}, {}) == {"s": "missing on the target"}
    assert needed(_sequence(1, called=False), _sequence(1, called=False)) is None


def test_names_fit_and_marks_come_back() -> None:
    name = name_with("é" * 60, "before_12345678")
    assert len(name.encode()) <= 63
    assert name.endswith("_before_12345678")
    mark = Mark("run", "key", "complete", "abc", 'it\'s "quoted"')
    assert Found(1, "x", mark.text(), True, "o").mark == mark
    assert Found(1, "x", "migrator {not json", True, "o").mark is None
    assert Found(1, "x", "", True, "o").mark is None


def test_catalogue_of_actions() -> None:
    assert [action.spec.name for action in ACTIONS] == [
        "preflight.source_database",
        "db_migration.fence",
        "db_migration.dump",
        "db_migration.application_role",
        "db_migration.restore",
        "db_migration.compare",
        "db_migration.sequences",
        "db_migration.swap",
        "cleanup.drop_set_aside",
    ]
