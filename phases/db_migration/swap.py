"""db_migration.swap: the copy takes the application's database name; what had it is set aside.

Both names change in one transaction. A database that was restored keeps its comment, so that it is known later.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from migrator.contracts.action import ActionSpec, Check, Preview, Probe, Verdict, Verification
from migrator.contracts.context import StepContext
from migrator.contracts.postgres import Database, PostgresRefused, Session, identifier, literal
from migrator.errors import Refused
from migrator.model.runbook import EffectClass
from phases.db_migration import marks
from phases.db_migration.doubt import effects_begun
from phases.db_migration.marks import Found, Mark

_IN_USE = "55006"
_TRIES = 5


@dataclass(frozen=True)
class SwapParams:
    """`target` is the master user on the maintenance database, which is neither of the pair."""

    target: Database
    attempt_database: str
    database: str


class Swap:
    """Renames the pair; every state in between is read from the catalogue by the databases' oids."""

    spec = ActionSpec(
        name="db_migration.swap",
        summary="Gives the copy the application's database name",
        effect=EffectClass.SWAP,
        params=SwapParams,
        outputs={
            "database": "The name under which the copy serves",
            "set_aside": "The name of the database that had it before; empty when there was none",
        },
    )

    def preview(self, ctx: StepContext[SwapParams]) -> Preview:
        """Two renames."""
        params = ctx.params
        return Preview(
            (
                f"rename {params.database} to {_aside(ctx)}, if it exists",
                f"rename {params.attempt_database} to {params.database}",
            )
        )

    def probe(self, ctx: StepContext[SwapParams]) -> Probe:
        """By oids once they are known; before, the copy must be there and carry a run's mark."""
        found = self._databases(ctx)
        known = ctx.memory.get("pair")
        if known:
            return _judge(found, known, ctx)
        attempt, present = found.get(ctx.params.attempt_database), found.get(ctx.params.database)
        if attempt is None:
            return Probe(Verdict.UNKNOWN, f"there is no database {ctx.params.attempt_database}")
        if attempt.mark is None or attempt.mark.run != ctx.run_id or attempt.mark.state != "complete":
            return Probe(Verdict.FOREIGN, f"{attempt.name} is not a complete copy of this run")
        if _aside(ctx) in found:
            return Probe(Verdict.FOREIGN, f"there is already a database {_aside(ctx)}")
        return Probe(Verdict.ABSENT, f"{attempt.name} is ready to take the name", _pair(attempt, present))

    def apply(self, ctx: StepContext[SwapParams]) -> None:
        """Remembers the pair, closes both, ends their sessions, renames both at once."""
        probe = self.probe(ctx)
        if probe.verdict is Verdict.OURS:
            return
        if probe.verdict not in (Verdict.ABSENT, Verdict.PARTIAL):
            raise Refused(probe.evidence, next="look at the databases of the target")
        known = ctx.memory.get("pair") or dict(probe.facts)
        ctx.channel.remember({"pair": known})
        with effects_begun(), ctx.tools.postgres.connect(ctx.params.target) as session:
            found = marks.databases(session)
            attempt, present = _by_oid(found, known["attempt_oid"]), _by_oid(found, known["database_oid"])
            assert attempt is not None
            moves: list[tuple[str, str]] = []
            if present is not None and present.name != _aside(ctx):
                moves.append((present.name, _aside(ctx)))
            if attempt.name != ctx.params.database:
                moves.append((attempt.name, ctx.params.database))
            after = [f"ALTER DATABASE {identifier(ctx.params.database)} ALLOW_CONNECTIONS true"]
            if present is not None:
                mark = Mark(ctx.run_id, ctx.key, "set_aside", note=str(known["comment"]))
                after.append(f"COMMENT ON DATABASE {identifier(_aside(ctx))} IS {literal(mark.text())}")
            _rename(ctx, session, moves, after)

    def verify(self, ctx: StepContext[SwapParams]) -> Verification:
        """Names, oids, and a session on the database under its new name."""
        known: Mapping[str, Any] = ctx.memory.get("pair", {})
        found = self._databases(ctx)
        serving = found.get(ctx.params.database)
        right = serving is not None and serving.oid == known.get("attempt_oid")
        aside = found.get(_aside(ctx))
        wanted = known.get("database_oid")
        checks = [
            Check("the copy serves under the application's name", right, ctx.params.database),
            Check("it takes connections", serving is not None and serving.allows_connections),
            Check("the former database is set aside", (aside.oid if aside else None) == wanted, _aside(ctx)),
        ]
        if right:
            with ctx.tools.postgres.connect(
                ctx.params.target.named(ctx.params.database), read_only=True
            ) as session:
                tables = session.query(
                    "SELECT count(*) FROM pg_class WHERE relkind IN ('r', 'p') AND oid >= 16384"
                )
            checks.append(Check("it can be read", True, f"{tables[0][0]} tables"))
        outputs = {"database": ctx.params.database, "set_aside": _aside(ctx) if wanted is not None else ""}
        return Verification(tuple(checks), outputs)

    def undo(self, ctx: StepContext[SwapParams]) -> None:
        """Renames back, and gives the former database its comment and its openness again."""
        known = ctx.memory.get("pair")
        if not known:
            return
        with ctx.tools.postgres.connect(ctx.params.target) as session:
            found = marks.databases(session)
            attempt, present = _by_oid(found, known["attempt_oid"]), _by_oid(found, known["database_oid"])
            if known["database_oid"] is not None and present is None:
                raise Refused("the former database no longer exists", next="there is no way back by renaming")
            moves: list[tuple[str, str]] = []
            after: list[str] = []
            if attempt is not None and attempt.name != ctx.params.attempt_database:
                moves.append((attempt.name, ctx.params.attempt_database))
            if attempt is not None:
                after.append(
                    f"ALTER DATABASE {identifier(ctx.params.attempt_database)} ALLOW_CONNECTIONS true"
                )
            if present is not None:
                if present.name != ctx.params.database:
                    moves.append((present.name, ctx.params.database))
                comment = literal(known["comment"]) if known["comment"] else "NULL"
                name, allow = identifier(ctx.params.database), "true" if known["allows"] else "false"
                after.append(f"ALTER DATABASE {name} ALLOW_CONNECTIONS {allow}")
                after.append(f"COMMENT ON DATABASE {name} IS {comment}")
            _rename(ctx, session, moves, after)

    @staticmethod
    def _databases(ctx: StepContext[SwapParams]) -> dict[str, Found]:
        with ctx.tools.postgres.connect(ctx.params.target, read_only=True) as session:
            return marks.databases(session)


def _aside(ctx: StepContext[SwapParams]) -> str:
    return marks.name_with(ctx.params.database, f"before_{marks.short(ctx.key)}")


def _pair(attempt: Found, present: Found | None) -> dict[str, Any]:
    return {
        "attempt_oid": attempt.oid,
        "database_oid": present.oid if present else None,
        "comment": present.comment if present else "",
        "allows": present.allows_connections if present else True,
    }


def _by_oid(found: Mapping[str, Found], oid: int | None) -> Found | None:
    return next((database for database in found.values() if database.oid == oid), None)


def _judge(found: Mapping[str, Found], known: Mapping[str, Any], ctx: StepContext[SwapParams]) -> Probe:
    """Where the two databases of the pair are now."""
    attempt = _by_oid(found, known["attempt_oid"])
    present = _by_oid(found, known["database_oid"])
    if attempt is None or (known["database_oid"] is not None and present is None):
        return Probe(Verdict.FOREIGN, "a database of the pair no longer exists", known)
    names = attempt.name, present.name if present else None
    after = ctx.params.database, _aside(ctx) if present else None
    before = ctx.params.attempt_database, ctx.params.database if present else None
    allowed = (*before, *after)
    if names[0] not in allowed or names[1] not in (*allowed, None):
        return Probe(Verdict.FOREIGN, f"a database of the pair has another name: {names}", known)
    if names == after:
        if attempt.allows_connections:
            return Probe(Verdict.OURS, f"{attempt.name} is the copy", known)
        return Probe(Verdict.PARTIAL, f"{attempt.name} is the copy, but takes no connections yet", known)
    if names == before:
        closed = not attempt.allows_connections or (present is not None and not present.allows_connections)
        if closed and known["allows"]:
            return Probe(Verdict.PARTIAL, "both databases are closed, but not renamed", known)
        return Probe(Verdict.ABSENT, "nothing is renamed", known)
    return Probe(Verdict.PARTIAL, f"only one of the pair is renamed: {names}", known)


def _rename(
    ctx: StepContext[SwapParams], session: Session, moves: list[tuple[str, str]], after: list[str]
) -> None:
    """Closes, empties and renames in one transaction; a session that slipped in makes it try again."""
    names = tuple(name for name, _ in moves)
    for name in names:
        session.execute(f"ALTER DATABASE {identifier(name)} ALLOW_CONNECTIONS false")
    for attempt in range(1, _TRIES + 1):
        marks.terminate(session, names)
        try:
            with session.transaction():
                for old, new in moves:
                    session.execute(f"ALTER DATABASE {identifier(old)} RENAME TO {identifier(new)}")
                for statement in after:
                    session.execute(statement)
        except PostgresRefused as error:
            if error.sqlstate != _IN_USE or attempt == _TRIES:
                raise
            ctx.channel.sleep(0.2 * attempt)
        else:
            return
