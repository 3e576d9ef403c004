"""Foreign exceptions stop here: what the server or the connection said, as errors of ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from migrator.contracts.postgres import PostgresInDoubt, PostgresRefused
from migrator.errors import StepError
from migrator.sanitize import clean
from migrator.secrets import REDACTOR

_DETAIL_CHARACTERS = 2_000
# The server went away: connection exceptions, and operator intervention that ends the session.
_LOST_CLASSES = ("08",)
_LOST_STATES = ("57P01", "57P02", "57P03", "57P05")

_HINTS = {
    "28P01": "the password is wrong: check the secret that the reference names",
    "28000": "this role may not log in here: check pg_hba, the role's LOGIN attribute and TLS",
    "3D000": "the database does not exist on this server",
    "42501": "the role lacks a privilege: use the master user, or grant what is missing",
    "53300": "the server has no free connection: end idle sessions or raise max_connections",
    "55P03": "another session holds a lock: look at pg_stat_activity and try again",
    "57014": "the statement ran longer than its time limit",
}

_NO_WAY = (
    "check address, network path, TLS settings and credentials; a database in a private subnet is reached by a "
    "tunnel that MIGRATOR_TUNNEL names"
)


@contextmanager
def connecting(where: str) -> Iterator[None]:
    """A connection that was not made carried nothing: always `PostgresRefused`."""
    try:
        yield
    except psycopg.Error as error:
        state = error.sqlstate or _state_of(str(error))
        raise PostgresRefused(
            "could not connect to the database",
            sqlstate=state,
            where=where,
            detail=_words(error),
            next=_HINTS.get(state, _NO_WAY),
        ) from None


@contextmanager
def running(connection: psycopg.Connection[object], where: str) -> Iterator[None]:
    """An answer of the server means that the statement had no effect; silence means doubt."""
    try:
        yield
    except psycopg.Error as error:
        raise _translate(error, connection, where) from None


def _translate(error: psycopg.Error, connection: psycopg.Connection[object], where: str) -> StepError:
    state = error.sqlstate or ""
    lost = state.startswith(_LOST_CLASSES) or state in _LOST_STATES or (not state and connection.closed)
    if lost or (not state and isinstance(error, psycopg.OperationalError)):
        return PostgresInDoubt(
            "the connection to the database was lost while a statement was under way",
            where=where,
            detail=_words(error),
            next="the step looks at the database again before anything else is sent",
        )
    primary = clean(error.diag.message_primary or "") or "the statement was not carried out"
    return PostgresRefused(
        REDACTOR.scrub(primary),
        sqlstate=state,
        where=where,
        detail=_words(error),
        next=_HINTS.get(state, ""),
    )


def _words(error: psycopg.Error) -> str:
    return REDACTOR.scrub(clean(str(error).strip()))[:_DETAIL_CHARACTERS]


def _state_of(message: str) -> str:
    """libpq gives no SQLSTATE for a refused login; the server's own words (C messages) tell."""
    if "password authentication failed" in message:
        return "28P01"
    if "is not permitted to log in" in message or "no pg_hba.conf entry" in message:
        return "28000"
    if "does not exist" in message and "database" in message:
        return "3D000"
    if "is not currently accepting connections" in message:
        return "55000"
    if "permission denied for database" in message:
        return "42501"
    return ""
