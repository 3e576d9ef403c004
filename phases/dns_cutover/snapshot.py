"""Keeps a copy of the zone in a file, and proves that the names can be moved."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from migrator.contracts.action import ActionSpec, Check, Verification
from migrator.contracts.context import StepContext
from migrator.model.runbook import EffectClass
from phases.dns_cutover.exchange import asked_names, open_zone
from phases.dns_cutover.records import at, describe, directing, longest_ttl_seconds, obstacles
from phases.verify.reading import ReadOnly


@dataclass(frozen=True)
class SnapshotParams:
    """The zone, and the names that shall be moved later."""

    hosted_zone_id: str
    names: tuple[str, ...]


class Snapshot(ReadOnly[SnapshotParams]):
    """Reads the whole zone into a file of the step's folder (JSON, 0600, named by its SHA-256)."""

    spec = ActionSpec(
        name="dns_cutover.snapshot",
        summary="Keep a copy of the DNS zone and check that its names can be moved",
        effect=EffectClass.READ,
        params=SnapshotParams,
        outputs={
            "records": "The records of the names",
            "longest_ttl_seconds": "The longest TTL among them, in seconds",
            "file": "The copy of the whole zone",
            "sha256": "Its SHA-256",
            "zone_records": "How many record sets the zone has",
        },
        reprove=False,
    )

    def verify(self, ctx: StepContext[SnapshotParams]) -> Verification:
        """Writes the copy, reads it back, and looks at each name."""
        zone = open_zone(ctx, ctx.params.hosted_zone_id)
        names = asked_names(ctx.params)
        everything = zone.records()
        blocking = obstacles(names, everything, zone.zone_name())
        here = directing((r for r in everything if r.name in names), zone.zone_name())
        content = json.dumps(
            {
                "zone": zone.zone_name(),
                "hosted_zone_id": ctx.params.hosted_zone_id,
                "name_servers": list(zone.name_servers()),
                "records": [r.to_json() for r in sorted(everything, key=lambda r: (r.name, r.kind, str(r)))],
            },
            indent=1,
            sort_keys=True,
        ).encode()
        digest = hashlib.sha256(content).hexdigest()
        file = _keep(ctx.work, digest, content)
        intact = hashlib.sha256(file.read_bytes()).hexdigest() == digest
        return Verification(
            checks=(
                Check("the zone was read", bool(everything), f"{len(everything)} record sets"),
                Check("the copy reads back whole", intact, str(file)),
                *(
                    Check(
                        f"{name} can be moved",
                        not any(_about(name, b) for b in blocking),
                        "; ".join(b for b in blocking if _about(name, b)) or describe(at(here, name)),
                    )
                    for name in names
                ),
            ),
            outputs={
                "records": [{"name": r.name, "record": describe([r]), "ttl_seconds": r.ttl} for r in here],
                "longest_ttl_seconds": longest_ttl_seconds(here),
                "file": str(file),
                "sha256": digest,
                "zone_records": len(everything),
            },
        )


def _about(name: str, obstacle: str) -> bool:
    return obstacle.startswith((f"{name} ", f"{name}:"))


def _keep(folder: Path, digest: str, content: bytes) -> Path:
    """Writes durably under a name of its own; an earlier copy with other content is never replaced."""
    file = folder / f"zone-{digest[:16]}.json"
    unfinished = file.with_suffix(".part")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    unfinished.replace(file)
    return file
