"""One pair of real PostgreSQL servers for all tests of a session; each test may take a fresh source database."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from migrator.lab.clusters import Clusters
from migrator.lab.dataset import SourceFacts
from migrator.secrets import Secret


@dataclass(frozen=True)
class Lab:
    """Servers, the seeded source, and the target's master user."""

    clusters: Clusters
    source: SourceFacts
    master: str
    master_password: Secret


@contextmanager
def started(folder: Path, rows: int = 4_000) -> Iterator[Lab]:
    """Two servers, a small seeded source, and a master with an empty `habitcraft` on the target."""
    clusters = Clusters(folder)
    clusters.start()
    try:
        facts = clusters.seed(rows=rows)
        password = Secret(secrets.token_urlsafe(18))
        clusters.create_master("migrator_master", password)
        clusters.create_database(facts.database, "migrator_master")
        yield Lab(clusters, facts, "migrator_master", password)
    finally:
        clusters.stop()
