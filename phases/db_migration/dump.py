"""db_migration.dump: an archive of the source, taken in one snapshot together with the facts it will be held to."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event
from typing import Literal

from migrator.contracts.action import ActionSpec, Check, Preview, Probe, Verdict, Verification
from migrator.contracts.context import StepContext
from migrator.contracts.params import Seconds
from migrator.contracts.postgres import Database, DumpRequest, Programs, Session
from migrator.errors import InDoubt, Interrupted
from migrator.model.runbook import EffectClass
from phases.db_migration import archive as archives
from phases.db_migration import children, snapshot
from phases.db_migration.doubt import effects_begun
from phases.db_migration.fingerprints import read_tables
from phases.db_migration.progress import CopyProgress
from phases.db_migration.snapshot import Snapshot

_DEADLINE = Seconds(6 * 3_600.0)


@dataclass(frozen=True)
class DumpParams:
    """`fingerprint`: `text` when source and target differ in their major version. `deadline` for each program."""

    source: Database
    jobs: int = 2
    application_role: str = ""
    fingerprint: Literal["record", "text"] = "record"
    deadline: Seconds = _DEADLINE


class Dump:
    """pg_dump in directory format, checked by reading it back, with SHA-256 of every file."""

    spec = ActionSpec(
        name="db_migration.dump",
        summary="Dumps the source database and takes its fingerprints in the same snapshot",
        effect=EffectClass.DATA_LOAD,
        params=DumpParams,
        outputs={
            "archive": "Folder of the archive",
            "archive_sha256": "SHA-256 over all its files",
            "archive_bytes": "Size of all its files in bytes",
            "snapshot_facts": "File with the source's fingerprints and catalogue",
            "tables": "Tables with rows of their own",
            "rows": "Rows in all tables",
        },
    )

    def preview(self, ctx: StepContext[DumpParams]) -> Preview:
        """Only files on this machine."""
        return Preview((f"write an archive of {ctx.params.source.address} below {ctx.work}",))

    def probe(self, ctx: StepContext[DumpParams]) -> Probe:
        """A whole archive with the remembered hash is ours; anything less is made again."""
        children.follow_living(ctx)
        archive = ctx.work / "archive"
        remembered = str(ctx.memory.get("archive_sha256", ""))
        if not archive.exists():
            return Probe(Verdict.ABSENT, "there is no archive")
        if not remembered:
            return Probe(Verdict.PARTIAL, "there is an archive that was not finished")
        found = archives.digest(archive, ctx.channel.check_cancelled)
        if found.sha256 != remembered or not archives.facts_of(archive).is_file():
            return Probe(Verdict.PARTIAL, "the archive is not the one that was finished")
        return Probe(Verdict.OURS, f"the archive is whole: {found.files} files, {found.bytes} bytes")

    def apply(self, ctx: StepContext[DumpParams]) -> None:
        """Always from the beginning: half an archive has no value."""
        params, archive = ctx.params, ctx.work / "archive"
        archives.remove(archive)
        archives.facts_of(archive).unlink(missing_ok=True)
        with ctx.tools.postgres.connect(params.source, read_only=True, statement_timeout_seconds=0) as holder:
            programs = ctx.tools.postgres.programs(holder.server_version // 10_000)
            sizes = _estimates(holder)
            with holder.transaction(frozen=True), effects_begun():
                facts = self._dump(ctx, programs, holder.export_snapshot(), sizes)
        self._check(ctx, programs)
        digest = archives.digest(archive, ctx.channel.check_cancelled)
        facts_sha256 = snapshot.save(facts, archives.facts_of(archive))
        ctx.channel.remember({"archive_sha256": digest.sha256, "facts_sha256": facts_sha256})

    def verify(self, ctx: StepContext[DumpParams]) -> Verification:
        """Reads the archive and the facts again."""
        archive = ctx.work / "archive"
        path = archives.facts_of(archive)
        if not archive.is_dir() or not path.is_file():
            return Verification((Check("archive and facts are there", False, str(archive)),))
        facts = snapshot.load(path)
        digest = archives.digest(archive, ctx.channel.check_cancelled)
        remembered = str(ctx.memory.get("archive_sha256", digest.sha256))
        programs = ctx.tools.postgres.programs(facts.server_version // 10_000)
        contents = ctx.tools.postgres.archive_list(programs, archive, ctx.work / "contents.list")
        listed = sum(" TABLE DATA " in line for line in contents)
        checks = (
            Check("archive unchanged since it was read back", digest.sha256 == remembered, digest.sha256),
            Check(
                "every table's rows are in the archive",
                listed >= len(facts.sizes),
                f"{listed} of {len(facts.sizes)} tables",
            ),
        )
        outputs = {
            "archive": str(archive),
            "archive_sha256": digest.sha256,
            "archive_bytes": digest.bytes,
            "snapshot_facts": str(path),
            "tables": len(facts.sizes),
            "rows": facts.rows,
        }
        return Verification(checks, outputs)

    def undo(self, ctx: StepContext[DumpParams]) -> None:
        """Removes the archive from this machine."""
        children.follow_living(ctx)
        archives.remove(ctx.work / "archive")
        archives.facts_of(ctx.work / "archive").unlink(missing_ok=True)

    def _dump(
        self,
        ctx: StepContext[DumpParams],
        programs: Programs,
        exported: str,
        sizes: dict[str, tuple[int, int]],
    ) -> Snapshot:
        """Runs pg_dump and takes the facts side by side; both see the same snapshot."""
        params, postgres = ctx.params, ctx.tools.postgres
        files = children.new_folder(ctx.work, "client")
        request = DumpRequest(
            programs, params.source, ctx.work / "archive", exported, params.jobs, params.deadline
        )
        stop = Event()
        with postgres.connect(params.source, read_only=True) as watcher, ThreadPoolExecutor(1) as pool:
            progress = CopyProgress(ctx, watcher, "dump", sizes)
            taking = pool.submit(
                snapshot.take,
                postgres,
                params.source,
                snapshot=exported,
                method=params.fingerprint,
                application_role=params.application_role,
                jobs=params.jobs,
                tick=_stopper(stop),
            )
            try:
                command = postgres.dump(request, files)
                folder = children.new_folder(ctx.work, "pg_dump")
                done, errors = children.run(ctx, command, folder, _both(progress.tick, taking))
                children.require_success("pg_dump", done, errors)
                while not taking.done():
                    progress.tick()
                    ctx.channel.sleep(0.05)
            except BaseException:
                stop.set()
                raise
            finally:
                postgres.forget(files)
            progress.all_done()
            return taking.result()

    def _check(self, ctx: StepContext[DumpParams], programs: Programs) -> None:
        """The table of contents alone passes a truncated archive; reading all of it does not."""
        archive, folder = ctx.work / "archive", children.new_folder(ctx.work, "check")
        command = ctx.tools.postgres.check_archive(programs, archive, ctx.params.deadline, ctx.work)
        done, errors = children.run(ctx, command, folder, ctx.channel.check_cancelled)
        if not done.ok or errors:
            raise InDoubt(
                "the archive cannot be read back",
                where=str(archive),
                detail="\n".join(errors[-20:]),
                next="look at disk space and disk health, then retry the step",
            )


def _estimates(session: Session) -> dict[str, tuple[int, int]]:
    return {t.name: (t.rows_estimated, t.bytes) for t in read_tables(session, "record")}


def _stopper(stop: Event) -> Callable[[], None]:
    def tick() -> None:
        if stop.is_set():
            raise Interrupted("the dump was stopped")

    return tick


def _both(tick: Callable[[], None], taking: Future[Snapshot]) -> Callable[[], None]:
    """Ticks, and stops the dump at once when taking the facts failed."""

    def both() -> None:
        tick()
        if taking.done():
            taking.result()

    return both
