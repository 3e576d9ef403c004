"""How this run's databases are known: by a name made from the step's key, and by a comment on the database."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

from migrator.contracts.postgres import Session, identifier, literal

_PREFIX = "migrator "
_NAME_BYTES = 63


@dataclass(frozen=True)
class Mark:
    """The comment on a database that this run made or set aside. `state`: loading, complete or set_aside."""

    run: str
    key: str
    state: str
    archive: str = ""
    note: str = ""

    def text(self) -> str:
        """As it stands in the comment."""
        return _PREFIX + json.dumps(asdict(self), sort_keys=True)


@dataclass(frozen=True)
class Found:
    """One database of a server."""

    oid: int
    name: str
    comment: str
    allows_connections: bool
    owner: str

    @property
    def mark(self) -> Mark | None:
        """The run's mark, when there is one."""
        if not self.comment.startswith(_PREFIX):
            return None
        try:
            values: dict[str, Any] = json.loads(self.comment.removeprefix(_PREFIX))
            return Mark(**{name: str(value) for name, value in values.items()})
        except (ValueError, TypeError):
            return None


def short(key: str) -> str:
    """Eight characters that stand for a key."""
    return hashlib.sha256(key.encode()).hexdigest()[:8]


def name_with(base: str, suffix: str) -> str:
    """`base_suffix`, the base cut so that PostgreSQL does not cut the suffix."""
    room = _NAME_BYTES - len(suffix.encode()) - 1
    return base.encode()[:room].decode("utf-8", "ignore") + "_" + suffix


def databases(session: Session) -> dict[str, Found]:
    """All databases of the server, by name."""
    rows = session.query(
        "SELECT d.oid::bigint, d.datname, coalesce(shobj_description(d.oid, 'pg_database'), ''), d.datallowconn, "
        "r.rolname FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba"
    )
    return {
        str(row[1]): Found(int(row[0]), str(row[1]), str(row[2]), bool(row[3]), str(row[4])) for row in rows
    }


def set_mark(session: Session, database: str, mark: Mark) -> None:
    """Writes the comment."""
    session.execute(f"COMMENT ON DATABASE {identifier(database)} IS {literal(mark.text())}")


def terminate(session: Session, databases_: tuple[str, ...]) -> int:
    """Ends every session on these databases that this role may end; how many."""
    rows = session.query(
        "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity a "
        "WHERE a.datname = ANY(%s) AND a.pid <> pg_backend_pid() AND a.backend_type IN ('client backend', "
        "'parallel worker') AND NOT EXISTS (SELECT FROM pg_roles r WHERE r.oid = a.usesysid AND r.rolsuper)",
        [list(databases_)],
    )
    return int(rows[0][0])


def drop(session: Session, database: str) -> None:
    """Drops a database and ends the sessions on it; nothing happens when it is gone."""
    if database in databases(session):
        session.execute(f"ALTER DATABASE {identifier(database)} ALLOW_CONNECTIONS false")
        terminate(session, (database,))
        session.execute(f"DROP DATABASE IF EXISTS {identifier(database)} WITH (FORCE)")
