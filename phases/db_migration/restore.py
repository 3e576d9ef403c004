"""db_migration.restore: the archive into a fresh database of its own, never into one that holds something."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from migrator.contracts.action import ActionSpec, Check, Preview, Probe, Verdict, Verification
from migrator.contracts.context import StepContext
from migrator.contracts.params import Seconds
from migrator.contracts.postgres import Database, Programs, RestoreRequest, Session, identifier, literal
from migrator.errors import Refused
from migrator.model.runbook import EffectClass
from phases.db_migration import archive as archives
from phases.db_migration import catalogue, children, marks, properties, snapshot
from phases.db_migration.contents import choose, write_list
from phases.db_migration.doubt import effects_begun
from phases.db_migration.fingerprints import read_tables
from phases.db_migration.marks import Found, Mark
from phases.db_migration.progress import CopyProgress
from phases.db_migration.snapshot import Snapshot

_DEADLINE = Seconds(12 * 3_600.0)
_TRANSACTION_TIMEOUT_MAJOR = 17


@dataclass(frozen=True)
class RestoreParams:
    """`target` is the master user on the maintenance database. Everything restored belongs to `owner_role`,
    by default the master; where it is another role it must exist and the master must be a member of it.
    """

    target: Database
    archive: str
    archive_sha256: str
    application_role: str
    owner_role: str = ""
    database: str = "migrator"
    snapshot_facts: str = ""
    jobs: int = 2
    deadline: Seconds = _DEADLINE

    @property
    def owner(self) -> str:
        """The role that owns what is restored."""
        return self.owner_role or self.target.user


class Restore:
    """pg_restore as the master user into an attempt database that is marked as this step's."""

    spec = ActionSpec(
        name="db_migration.restore",
        summary="Restores the archive into a fresh attempt database on the target",
        effect=EffectClass.DATA_LOAD,
        params=RestoreParams,
        outputs={
            "attempt_database": "The database that holds the copy",
            "left_out": "Items of the archive that were not restored, with the reason",
        },
    )

    def preview(self, ctx: StepContext[RestoreParams]) -> Preview:
        """A new database; nothing that exists is touched."""
        where = f"{ctx.params.target.host}:{ctx.params.target.port}"
        return Preview((f"create the database {_attempt_name(ctx)} on {where} and fill it",))

    def probe(self, ctx: StepContext[RestoreParams]) -> Probe:
        """Only a database that carries the mark `complete` for this archive is whole."""
        children.follow_living(ctx)
        with ctx.tools.postgres.connect(ctx.params.target, read_only=True) as session:
            ours, foreign = _ours(session, ctx)
        if foreign:
            return Probe(Verdict.FOREIGN, f"the database {foreign[0]} has our name, but not our mark")
        complete = [name for name, found in ours.items() if _is_complete(found, ctx)]
        if complete:
            return Probe(Verdict.OURS, f"the database {complete[0]} is marked as complete")
        if ours:
            return Probe(Verdict.PARTIAL, f"the database {', '.join(ours)} is ours, but not complete")
        return Probe(Verdict.ABSENT, "there is no attempt database")

    def apply(self, ctx: StepContext[RestoreParams]) -> None:
        """Drops what an earlier attempt left, makes a new database, fills it, and marks it as complete last."""
        params = ctx.params
        archive = Path(params.archive)
        archives.check(archive, params.archive_sha256, ctx.channel.check_cancelled)
        facts = snapshot.load(archives.facts_of(archive, params.snapshot_facts))
        name = _attempt_name(ctx)
        with ctx.tools.postgres.connect(params.target, statement_timeout_seconds=0) as server:
            programs = _programs(ctx, server, facts)
            _require_roles(server, params, facts)
            ours, foreign = _ours(server, ctx)
            if foreign:
                raise Refused(
                    f"the database {foreign[0]} is not this run's", next="rename or remove it yourself"
                )
            with effects_begun():
                for old in ours:
                    ctx.channel.log(f"dropping {old}, which an earlier attempt left")
                    marks.drop(server, old)
                _create(server, ctx, name, facts)
        with effects_begun():
            self._fill(ctx, name, programs, facts)
            with ctx.tools.postgres.connect(params.target) as server:
                marks.set_mark(server, name, _mark(ctx, "complete"))

    def verify(self, ctx: StepContext[RestoreParams]) -> Verification:
        """The mark, the set of tables, and statistics; rows are compared by a step of their own."""
        params = ctx.params
        facts = snapshot.load(archives.facts_of(Path(params.archive), params.snapshot_facts))
        with ctx.tools.postgres.connect(params.target, read_only=True) as server:
            ours, _ = _ours(server, ctx)
            programs = _programs(ctx, server, facts)
        complete = [name for name, found in ours.items() if _is_complete(found, ctx)]
        if not complete:
            return Verification((Check("a complete attempt database is there", False, ", ".join(ours)),))
        name = complete[0]
        with ctx.tools.postgres.connect(params.target.named(name), read_only=True) as inside:
            tables = {table.name for table in read_tables(inside, "record")}
            without = properties.without_statistics(inside)
        missing = sorted(set(facts.sizes) - tables)
        checks = (
            Check("a complete attempt database is there", True, name),
            Check(
                "every table of the source is there",
                not missing,
                ", ".join(missing) or f"{len(tables)} tables",
            ),
            Check("statistics for the query planner are there", not without, ", ".join(without)),
        )
        listed = ctx.tools.postgres.archive_list(programs, Path(params.archive), ctx.work / "contents.list")
        left_out = choose(listed, ("plpgsql",)).left_out
        return Verification(checks, {"attempt_database": name, "left_out": list(left_out)})

    def undo(self, ctx: StepContext[RestoreParams]) -> None:
        """Drops the attempt database; refused once it serves under the application's name."""
        children.follow_living(ctx)
        with ctx.tools.postgres.connect(ctx.params.target, statement_timeout_seconds=0) as server:
            marked = [
                found
                for found in marks.databases(server).values()
                if found.mark and found.mark.key == ctx.key
            ]
            serving = [found.name for found in marked if not found.name.startswith(_prefix(ctx))]
            if serving:
                raise Refused(
                    f"the restored database already serves as {serving[0]}", next="undo the swap first"
                )
            ours, _ = _ours(server, ctx)
            for name in ours:
                marks.drop(server, name)

    def _fill(self, ctx: StepContext[RestoreParams], name: str, programs: Programs, facts: Snapshot) -> None:
        params, postgres, archive = ctx.params, ctx.tools.postgres, Path(ctx.params.archive)
        inside = params.target.named(name)
        files = children.new_folder(ctx.work, "client")
        with postgres.connect(inside, statement_timeout_seconds=0) as session:
            extensions = [str(row[0]) for row in session.query("SELECT extname FROM pg_extension")]
            listed = postgres.archive_list(programs, archive, ctx.work / "contents.list")
            contents = choose(listed, extensions)
            for item in contents.left_out:
                ctx.channel.log(f"left out: {item}")
            list_file = write_list(contents, ctx.work / "restore.list")
            progress = CopyProgress(ctx, session, "restore", facts.sizes)
            request = RestoreRequest(
                programs, inside, archive, list_file, params.owner, params.jobs, params.deadline
            )
            try:
                command = postgres.restore(request, files)
                folder = children.new_folder(ctx.work, "pg_restore")
                done, errors = children.run(ctx, command, folder, progress.tick)
            finally:
                postgres.forget(files)
            children.require_success("pg_restore", done, errors)
            progress.all_done()
            ctx.channel.progress("analyze")
            properties.carry(session, name, params.owner, facts)
            session.execute("ANALYZE", tick=ctx.channel.check_cancelled)


def _prefix(ctx: StepContext[RestoreParams]) -> str:
    return marks.name_with(ctx.params.database[:40], f"attempt_{marks.short(ctx.key)}_")


def _attempt_name(ctx: StepContext[RestoreParams]) -> str:
    return f"{_prefix(ctx)}{ctx.attempt}"


def _mark(ctx: StepContext[RestoreParams], state: str) -> Mark:
    return Mark(ctx.run_id, ctx.key, state, ctx.params.archive_sha256)


def _is_complete(found: Found, ctx: StepContext[RestoreParams]) -> bool:
    return found.mark == _mark(ctx, "complete")


def _ours(session: Session, ctx: StepContext[RestoreParams]) -> tuple[dict[str, Found], list[str]]:
    """Attempt databases of this step, and databases of that name which carry something else's comment.

    A database without a comment is ours: the name holds the step's key, and a runner may have died before it
    could write the mark.
    """
    ours: dict[str, Found] = {}
    foreign: list[str] = []
    for name, found in sorted(marks.databases(session).items()):
        if name.startswith(_prefix(ctx)):
            if (found.mark and found.mark.key == ctx.key) or not found.comment:
                ours[name] = found
            else:
                foreign.append(name)
    return ours, foreign


def _programs(ctx: StepContext[RestoreParams], server: Session, facts: Snapshot) -> Programs:
    """Programs that fit both servers: from 17 on pg_restore sends a setting that older servers refuse."""
    major = server.server_version // 10_000
    programs = ctx.tools.postgres.programs(max(major, facts.server_version // 10_000))
    if programs.major >= _TRANSACTION_TIMEOUT_MAJOR > major:
        raise Refused(
            f"pg_restore {programs.version} cannot restore into a server of version {major}",
            where=str(programs.pg_restore),
            next=f"install the client programs of PostgreSQL {major}",
        )
    return programs


def _require_roles(session: Session, params: RestoreParams, facts: Snapshot) -> None:
    """Privileges name roles; a role that is missing would fail the restore in its last minute."""
    present = {str(row[0]) for row in session.query("SELECT quote_ident(rolname) FROM pg_roles")}
    needed = catalogue.grantees(facts.catalogue)
    missing = sorted(name for name in needed if name not in present)
    if missing:
        raise Refused(
            f"roles that the source's privileges name are missing on the target: {', '.join(missing)}",
            where=f"{params.target.host}:{params.target.port}",
            next="create them (NOLOGIN is enough), or revoke their privileges on the source",
        )
    member = session.query(
        "SELECT pg_has_role(current_user, oid, 'MEMBER') FROM pg_roles WHERE rolname = %s", [params.owner]
    )
    if member != [(True,)]:
        raise Refused(
            f"{params.target.user} is not a member of the owner {params.owner}",
            next=f"GRANT {identifier(params.owner)} TO {identifier(params.target.user)}",
        )


def _create(session: Session, ctx: StepContext[RestoreParams], name: str, facts: Snapshot) -> None:
    template = facts.template
    locale = f"LC_COLLATE {literal(template.collate)} LC_CTYPE {literal(template.ctype)}"
    if template.provider == "i":
        locale += f" LOCALE_PROVIDER icu ICU_LOCALE {literal(template.locale)}"
    elif template.provider == "b":
        locale += f" LOCALE_PROVIDER builtin BUILTIN_LOCALE {literal(template.locale)}"
    session.execute(
        f"CREATE DATABASE {identifier(name)} OWNER {identifier(ctx.params.owner)} TEMPLATE template0 "
        f"ENCODING {literal(template.encoding)} {locale}"
    )
    marks.set_mark(session, name, _mark(ctx, "loading"))
    session.execute(f"REVOKE ALL ON DATABASE {identifier(name)} FROM PUBLIC")
