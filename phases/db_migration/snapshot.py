"""What one side of a copy looked like at one moment; the source's is taken in the snapshot that is dumped."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from migrator.contracts.postgres import Database, Postgres, Session, Tick, identifier
from migrator.errors import Refused
from phases.db_migration.catalogue import Catalogue, read_catalogue
from phases.db_migration.fingerprints import (
    Fingerprint,
    Method,
    Table,
    fingerprint_all,
    method_for,
    read_tables,
)

FORMAT = 1


@dataclass(frozen=True)
class Template:
    """What a new database must be created with. `provider` is libc (c), icu (i) or builtin (b)."""

    encoding: str
    collate: str
    ctype: str
    provider: str
    locale: str


@dataclass(frozen=True)
class SequenceValue:
    """A sequence's state, and the largest value of the column that owns it (null: no rows, or no owner)."""

    last_value: int
    is_called: bool
    increment: int
    column_maximum: int | None

    @property
    def reached(self) -> int | None:
        """The last value handed out; None when there was none yet."""
        return self.last_value if self.is_called else None


@dataclass(frozen=True)
class Snapshot:
    """One side: rows, catalogue, sequences, and counters that move with every write."""

    server_version: int
    method: Method
    template: Template
    tables: Mapping[str, Fingerprint]
    sizes: Mapping[str, tuple[int, int]]
    """Table to (rows, bytes)."""
    catalogue: Catalogue
    sequences: Mapping[str, SequenceValue]
    default_privileges: tuple[Mapping[str, Any], ...]
    not_carried: tuple[str, ...]
    """Things that a master user cannot or must not restore: event triggers, publications, subscriptions."""
    write_counters: tuple[int, ...]

    @property
    def rows(self) -> int:
        """All rows of all tables, large objects not counted."""
        return sum(count for count, _ in self.sizes.values())


def take(
    postgres: Postgres,
    database: Database,
    *,
    snapshot: str,
    method: str,
    application_role: str,
    jobs: int,
    tick: Tick,
    done: Callable[[Table, Fingerprint], None] | None = None,
) -> Snapshot:
    """Reads one side; inside an exported `snapshot` where given."""

    def connect() -> Any:
        return postgres.connect(database, read_only=True, statement_timeout_seconds=0)

    with connect() as session, session.transaction(snapshot=snapshot, frozen=True):
        chosen = method_for(session.server_version, method)
        tables = read_tables(session, chosen)
        catalogue = read_catalogue(session, application_role, tick)
        sequences = read_sequences(session, tick)
        template = read_template(session)
        defaults = read_default_privileges(session)
        not_carried = _not_carried(session)
        counters = read_write_counters(session)
        version = session.server_version
    prints = fingerprint_all(connect, tables, jobs, tick, done or (lambda _table, _print: None), snapshot)
    sizes = {table.name: (prints[table.name].rows, table.bytes) for table in tables}
    return Snapshot(
        version,
        chosen,
        template,
        prints,
        sizes,
        catalogue,
        sequences,
        tuple(defaults),
        tuple(not_carried),
        counters,
    )


def read_template(session: Session) -> Template:
    """How the current database was created; the provider's column came with 15, and was renamed with 17."""
    locale, provider = "''", "'c'"
    if session.server_version >= 170_000:
        locale, provider = "coalesce(datlocale, '')", "datlocprovider"
    elif session.server_version >= 150_000:
        locale, provider = "coalesce(daticulocale, '')", "datlocprovider"
    statement = (
        f"SELECT pg_encoding_to_char(encoding), datcollate, datctype, {provider}, {locale} "  # noqa: S608 - constants
        "FROM pg_database WHERE datname = current_database()"
    )
    [row] = session.query(statement)
    return Template(*(str(value) for value in row))


def read_sequences(session: Session, tick: Tick | None = None) -> dict[str, SequenceValue]:
    """Every sequence's state and its owning column's largest value (smallest for a descending one)."""
    rows = session.query(
        "SELECT n.nspname, c.relname, s.seqincrement, tn.nspname, t.relname, a.attname "
        "FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
        "LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid "
        "AND d.deptype IN ('a', 'i') AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0 "
        "LEFT JOIN pg_class t ON t.oid = d.refobjid LEFT JOIN pg_namespace tn ON tn.oid = t.relnamespace "
        "LEFT JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid "
        "WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relpersistence <> 't' ORDER BY 1, 2"
    )
    found: dict[str, SequenceValue] = {}
    for schema, name, increment, owner_schema, owner_table, column in rows:
        sequence = f"{identifier(schema)}.{identifier(name)}"
        maximum = "NULL::bigint"
        if column is not None:
            best = "max" if increment > 0 else "min"
            maximum = (
                f"(SELECT {best}({identifier(column)}) "  # noqa: S608 - identifiers are quoted
                f"FROM {identifier(owner_schema)}.{identifier(owner_table)})"
            )
        statement = f"SELECT last_value, is_called, {maximum} FROM {sequence}"  # noqa: S608 - quoted
        [(last, called, highest)] = session.query(statement, tick=tick)
        found[sequence] = SequenceValue(
            int(last), bool(called), int(increment), None if highest is None else int(highest)
        )
    return found


def read_default_privileges(session: Session) -> list[dict[str, Any]]:
    """ALTER DEFAULT PRIVILEGES in force; `owner` says that the role is the database's owner."""
    rows = session.query(
        "SELECT r.rolname, d.defaclrole = b.datdba, n.nspname, d.defaclobjtype::text, "
        "CASE WHEN a.grantee = 0 THEN NULL ELSE g.rolname END, a.grantee = d.defaclrole, a.privilege_type, "
        "a.is_grantable FROM pg_default_acl d JOIN pg_roles r ON r.oid = d.defaclrole "
        "JOIN pg_database b ON b.datname = current_database() "
        "LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace, LATERAL aclexplode(d.defaclacl) a "
        "LEFT JOIN pg_roles g ON g.oid = a.grantee ORDER BY 1, 3, 4, 5, 7"
    )
    names = ("role", "owner", "schema", "kind", "grantee", "to_self", "privilege", "grantable")
    return [dict(zip(names, row, strict=True)) for row in rows]


def read_write_counters(session: Session) -> tuple[int, ...]:
    """Rows inserted, updated and deleted so far in tables of users and in large objects."""
    [row] = session.query(
        "SELECT coalesce(sum(n_tup_ins), 0)::bigint, coalesce(sum(n_tup_upd), 0)::bigint, "
        "coalesce(sum(n_tup_del), 0)::bigint FROM pg_stat_all_tables "
        "WHERE schemaname NOT IN ('pg_catalog', 'pg_toast', 'information_schema') OR relname = 'pg_largeobject'"
    )
    return tuple(int(value) for value in row)


def _not_carried(session: Session) -> list[str]:
    rows = session.query(
        "SELECT 'event trigger ' || evtname FROM pg_event_trigger "
        "UNION ALL SELECT 'publication ' || pubname FROM pg_publication "
        "UNION ALL SELECT 'subscription ' || subname FROM pg_stat_subscription WHERE pid IS NOT NULL ORDER BY 1"
    )
    return [str(name) for (name,) in rows]


def save(snapshot: Snapshot, path: Path) -> str:
    """Writes `snapshot` durably, 0600; the SHA-256 of the file."""
    body = {"format": FORMAT, **dataclasses.asdict(snapshot)}
    text = json.dumps(body, ensure_ascii=True, sort_keys=True, indent=1)
    temporary = path.with_suffix(".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def load(path: Path) -> Snapshot:
    """A snapshot as `save` wrote it; `Refused` when the file is not one."""
    try:
        body = json.loads(path.read_text(encoding="ascii"))
        if body.pop("format") != FORMAT:
            raise ValueError("unknown format")
        return Snapshot(
            **{
                **body,
                "template": Template(**body["template"]),
                "tables": {name: Fingerprint(**value) for name, value in body["tables"].items()},
                "sizes": {name: (int(rows), int(size)) for name, (rows, size) in body["sizes"].items()},
                "sequences": {name: SequenceValue(**value) for name, value in body["sequences"].items()},
                "default_privileges": tuple(body["default_privileges"]),
                "not_carried": tuple(body["not_carried"]),
                "write_counters": tuple(body["write_counters"]),
            }
        )
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise Refused(
            "the facts that were taken with the dump cannot be read",
            where=str(path),
            detail=str(error),
            next="run the dump step again",
        ) from None
