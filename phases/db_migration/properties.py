"""What belongs to a database but is not in its archive: settings, its own privileges, default privileges."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from migrator.contracts.postgres import Session, identifier, literal
from phases.db_migration.snapshot import Snapshot

_KINDS = {"r": "TABLES", "S": "SEQUENCES", "f": "FUNCTIONS", "T": "TYPES", "n": "SCHEMAS"}
_LIST_SETTINGS = ("search_path", "temp_tablespaces", "session_preload_libraries", "local_preload_libraries")


def carry(session: Session, database: str, owner: str, facts: Snapshot) -> None:
    """Gives `database` (where the session is) the source's settings and privileges; may be run again."""
    _settings(session, database, facts)
    _privileges(session, database, facts)
    _default_privileges(session, owner, facts)


def _settings(session: Session, database: str, facts: Snapshot) -> None:
    for name, value in facts.catalogue["database settings"].items():
        role, _, setting = name.rpartition(": ")
        # A list is stored as it was quoted; any other value is one text.
        stored = value if setting in _LIST_SETTINGS else literal(value)
        where = f"DATABASE {identifier(database)}"
        if role != "all roles":
            where = f"ROLE {role} IN {where}"  # quoted by the source
        session.execute(f"ALTER {where} SET {identifier(setting)} TO {stored}")


def _privileges(session: Session, database: str, facts: Snapshot) -> None:
    session.execute(f"REVOKE ALL ON DATABASE {identifier(database)} FROM PUBLIC")
    for name, privileges in facts.catalogue["grants"].items():
        if not name.startswith("database itself to "):
            continue
        grantee = name.rpartition(" to ")[2]
        if grantee == "<owner>":
            continue
        for privilege in privileges.split():
            option = " WITH GRANT OPTION" if privilege.endswith("*") else ""
            session.execute(
                f"GRANT {privilege.rstrip('*')} ON DATABASE {identifier(database)} TO {grantee}{option}"
            )


def _default_privileges(session: Session, owner: str, facts: Snapshot) -> None:
    for each in facts.default_privileges:
        session.execute(_default_privilege(each, owner))


def _default_privilege(each: Mapping[str, Any], owner: str) -> str:
    role = owner if each["owner"] else str(each["role"])
    scope = f" IN SCHEMA {identifier(each['schema'])}" if each["schema"] else ""
    if each["to_self"]:
        grantee = identifier(role)
    else:
        grantee = identifier(each["grantee"]) if each["grantee"] else "PUBLIC"
    option = " WITH GRANT OPTION" if each["grantable"] and not each["to_self"] else ""
    return (
        f"ALTER DEFAULT PRIVILEGES FOR ROLE {identifier(role)}{scope} "
        f"GRANT {each['privilege']} ON {_KINDS[each['kind']]} TO {grantee}{option}"
    )


def without_statistics(session: Session) -> list[str]:
    """Tables with rows that the query planner knows nothing of; a restore leaves all of them so until ANALYZE."""
    rows = session.query(
        "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE c.relkind IN ('r', 'm') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' "
        "AND c.relpersistence <> 't' AND pg_relation_size(c.oid) > 0 AND (c.reltuples < 0 OR (c.reltuples > 0 AND "
        "NOT EXISTS (SELECT FROM pg_stats s WHERE s.schemaname = n.nspname AND s.tablename = c.relname))) ORDER BY 1"
    )
    return [str(name) for (name,) in rows]
