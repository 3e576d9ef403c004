"""db_migration.fence: from here on nobody writes to the source, and that is proven.

The application role loses LOGIN and its sessions end, so the old application cannot read either. A read-only
login would be kinder to its users, but any session may set its own transactions to read-write: only a role that
cannot log in is a fence. All other roles of the database start read-only by default.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from migrator.contracts.action import ActionSpec, Check, Preview, Probe, Verdict, Verification
from migrator.contracts.context import StepContext
from migrator.contracts.params import Seconds, SecretRef
from migrator.contracts.postgres import Database, PostgresRefused, Session, identifier, literal
from migrator.errors import Refused
from migrator.model.runbook import EffectClass
from phases.db_migration import marks
from phases.db_migration.doubt import effects_begun
from phases.db_migration.snapshot import read_write_counters

_QUIET, _TIMEOUT = Seconds(2.0), Seconds(60.0)
_SETTING = "default_transaction_read_only"
_REFUSED_LOGIN = ("28000", "28P01")


@dataclass(frozen=True)
class FenceParams:
    """`source` is an admin: member of the database's owner, CREATEROLE, pg_signal_backend.

    With `application_password` the proof is a login as the application. `quiet`: how long nothing may change;
    `timeout`: how long to wait for that.
    """

    source: Database
    application_role: str
    application_password: SecretRef | None = None
    quiet: Seconds = _QUIET
    timeout: Seconds = _TIMEOUT


@dataclass(frozen=True)
class _State:
    login: bool
    read_only: str | None

    @property
    def fenced(self) -> bool:
        return not self.login and self.read_only == "on"

    def facts(self) -> dict[str, Any]:
        return {"login": self.login, "read_only": self.read_only}


class Fence:
    """Application role NOLOGIN, everyone else read-only by default, sessions ended, silence proven."""

    spec = ActionSpec(
        name="db_migration.fence",
        summary="Closes the source database for writes",
        effect=EffectClass.COMPARE_AND_SET,
        params=FenceParams,
        outputs={"fenced_at": "When the fence began to close (UTC, ISO 8601)"},
    )

    def preview(self, ctx: StepContext[FenceParams]) -> Preview:
        """What is still open."""
        state = self._state(ctx)
        changes = []
        if state.login:
            changes.append(f"take LOGIN from {ctx.params.application_role} and end its sessions")
        if state.read_only != "on":
            changes.append(f"start sessions of {ctx.params.source.name} read-only")
        return Preview(tuple(changes))

    def probe(self, ctx: StepContext[FenceParams]) -> Probe:
        """Closed by us, open, in between, or found closed before we touched it."""
        state = self._state(ctx)
        ours = bool(ctx.memory.get("before"))
        if state.fenced:
            if ours:
                left = self._left_inside(ctx)
                if left:
                    return Probe(Verdict.PARTIAL, f"the fence is closed, {left}", state.facts())
                return Probe(Verdict.OURS, "the fence is closed", state.facts())
            return Probe(
                Verdict.FOREIGN, "the database was closed for writes before this step", state.facts()
            )
        if ours and (not state.login or state.read_only == "on") and state.facts() != ctx.memory["before"]:
            return Probe(Verdict.PARTIAL, "the fence is half closed", state.facts())
        if not state.login:
            return Probe(
                Verdict.FOREIGN,
                f"{ctx.params.application_role} cannot log in, and this run did not cause it",
                state.facts(),
            )
        return Probe(Verdict.ABSENT, "the database takes writes", state.facts())

    def apply(self, ctx: StepContext[FenceParams]) -> None:
        """Remembers what was, closes the door, then shows out who is inside."""
        params = ctx.params
        with ctx.tools.postgres.connect(params.source) as session:
            state = _read(session, params)
            self._require_no_prepared(session)
            if not ctx.memory.get("before") or state.facts() == ctx.memory["before"]:
                fenced_at = ctx.tools.clock.now().isoformat(timespec="milliseconds")
                ctx.channel.remember({"before": state.facts(), "fenced_at": fenced_at, "closed_at": None})
            with effects_begun():
                session.execute(f"ALTER ROLE {identifier(params.application_role)} NOLOGIN")
                session.execute(f"ALTER DATABASE {identifier(params.source.name)} SET {_SETTING} = 'on'")
                [(closed_at,)] = session.query("SELECT clock_timestamp()::text")
                ctx.channel.remember({"closed_at": str(closed_at)})
                ended = marks.terminate(session, (params.source.name,))
                ctx.channel.log(f"{ended} sessions ended")

    def verify(self, ctx: StepContext[FenceParams]) -> Verification:
        """Catalogue, sessions, open and prepared transactions, a login as the application, and silence."""
        params = ctx.params
        with ctx.tools.postgres.connect(params.source, read_only=True) as session:
            state = _read(session, params)
            quiet, moved = self._quiet(ctx, session)
            sessions = _sessions(session)
            prepared = _prepared(session)
        checks = [
            Check("application role cannot log in", not state.login, params.application_role),
            Check("sessions start read-only", state.read_only == "on", f"{_SETTING} = {state.read_only}"),
            Check("no other session is open", not sessions, ", ".join(sessions)),
            Check("no prepared transaction", not prepared, ", ".join(prepared)),
            Check(f"no row changed for {params.quiet:g} s", quiet, moved),
        ]
        if params.application_password is not None:
            checks.append(self._write_fails(ctx, params.application_password))
        fenced_at = str(ctx.memory.get("fenced_at", ""))
        checks.append(Check("time of the fence is known", bool(fenced_at), fenced_at))
        return Verification(tuple(checks), {"fenced_at": fenced_at})

    def undo(self, ctx: StepContext[FenceParams]) -> None:
        """Gives back exactly what was: LOGIN if the role had it, and the database's own setting."""
        before = ctx.memory.get("before")
        if not before:
            return
        params = ctx.params
        with ctx.tools.postgres.connect(params.source) as session:
            database = identifier(params.source.name)
            value = before["read_only"]
            if value is None:
                session.execute(f"ALTER DATABASE {database} RESET {_SETTING}")
            else:
                session.execute(f"ALTER DATABASE {database} SET {_SETTING} = {literal(str(value))}")
            if before["login"]:
                session.execute(f"ALTER ROLE {identifier(params.application_role)} LOGIN")

    @staticmethod
    def _state(ctx: StepContext[FenceParams]) -> _State:
        with ctx.tools.postgres.connect(ctx.params.source, read_only=True) as session:
            return _read(session, ctx.params)

    @staticmethod
    def _left_inside(ctx: StepContext[FenceParams]) -> str:
        """Why sessions from before the fence must still be ended; empty when none is left."""
        closed_at = ctx.memory.get("closed_at")
        if not closed_at:
            return "sessions from before were not ended"
        with ctx.tools.postgres.connect(ctx.params.source, read_only=True) as session:
            [(count,)] = session.query(
                "SELECT count(*) FROM pg_stat_activity a JOIN pg_roles r ON r.oid = a.usesysid "
                "WHERE a.datname = current_database() AND a.backend_type = 'client backend' "
                "AND a.pid <> pg_backend_pid() AND NOT r.rolsuper AND a.backend_start <= %s::timestamptz "
                "AND a.application_name <> 'migrator'",
                [closed_at],
            )
        return f"{count} sessions from before are open" if count else ""

    @staticmethod
    def _require_no_prepared(session: Session) -> None:
        if prepared := _prepared(session):
            raise Refused(
                f"prepared transactions are open: {', '.join(prepared)}",
                next="COMMIT PREPARED or ROLLBACK PREPARED them: they would write behind the fence",
            )

    @staticmethod
    def _quiet(ctx: StepContext[FenceParams], session: Session) -> tuple[bool, str]:
        """Whether counters stood still for the whole of `quiet`; a write that is still counted starts it anew."""
        clock, params = ctx.tools.clock, ctx.params
        begun = since = clock.now()
        last = read_write_counters(session)
        while True:
            ctx.channel.sleep(min(0.2, params.quiet / 4))
            ctx.channel.check_cancelled()
            now, counters = clock.now(), read_write_counters(session)
            if counters != last:
                last, since = counters, now
            if (now - since).total_seconds() >= params.quiet:
                return True, ""
            if (now - begun).total_seconds() >= params.timeout:
                return False, f"rows were still changed after {params.timeout:g} s"

    @staticmethod
    def _write_fails(ctx: StepContext[FenceParams], reference: SecretRef) -> Check:
        """Tries to write as the application does: it must not even come in."""
        params = ctx.params
        as_application = Database(
            params.source.host,
            params.source.port,
            params.source.name,
            params.application_role,
            reference,
            params.source.sslmode,
            params.source.sslrootcert,
        )
        name = "a write as the application is refused"
        try:
            with ctx.tools.postgres.connect(as_application) as session:
                session.execute("CREATE TEMPORARY TABLE migrator_fence_probe ()")
        except PostgresRefused as error:
            if error.sqlstate == "28000":
                return Check(name, True, error.detail)
            return Check(name, False, f"refused for another reason: {error.detail}")
        return Check(name, False, "the application still came in")


def _read(session: Session, params: FenceParams) -> _State:
    roles = session.query("SELECT rolcanlogin FROM pg_roles WHERE rolname = %s", [params.application_role])
    if not roles:
        raise Refused(
            f"there is no role {params.application_role}",
            where=params.source.address,
            next="name the role that the application logs in with",
        )
    settings = session.query(
        "SELECT split_part(c, '=', 2) FROM pg_db_role_setting s, LATERAL unnest(s.setconfig) c "
        "WHERE s.setrole = 0 AND s.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database()) "
        "AND split_part(c, '=', 1) = %s",
        [_SETTING],
    )
    return _State(bool(roles[0][0]), str(settings[0][0]) if settings else None)


def _sessions(session: Session) -> list[str]:
    """Other clients of this database, and their oldest transaction; superusers' too: they pass every fence."""
    rows = session.query(
        "SELECT format('%s (pid %s, %s)', usename, pid, coalesce('in a transaction since ' || xact_start, state)) "
        "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
        "AND backend_type = 'client backend' AND application_name <> 'migrator' ORDER BY xact_start"
    )
    return [str(text) for (text,) in rows]


def _prepared(session: Session) -> list[str]:
    rows = session.query("SELECT gid FROM pg_prepared_xacts WHERE database = current_database()")
    return [str(gid) for (gid,) in rows]
