"""PostgreSQL: psycopg for queries, the client programs for dump and restore."""

from migrator.tools.postgres.tool import PostgresTool

__all__ = ["PostgresTool"]
