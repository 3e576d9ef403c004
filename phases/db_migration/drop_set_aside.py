"""cleanup.drop_set_aside: removes the database that the swap set aside."""

from __future__ import annotations

from dataclasses import dataclass

from migrator.contracts.action import ActionSpec, Check, Preview, Probe, Verdict, Verification
from migrator.contracts.context import StepContext
from migrator.contracts.postgres import Database
from migrator.errors import Refused
from migrator.model.runbook import EffectClass
from phases.db_migration import marks
from phases.db_migration.doubt import effects_begun
from phases.db_migration.marks import Found


@dataclass(frozen=True)
class DropSetAsideParams:
    """`set_aside` as the swap put it out; empty when there was nothing to set aside."""

    target: Database
    set_aside: str


class DropSetAside:
    """Only a database that carries this run's mark `set_aside`, and takes no connections, is dropped."""

    spec = ActionSpec(
        name="cleanup.drop_set_aside",
        summary="Drops the database that the swap set aside",
        effect=EffectClass.DELETE,
        params=DropSetAsideParams,
        reversible=False,
    )

    def preview(self, ctx: StepContext[DropSetAsideParams]) -> Preview:
        """One database, if it is still there."""
        found = self._found(ctx)
        return Preview((f"drop the database {found.name}",) if found else ())

    def probe(self, ctx: StepContext[DropSetAsideParams]) -> Probe:
        """Gone is done."""
        found = self._found(ctx)
        if found is None:
            return Probe(Verdict.OURS, "there is no such database")
        if problem := _problem(found, ctx.run_id):
            return Probe(Verdict.FOREIGN, problem)
        return Probe(Verdict.ABSENT, f"{found.name} is still there")

    def apply(self, ctx: StepContext[DropSetAsideParams]) -> None:
        """All guards again, then the drop."""
        with ctx.tools.postgres.connect(ctx.params.target, statement_timeout_seconds=0) as session:
            found = marks.databases(session).get(ctx.params.set_aside)
            if found is None:
                return
            if problem := _problem(found, ctx.run_id):
                raise Refused(problem, next="drop it yourself if it is no longer needed")
            with effects_begun():
                marks.drop(session, found.name)

    def verify(self, ctx: StepContext[DropSetAsideParams]) -> Verification:
        """It is gone."""
        return Verification((Check("the set-aside database is gone", self._found(ctx) is None),))

    def undo(self, ctx: StepContext[DropSetAsideParams]) -> None:
        """A dropped database does not come back."""
        if ctx.params.set_aside and self._found(ctx) is None:
            raise Refused(
                "a dropped database cannot be brought back", next="restore it from a snapshot of RDS"
            )

    @staticmethod
    def _found(ctx: StepContext[DropSetAsideParams]) -> Found | None:
        if not ctx.params.set_aside:
            return None
        with ctx.tools.postgres.connect(ctx.params.target, read_only=True) as session:
            return marks.databases(session).get(ctx.params.set_aside)


def _problem(found: Found, run: str) -> str:
    if found.mark is None or found.mark.state != "set_aside" or found.mark.run != run:
        return f"{found.name} was not set aside by this run"
    if found.allows_connections:
        return f"{found.name} takes connections again: somebody may be using it"
    return ""
