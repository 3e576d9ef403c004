"""A table's rows as two numbers: how many, and a sum of their hashes that does not depend on their order."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Literal

from migrator.contracts.postgres import Session, Tick, identifier

Method = Literal["record", "text"]
"""`record` hashes values (PostgreSQL 14 or newer, both sides of one major version); `text` hashes their text form,
which majors share, at half the speed."""

LARGE_OBJECTS = "large objects"

# Types whose hash tells every difference and is the same in any database. An enum's hash is its label's oid,
# that of numeric, jsonb, float and interval hides scale, sign or unit; bpchar's hides blanks: these go as text.
_EXACT = (
    "bool", "bytea", "char", "date", "int2", "int4", "int8", "name", "oid", "text", "time", "timestamp",
    "timestamptz", "uuid", "varchar",
)  # fmt: skip


@dataclass(frozen=True)
class Fingerprint:
    """Rows, and the sum of their hashes as a decimal text."""

    rows: int
    hash: str


@dataclass(frozen=True)
class Table:
    """A table that holds rows itself: ordinary or a partition. `bytes` as on disk, without indexes."""

    name: str
    statement: str
    rows_estimated: int
    bytes: int


def method_for(server_version: int, wanted: str) -> Method:
    """`record` where the server knows it."""
    return "record" if wanted == "record" and server_version >= 140_000 else "text"


def read_tables(session: Session, method: Method) -> list[Table]:
    """All tables that hold rows, the largest first, each with the query of its fingerprint."""
    rows = session.query(
        "SELECT n.nspname, c.relname, greatest(c.reltuples, 0)::bigint, pg_table_size(c.oid), "
        "array_agg(a.attname ORDER BY a.attnum) FILTER (WHERE a.attnum IS NOT NULL), "
        "array_agg(t.typname || ' ' || t.typnamespace::regnamespace ORDER BY a.attnum) "
        "FILTER (WHERE a.attnum IS NOT NULL) "
        "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped "
        "LEFT JOIN pg_type t ON t.oid = a.atttypid "
        "WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' "
        "AND c.relpersistence <> 't' AND NOT EXISTS (SELECT FROM pg_depend x "
        "WHERE x.classid = 'pg_class'::regclass AND x.objid = c.oid AND x.deptype = 'e') "
        "GROUP BY n.nspname, c.relname, c.oid, c.reltuples ORDER BY pg_table_size(c.oid) DESC, 1, 2"
    )
    return [
        Table(
            f"{identifier(schema)}.{identifier(name)}",
            _statement(schema, name, list(zip(columns or (), types or (), strict=True)), method),
            int(estimate),
            int(size),
        )
        for schema, name, estimate, size, columns, types in rows
    ]


def fingerprint_all(
    connect: Callable[[], AbstractContextManager[Session]],
    tables: Iterable[Table],
    jobs: int,
    tick: Tick,
    done: Callable[[Table, Fingerprint], None],
    snapshot: str = "",
) -> dict[str, Fingerprint]:
    """Fingerprints of all tables and of the large objects, in `jobs` sessions, in `snapshot` where given."""
    waiting: SimpleQueue[Table] = SimpleQueue()
    for table in (*tables, Table(LARGE_OBJECTS, _LARGE_OBJECTS, 0, 0)):
        waiting.put(table)
    found: dict[str, Fingerprint] = {}

    def work() -> None:
        try:
            with connect() as session, session.transaction(snapshot=snapshot, frozen=True):
                while table := _next(waiting):
                    [(rows, total)] = session.query(table.statement, tick=tick)
                    found[table.name] = Fingerprint(int(rows), str(total))
                    done(table, found[table.name])
        except BaseException:
            while _next(waiting):  # the other sessions stop after their present table
                pass
            raise

    with ThreadPoolExecutor(max_workers=max(1, jobs), thread_name_prefix="fingerprint") as pool:
        futures = [pool.submit(work) for _ in range(max(1, jobs))]
        for future in futures:
            future.result()
    return found


def _next(waiting: SimpleQueue[Table]) -> Table | None:
    try:
        return waiting.get_nowait()
    except Empty:
        return None


_LARGE_OBJECTS = (
    "SELECT count(*), coalesce(sum(('x' || substr(md5(oid || md5(lo_get(oid))), 1, 16))::bit(64)::bigint::numeric), 0) "
    "FROM pg_largeobject_metadata"
)


def _statement(schema: str, name: str, columns: list[tuple[str, str]], method: Method) -> str:
    row = "ROW(" + ", ".join(_value(column, type_) for column, type_ in columns) + ")"
    if method == "record":
        value = f"hash_record_extended({row}, 0)::numeric" if columns else "0"
    else:
        value = f"('x' || substr(md5({row}::text), 1, 16))::bit(64)::bigint::numeric"
    table = f"{identifier(schema)}.{identifier(name)}"
    return f"SELECT count(*), coalesce(sum({value}), 0) FROM ONLY {table} AS t"  # noqa: S608 - quoted


def _value(column: str, type_: str) -> str:
    value = f"t.{identifier(column)}"
    if type_ in ("text pg_catalog", "varchar pg_catalog"):
        return f'{value} COLLATE "C"'
    exact = type_.endswith(" pg_catalog") and type_.removesuffix(" pg_catalog") in _EXACT
    return value if exact else f"{value}::text"
