"""The journal: one SQLite file a run, append-only, chained, durable."""

from migrator.journal.store import SqliteJournal

__all__ = ["SqliteJournal"]
