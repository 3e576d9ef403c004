"""preflight.source_database: read-only facts of the source that would stop the move later."""

from __future__ import annotations

from dataclasses import dataclass

from migrator.contracts.action import ActionSpec, Check, Preview, Probe, Verdict, Verification
from migrator.contracts.context import StepContext
from migrator.contracts.params import SecretRef
from migrator.contracts.postgres import Database, Session
from migrator.errors import Refused
from migrator.model.runbook import EffectClass
from migrator.secrets import REDACTOR

_MINIMUM_VERSION = 120_000
# PostgreSQL's own, and trusted ones that a master user may create himself; RDS offers all of them.
_EXTENSIONS = (
    "plpgsql", "btree_gin", "btree_gist", "citext", "cube", "dict_int", "fuzzystrmatch", "hstore", "intarray",
    "isn", "lo", "ltree", "pg_trgm", "pgcrypto", "seg", "tablefunc", "tcn", "tsm_system_rows",
    "tsm_system_time", "unaccent", "uuid-ossp", "pg_stat_statements",
)  # fmt: skip


@dataclass(frozen=True)
class SourceDatabaseParams:
    """`extensions_allowed`: further extensions that the target is known to offer. The application's password is only
    compared with names."""

    source: Database
    application_role: str = ""
    application_password: SecretRef | None = None
    extensions_allowed: tuple[str, ...] = ()


class SourceDatabase:
    """Version, size, extensions, rights of the admin, and what a dump does not carry."""

    spec = ActionSpec(
        name="preflight.source_database",
        summary="Looks at the source database before anything is changed",
        effect=EffectClass.READ,
        params=SourceDatabaseParams,
        outputs={
            "server_version": "Version of the server, such as 15.18",
            "bytes": "Size of the database in bytes",
            "tables": "Tables with rows of their own",
            "not_carried": "Things that are not restored on the target",
        },
        reprove=False,
    )

    def preview(self, ctx: StepContext[SourceDatabaseParams]) -> Preview:  # noqa: ARG002
        """Reads only."""
        return Preview(())

    def probe(self, ctx: StepContext[SourceDatabaseParams]) -> Probe:  # noqa: ARG002
        """A read leaves nothing to find."""
        return Probe(Verdict.ABSENT, "reading leaves nothing behind")

    def apply(self, ctx: StepContext[SourceDatabaseParams]) -> None:
        """Everything is in `verify`."""

    def verify(self, ctx: StepContext[SourceDatabaseParams]) -> Verification:
        """All facts in one frozen transaction."""
        with (
            ctx.tools.postgres.connect(ctx.params.source, read_only=True) as session,
            session.transaction(frozen=True),
        ):
            return self._look(ctx, session)

    def undo(self, ctx: StepContext[SourceDatabaseParams]) -> None:
        """Nothing to take back."""

    @staticmethod
    def _look(ctx: StepContext[SourceDatabaseParams], session: Session) -> Verification:
        params = ctx.params
        version = session.server_version
        [(size, tables)] = session.query(
            "SELECT pg_database_size(current_database()), (SELECT count(*) FROM pg_class c JOIN pg_namespace n "
            "ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' "
            "AND n.nspname <> 'information_schema')"
        )
        allowed = {*_EXTENSIONS, *params.extensions_allowed}
        extensions = [str(row[0]) for row in session.query("SELECT extname FROM pg_extension ORDER BY 1")]
        unknown = [name for name in extensions if name not in allowed]
        unreadable = _unreadable(session)
        checks = [
            Check("server version is supported", version >= _MINIMUM_VERSION, _version(version)),
            _client(ctx, version),
            Check("extensions exist on the target", not unknown, ", ".join(unknown) or ", ".join(extensions)),
            Check("every table can be read", not unreadable, ", ".join(unreadable)),
            *_rights(session, params.application_role),
            _passwords(ctx, session),
        ]
        not_carried = [
            str(name)
            for (name,) in session.query(
                "SELECT 'event trigger ' || evtname FROM pg_event_trigger "
                "UNION ALL SELECT 'publication ' || pubname FROM pg_publication ORDER BY 1"
            )
        ]
        outputs = {
            "server_version": _version(version),
            "bytes": int(size),
            "tables": int(tables),
            "not_carried": not_carried,
        }
        return Verification(tuple(checks), outputs)


def _version(number: int) -> str:
    return f"{number // 10_000}.{number % 10_000}"


def _client(ctx: StepContext[SourceDatabaseParams], version: int) -> Check:
    name = "client programs are new enough"
    try:
        return Check(name, True, ctx.tools.postgres.programs(version // 10_000).version)
    except Refused as error:
        return Check(name, False, str(error))


def _passwords(ctx: StepContext[SourceDatabaseParams], session: Session) -> Check:
    """A known password is masked wherever it is written: as a part of a name it would mask the name."""
    for reference in (ctx.params.source.password, ctx.params.application_password):
        if reference:
            ctx.tools.secrets.resolve(reference)
    rows = session.query(
        "SELECT current_database() UNION SELECT nspname FROM pg_namespace UNION SELECT rolname FROM pg_roles "
        "UNION SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
    )
    found = any(REDACTOR.scrub(str(name)) != name for (name,) in rows)
    why = "one is a part of the name of a database, schema, table or role: change it before the move"
    return Check("passwords are not names", not found, why if found else "")


def _unreadable(session: Session) -> list[str]:
    rows = session.query(
        "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE c.relkind IN ('r', 'p', 'S') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND NOT "
        "CASE WHEN c.relkind = 'S' THEN has_sequence_privilege(c.oid, 'SELECT') "
        "ELSE has_table_privilege(c.oid, 'SELECT') AND NOT row_security_active(c.oid) END ORDER BY 1"
    )
    return [str(name) for (name,) in rows]


def _rights(session: Session, application_role: str) -> list[Check]:
    """What the write fence will need."""
    [(owner, signal, creates)] = session.query(
        "SELECT pg_has_role(current_user, d.datdba, 'USAGE'), pg_has_role(current_user, 'pg_signal_backend', 'USAGE') "
        "OR r.rolsuper, r.rolcreaterole OR r.rolsuper FROM pg_database d, pg_roles r "
        "WHERE d.datname = current_database() AND r.rolname = current_user"
    )
    checks = [
        Check("admin has the database owner's rights", bool(owner)),
        Check("admin may end sessions", bool(signal)),
        Check("admin may alter roles", bool(creates)),
    ]
    if application_role:
        rows = session.query(
            "SELECT rolcanlogin, rolsuper FROM pg_roles WHERE rolname = %s", [application_role]
        )
        checks.append(
            Check("application role exists and may log in", rows == [(True, False)], application_role)
        )
    return checks
