"""PostgreSQL: queries, dump and restore."""

from __future__ import annotations

from typing import Protocol


class Postgres(Protocol):
    """PostgreSQL: queries, dump and restore."""
