"""db_migration.compare: proves by our own means that the copy equals the source."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from migrator.contracts.action import ActionSpec, Check, Preview, Probe, Verdict, Verification
from migrator.contracts.context import StepContext
from migrator.contracts.postgres import Database
from migrator.model.runbook import EffectClass
from phases.db_migration import comparison, properties, snapshot
from phases.db_migration.fingerprints import Fingerprint, Table
from phases.db_migration.progress import CopyProgress
from phases.db_migration.snapshot import Snapshot


@dataclass(frozen=True)
class CompareParams:
    """`fenced_at`: when the write fence closed (UTC, ISO 8601), for the length of the freeze. `source_frozen`:
    the source must not have been written to since the snapshot.
    """

    source: Database
    target: Database
    attempt_database: str
    snapshot_facts: str
    application_role: str = ""
    fenced_at: str = ""
    source_frozen: bool = True
    jobs: int = 2


class Compare:
    """Every table by fingerprint and every group of the catalogue, target against the dump's snapshot."""

    spec = ActionSpec(
        name="db_migration.compare",
        summary="Compares the copy with the source: rows, catalogue, privileges, sequences",
        effect=EffectClass.READ,
        params=CompareParams,
        outputs={"tables": "Tables compared", "rows": "Rows compared"},
        reprove=False,
    )

    def preview(self, ctx: StepContext[CompareParams]) -> Preview:  # noqa: ARG002
        """Reads only."""
        return Preview(())

    def probe(self, ctx: StepContext[CompareParams]) -> Probe:  # noqa: ARG002
        """A read leaves nothing to find."""
        return Probe(Verdict.ABSENT, "comparing leaves nothing behind")

    def apply(self, ctx: StepContext[CompareParams]) -> None:
        """The comparison is `verify`."""

    def verify(self, ctx: StepContext[CompareParams]) -> Verification:
        """Reads the whole target."""
        params = ctx.params
        expected = snapshot.load(Path(params.snapshot_facts))
        inside = params.target.named(params.attempt_database)
        progress = CopyProgress(ctx, None, "compare", expected.sizes)

        def done(table: Table, found: Fingerprint) -> None:
            progress.done(table.name, found.rows)

        found = snapshot.take(
            ctx.tools.postgres,
            inside,
            snapshot="",
            method=expected.method,
            application_role=params.application_role,
            jobs=params.jobs,
            tick=progress.tick,
            done=done,
        )
        progress.all_done()
        checks = [*comparison.compare(expected, found), self._statistics(ctx, inside)]
        if params.source_frozen:
            checks.append(self._frozen(ctx, expected))
        outputs = {"tables": len(found.sizes), "rows": found.rows}
        database = {
            **outputs,
            "freeze_seconds": self._freeze_seconds(ctx),
            "checks": [{"name": check.name, "ok": check.ok} for check in checks],
        }
        return Verification(tuple(checks), outputs, {"database": database})

    def undo(self, ctx: StepContext[CompareParams]) -> None:
        """Nothing to take back."""

    @staticmethod
    def _statistics(ctx: StepContext[CompareParams], inside: Database) -> Check:
        with ctx.tools.postgres.connect(inside, read_only=True) as session:
            without = properties.without_statistics(session)
        return Check("planner statistics", not without, ", ".join(without[:8]))

    @staticmethod
    def _frozen(ctx: StepContext[CompareParams], expected: Snapshot) -> Check:
        with ctx.tools.postgres.connect(ctx.params.source, read_only=True) as session:
            now = snapshot.read_write_counters(session)
        names = ("inserted", "updated", "deleted")
        moved = [
            f"{after - before} rows {name}"
            for name, before, after in zip(names, expected.write_counters, now, strict=True)
            if after != before
        ]
        return Check("source unchanged since the snapshot", not moved, ", ".join(moved))

    @staticmethod
    def _freeze_seconds(ctx: StepContext[CompareParams]) -> float | None:
        if not ctx.params.fenced_at:
            return None
        since = datetime.fromisoformat(ctx.params.fenced_at)
        return round((ctx.tools.clock.now() - since).total_seconds(), 3)
