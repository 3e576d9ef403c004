"""What the rehearsal moves: a habit tracker's database, or the operator's own data."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import psycopg
from psycopg import sql

from migrator.lab.dataset.own import restore_own
from migrator.secrets import Secret

DATABASE = "habitcraft"
OWNER = "habitcraft_owner"
APPLICATION = "habitcraft_app"
ADMIN = "habitcraft_admin"

Connect = Callable[..., psycopg.Connection]
"""A superuser's session: `connect(database)`."""


@dataclass(frozen=True)
class SourceFacts:
    """The database that is moved. The admin has the rights of an RDS master user and is a member of the owner."""

    database: str
    owner_role: str
    application_role: str
    application_password: Secret
    admin_role: str
    admin_password: Secret


def seed(
    connect: Connect,
    *,
    source_dump: Path | None,
    source_url: str | None,
    rows: int,
    binaries: Path,
    work: Path,
) -> SourceFacts:
    """Makes roles and database and fills it: from a dump file, from another server, or with `rows` rows."""
    facts = SourceFacts(
        DATABASE,
        OWNER,
        APPLICATION,
        Secret(secrets.token_urlsafe(18)),
        ADMIN,
        Secret(secrets.token_urlsafe(18)),
    )
    with connect() as connection:
        _roles(connection, facts)
        connection.execute(
            sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0").format(
                sql.Identifier(facts.database), sql.Identifier(facts.owner_role)
            )
        )
        _database_settings(connection, facts)
    if source_dump is not None or source_url is not None:
        restore_own(connect, facts.database, facts.owner_role, source_dump, source_url, binaries, work)
        with connect(facts.database) as connection:
            _grant_everything(connection, facts)
    else:
        with connect(facts.database) as connection:
            _fill(connection, facts, rows)
    with connect(facts.database) as connection:
        connection.execute("ANALYZE")
    return facts


def _roles(connection: psycopg.Connection, facts: SourceFacts) -> None:
    owner, admin = sql.Identifier(facts.owner_role), sql.Identifier(facts.admin_role)
    connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(owner))
    connection.execute(
        sql.SQL("CREATE ROLE {} LOGIN CONNECTION LIMIT 60 PASSWORD {}").format(
            sql.Identifier(facts.application_role), sql.Literal(facts.application_password.reveal())
        )
    )
    connection.execute(
        sql.SQL("CREATE ROLE {} LOGIN CREATEDB CREATEROLE PASSWORD {}").format(
            admin, sql.Literal(facts.admin_password.reveal())
        )
    )
    connection.execute(sql.SQL("GRANT {} TO {}").format(owner, admin))
    # From 16 on, CREATEROLE alone may change only roles that it has the ADMIN option on; RDS's master made them.
    connection.execute(
        sql.SQL("GRANT {}, {} TO {} WITH ADMIN OPTION").format(
            owner, sql.Identifier(facts.application_role), admin
        )
    )


def _database_settings(connection: psycopg.Connection, facts: SourceFacts) -> None:
    database = sql.Identifier(facts.database)
    connection.execute(sql.SQL("REVOKE CONNECT ON DATABASE {} FROM PUBLIC").format(database))
    connection.execute(
        sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, sql.Identifier(facts.application_role))
    )
    connection.execute(sql.SQL("ALTER DATABASE {} SET statement_timeout = '60s'").format(database))
    connection.execute(
        sql.SQL("ALTER ROLE {} IN DATABASE {} SET search_path = public, reporting").format(
            sql.Identifier(facts.application_role), database
        )
    )


def _fill(connection: psycopg.Connection, facts: SourceFacts, rows: int) -> None:
    users = max(20, rows // 100)
    counts = {
        ":users": users,
        ":habits": users * 5,
        ":completions": max(100, rows * 85 // 100),
        ":log_lines": max(20, rows // 10),
    }
    connection.autocommit = False
    for name in ("schema", "rows", "rules", "grants"):
        with connection.transaction():  # one each: an added enum value is usable only once it is committed
            connection.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(facts.owner_role)))
            connection.execute("SET LOCAL statement_timeout = 0")
            connection.execute("SET LOCAL client_min_messages = warning")
            connection.execute(_script(connection, name, facts, counts))
    with connection.transaction():
        _superuser_things(connection)


def _script(connection: psycopg.Connection, name: str, facts: SourceFacts, counts: dict[str, int]) -> bytes:
    text = (files(__package__) / f"{name}.sql").read_text(encoding="utf-8")
    icu = connection.execute("SELECT 1 FROM pg_collation WHERE collname = 'und-x-icu'").fetchone()
    make = "CREATE COLLATION natural_order (provider = icu, locale = 'und-u-kn-true');" if icu else ""
    application = sql.Identifier(facts.application_role).as_string(connection)
    replacements = {
        "/*collation*/": make,
        "/*collate*/": " COLLATE natural_order" if icu else ' COLLATE "C"',
        "/*application literal*/": sql.Literal(facts.application_role).as_string(connection),
        "/*application*/": application,
        "/*owner*/": sql.Identifier(facts.owner_role).as_string(connection),
        **{key: str(value) for key, value in counts.items()},
    }
    for key, value in replacements.items():
        text = text.replace(key, value)
    return text.encode()


def _superuser_things(connection: psycopg.Connection) -> None:
    """An event trigger and a publication: a master user of RDS cannot restore the one, must not carry the other."""
    connection.execute(
        "CREATE FUNCTION public.note_ddl() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN NULL; END'"
    )
    connection.execute("CREATE EVENT TRIGGER note_ddl ON ddl_command_end EXECUTE FUNCTION public.note_ddl()")
    connection.execute("CREATE PUBLICATION figures FOR TABLE public.users")


def _grant_everything(connection: psycopg.Connection, facts: SourceFacts) -> None:
    """The operator's own data: the lab's application role gets what an application commonly has."""
    rows = connection.execute(
        "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'"
    ).fetchall()
    role = sql.Identifier(facts.application_role)
    for (name,) in rows:
        schema = sql.Identifier(name)
        for grant in (
            "GRANT USAGE ON SCHEMA {} TO {}",
            "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {} TO {}",
            "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {} TO {}",
        ):
            connection.execute(sql.SQL(grant).format(schema, role))
