"""The database's move: write fence, dump, restore, comparison, sequences, swap."""

from __future__ import annotations

from phases.db_migration.application_role import ApplicationRole
from phases.db_migration.compare import Compare
from phases.db_migration.drop_set_aside import DropSetAside
from phases.db_migration.dump import Dump
from phases.db_migration.facts import SourceDatabase
from phases.db_migration.fence import Fence
from phases.db_migration.restore import Restore
from phases.db_migration.sequences import Sequences
from phases.db_migration.swap import Swap

ACTIONS = (
    SourceDatabase(),
    Fence(),
    Dump(),
    ApplicationRole(),
    Restore(),
    Compare(),
    Sequences(),
    Swap(),
    DropSetAside(),
)

__all__ = [
    "ACTIONS",
    "ApplicationRole",
    "Compare",
    "DropSetAside",
    "Dump",
    "Fence",
    "Restore",
    "Sequences",
    "SourceDatabase",
    "Swap",
]
