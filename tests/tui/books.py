"""A runbook with everything that the screens can show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from migrator.model.runbook import (
    AutoApprove,
    CostLine,
    Gate,
    Phase,
    PointOfNoReturn,
    Runbook,
    Step,
    StepKind,
    Wait,
)

_EXPECTED = {"database": 720.0, "network": 60.0, "certificate": 180.0, "restore": 120.0, "dump": 60.0}


def _step(phase: str, name: str, title: str, action: str, *needs: str, **more: Any) -> Step:
    return Step(
        id=name,
        phase=phase,
        kind=more.pop("kind", StepKind.ACTION),
        title=title,
        why=more.pop(
            "why", "A missing piece found now costs a minute. Found in the night it costs the night."
        ),
        proof=more.pop("proof", "The world is read again and is as it must be."),
        back=more.pop("back", "Undo takes back what this run made, and nothing else."),
        needs=needs,
        action=action,
        params=more.pop("params", {}),
        expected_seconds=_EXPECTED.get(name, 5.0),
        **more,
    )


def _gate(phase: str, name: str, title: str, *needs: str, gate: Gate, **more: Any) -> Step:
    return _step(phase, name, title, "", *needs, kind=StepKind.GATE, gate=gate, **more)


def _stack(name: str) -> dict[str, Any]:
    return {
        "stack": f"habitcraft/{name}",
        "bucket": "${steps.backend.bucket}",
        "variables": {"project": "habitcraft"},
    }


def habits(file: str = "habitcraft.yaml", *, confirm: str = "switch example.com") -> Runbook:
    """A short migration in the shape of the first system's."""
    preflight = Phase(
        "preflight",
        "Look before anything changes",
        "Reads only",
        (
            _step(
                "preflight", "check_tools", "Check the programs on this machine", "preflight.tools", line=12
            ),
            _step(
                "preflight",
                "check_source",
                "Check the database that is in use",
                "preflight.source_database",
                line=20,
            ),
            _gate(
                "preflight",
                "approve_start",
                "Decide whether to build the new platform",
                "check_tools",
                "check_source",
                gate=Gate(
                    "Everything looks ready. Build the new platform beside the old one?",
                    "Building starts. Users notice nothing.",
                    "The run stops here. Nothing has changed.",
                    evidence=("check_tools", "check_source"),
                    auto=AutoApprove.REHEARSAL,
                    max_age_seconds=300.0,
                ),
                line=30,
            ),
        ),
    )
    build = Phase(
        "infrastructure",
        "Build the new platform beside the old",
        "Users still use the old platform",
        (
            _step(
                "infrastructure",
                "backend",
                "Make the state bucket and its lock table",
                "state_bootstrap.backend",
                "approve_start",
                params={
                    "bucket": "habitcraft-terraform-state-${run.account}",
                    "lock_table": "habitcraft-locks",
                },
                line=40,
            ),
            _step(
                "infrastructure",
                "network",
                "Build the network",
                "parallel_infra.stack",
                "backend",
                params=_stack("network"),
                line=52,
            ),
            _step(
                "infrastructure",
                "certificate",
                "Get the TLS certificate",
                "parallel_infra.stack",
                "backend",
                params=_stack("certificate"),
                line=60,
            ),
            _step(
                "infrastructure",
                "database",
                "Create the new database server",
                "parallel_infra.stack",
                "network",
                params={**_stack("database"), "subnets": "${steps.network.private_subnet_ids}"},
                line=70,
            ),
        ),
        after=("preflight",),
    )
    move = Phase(
        "database_move",
        "Move the database in the maintenance window",
        "Users wait",
        (
            _gate(
                "database_move",
                "open_window",
                "Decide whether to begin the maintenance window",
                "database",
                "certificate",
                gate=Gate(
                    "Begin the maintenance window now?",
                    "Writes stop at once.",
                    "Nothing stops.",
                    evidence=("check_source",),
                ),
                line=90,
            ),
            _step(
                "database_move",
                "fence",
                "Stop writes to the old database",
                "db_migration.fence",
                "open_window",
                downtime="starts",
                line=100,
            ),
            _step(
                "database_move",
                "dump",
                "Copy the old database into an archive",
                "db_migration.dump",
                "fence",
                line=110,
            ),
            _step(
                "database_move",
                "restore",
                "Restore the archive into a fresh database",
                "db_migration.restore",
                "dump",
                params={"archive": "${steps.dump.archive}"},
                line=120,
            ),
            _step(
                "database_move",
                "compare",
                "Compare both databases",
                "db_migration.compare",
                "restore",
                line=130,
            ),
        ),
        after=("infrastructure",),
    )
    cutover = Phase(
        "dns_cutover",
        "Switch DNS to the new platform",
        "The point of no return",
        (
            _gate(
                "dns_cutover",
                "approve_cutover",
                "Decide whether to switch",
                "compare",
                gate=Gate(
                    "All data is in the new database and compared. Switch users over?",
                    "www and api lead to the new load balancer, in one change. The maintenance window ends.",
                    "Users keep waiting until you decide. Undoing the fence brings the old platform back.",
                    evidence=("check_tools", "check_source"),
                    confirm=confirm,
                ),
                ponr=PointOfNoReturn.NEW_WRITES,
                line=150,
            ),
            _step(
                "dns_cutover",
                "cutover",
                "Point www and api at the new load balancer",
                "dns_cutover.cutover",
                "approve_cutover",
                downtime="ends",
                line=160,
            ),
            _step(
                "dns_cutover",
                "soak",
                "Wait until the old answers are forgotten",
                "",
                "cutover",
                kind=StepKind.WAIT,
                wait=Wait(86_400.0, "Resolvers may still keep the old answers.", rehearsal_seconds=4.0),
                line=170,
            ),
            _step(
                "dns_cutover",
                "remove",
                "Delete the old services",
                "cleanup.delete_lightsail_service",
                "soak",
                ponr=PointOfNoReturn.DELETION,
                line=180,
            ),
        ),
        after=("database_move",),
    )
    return Runbook(
        "habitcraft",
        "habitcraft from Lightsail containers to EC2 behind a load balancer",
        "Moves a habit tracker with two containers and a PostgreSQL database.",
        (),
        (preflight, build, move, cutover),
        {},
        (CostLine("Compute", 14, 22.5), CostLine("Load balancer", 0, 16), CostLine("Database", 13, 13)),
        "0" * 64,
        file,
    )


def written(folder: Path) -> Runbook:
    """The same, with a file that an editor can open."""
    path = folder / "habitcraft.yaml"
    path.write_text("\n".join(f"line {number}" for number in range(1, 200)) + "\n", encoding="utf-8")
    return habits(str(path))
