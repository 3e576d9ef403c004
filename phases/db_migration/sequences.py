"""db_migration.sequences: on the copy, no sequence hands out a value that was used before."""

from __future__ import annotations

from dataclasses import dataclass

from migrator.contracts.action import ActionSpec, Check, Preview, Probe, Verdict, Verification
from migrator.contracts.context import StepContext
from migrator.contracts.postgres import Database, literal
from migrator.errors import Refused
from migrator.model.runbook import EffectClass
from phases.db_migration import comparison, marks
from phases.db_migration.doubt import effects_begun
from phases.db_migration.snapshot import SequenceValue, read_sequences

Values = dict[str, SequenceValue]


@dataclass(frozen=True)
class SequencesParams:
    """`source` and `target` as in the other steps; `attempt_database` holds the copy."""

    source: Database
    target: Database
    attempt_database: str


class Sequences:
    """Moves each sequence of the copy to the source's value and its own column's largest, where it stands behind."""

    spec = ActionSpec(
        name="db_migration.sequences",
        summary="Brings the copy's sequences level with the source",
        effect=EffectClass.SWAP,
        params=SequencesParams,
        outputs={"sequences": "Sequences compared", "moved": "Sequences that this step moved"},
    )

    def preview(self, ctx: StepContext[SequencesParams]) -> Preview:
        """Which stand behind."""
        behind = comparison.behind(*self._read(ctx))
        return Preview(tuple(f"{name}: {problem}" for name, problem in behind.items()))

    def probe(self, ctx: StepContext[SequencesParams]) -> Probe:
        """Nothing behind: done, whoever did it."""
        source, target = self._read(ctx)
        behind = comparison.behind(source, target)
        if missing := [name for name in behind if name not in target]:
            return Probe(Verdict.UNKNOWN, f"missing on the target: {', '.join(missing)}")
        if behind:
            return Probe(Verdict.ABSENT, f"{len(behind)} sequences stand behind")
        return Probe(Verdict.OURS, f"all {len(source)} sequences stand at or after the source")

    def apply(self, ctx: StepContext[SequencesParams]) -> None:
        """Remembers each value before it is moved."""
        source, target = self._read(ctx)
        behind = comparison.behind(source, target)
        if missing := [name for name in behind if name not in target]:
            raise Refused(f"sequences are missing on the target: {', '.join(missing)}", next="restore again")
        kept = dict(ctx.memory.get("before", {}))
        for name in behind:
            kept.setdefault(name, [target[name].last_value, target[name].is_called])
        ctx.channel.remember({"before": kept})
        with effects_begun(), ctx.tools.postgres.connect(self._inside(ctx)) as session:
            for name in behind:
                value = comparison.needed(source[name], target[name])
                session.query("SELECT setval(%s::regclass, %s, true)", [name, value])

    def verify(self, ctx: StepContext[SequencesParams]) -> Verification:
        """Reads both sides again."""
        source, target = self._read(ctx)
        check = comparison.sequence_values(source, target)
        enough = Check("sequences were compared", bool(source) or not target, str(len(source)))
        moved = sorted(ctx.memory.get("before", {}))
        return Verification((check, enough), {"sequences": len(source), "moved": moved})

    def undo(self, ctx: StepContext[SequencesParams]) -> None:
        """Sets back what this step moved; the copy is not in use."""
        with ctx.tools.postgres.connect(ctx.params.target, read_only=True) as server:
            if ctx.params.attempt_database not in marks.databases(server):
                return
        with ctx.tools.postgres.connect(self._inside(ctx)) as session:
            for name, (last_value, is_called) in ctx.memory.get("before", {}).items():
                called = "true" if is_called else "false"
                session.query(f"SELECT setval({literal(name)}::regclass, {int(last_value)}, {called})")

    @staticmethod
    def _inside(ctx: StepContext[SequencesParams]) -> Database:
        return ctx.params.target.named(ctx.params.attempt_database)

    def _read(self, ctx: StepContext[SequencesParams]) -> tuple[Values, Values]:
        postgres = ctx.tools.postgres
        with postgres.connect(ctx.params.source, read_only=True, statement_timeout_seconds=0) as session:
            source = read_sequences(session, ctx.channel.check_cancelled)
        with postgres.connect(self._inside(ctx), read_only=True, statement_timeout_seconds=0) as session:
            target = read_sequences(session, ctx.channel.check_cancelled)
        return source, target
