"""Emulated database instances made real: the old one leads to the source cluster, a new one to the target cluster."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import psycopg
from psycopg import sql

from migrator.lab.aws.link import EmulatorError, EmulatorLink
from migrator.lab.names import Names, Target
from migrator.secrets import Secret

if TYPE_CHECKING:
    from migrator.lab.clusters import Server


class TwoClusters(Protocol):
    """What this module needs of the lab's two clusters."""

    @property
    def source(self) -> Server:
        """The server of the old platform."""

    @property
    def target(self) -> Server:
        """The server of the new platform."""

    def create_master(self, username: str, password: Secret) -> None:
        """Make the target's master user."""

    def set_master_password(self, username: str, password: Secret) -> None:
        """Change the master's password."""

    def create_database(self, name: str, owner: str) -> None:
        """Make an empty database on the target."""


class DatabaseInstances:
    """Follows the emulated instances; `problems` says what could not be done, by instance."""

    def __init__(self, clusters: TwoClusters, names: Names, link: EmulatorLink, old_instance: str) -> None:
        self._clusters = clusters
        self._names = names
        self._link = link
        self._old = old_instance
        self._made: dict[str, tuple[str, str]] = {}
        self._passwords: dict[str, str] = {}
        self.problems: dict[str, str] = {}

    def follow(self, databases: list[dict[str, Any]]) -> None:
        """Make what has appeared, forget what has gone."""
        present = {entry["id"] for entry in databases}
        for entry in databases:
            if entry["id"] not in self._made:
                self._appear(entry)
            elif entry["id"] != self._old:
                self._follow_password(entry)
        for identity in set(self._made) - present:
            self._vanish(identity)

    def server_at(self, port: int) -> Server | None:
        """The cluster that listens on a loopback port."""
        for server in (self._clusters.source, self._clusters.target):
            if server.port == port:
                return server
        return None

    def _appear(self, entry: dict[str, Any]) -> None:
        identity, address = entry["id"], entry["address"]
        if identity == self._old:
            self._made[identity] = (address, "")
            self._names.fix(address, Target("old", identity, {entry["port"]: self._clusters.source.port}))
            return
        if entry["status"] == "creating":
            return
        try:
            username, password = self._credentials(entry)
            self._clusters.create_master(username, Secret(password))
            if entry["name"]:
                self._clusters.create_database(entry["name"], username)
        except (EmulatorError, psycopg.Error, KeyError, ValueError) as error:
            self.problems[identity] = f"{type(error).__name__}: {error}"
            return
        self.problems.pop(identity, None)
        self._made[identity] = (address, username)
        self._passwords[identity] = password
        self._names.fix(address, Target("new", identity, {entry["port"]: self._clusters.target.port}))

    def _credentials(self, entry: dict[str, Any]) -> tuple[str, str]:
        if entry["secret_arn"]:
            document = json.loads(self._link.secret(entry["secret_arn"]))
            return str(document["username"]), str(document["password"])
        return str(entry["master_username"]), str(entry["master_password"])

    def _follow_password(self, entry: dict[str, Any]) -> None:
        # asked only when the instance is being changed: a secret is not read once a second for nothing
        if entry["status"] == "available" or not entry["secret_arn"]:
            return
        username, password = self._credentials(entry)
        if password != self._passwords[entry["id"]]:
            self._clusters.set_master_password(username, Secret(password))
            self._passwords[entry["id"]] = password

    def _vanish(self, identity: str) -> None:
        address, _ = self._made.pop(identity)
        self._names.unfix(address)
        if identity != self._old:
            _empty(self._clusters.target)


def _empty(server: Server) -> None:
    """A deleted instance takes its databases and roles with it."""
    with server.connect() as connection, contextlib.suppress(psycopg.Error):
        names = connection.execute(
            "SELECT datname FROM pg_database WHERE NOT datistemplate AND datname <> 'postgres'"
        ).fetchall()
        for (name,) in names:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
        roles = connection.execute(
            "SELECT rolname FROM pg_roles WHERE rolname <> current_user AND rolname !~ '^pg_' ORDER BY oid DESC"
        ).fetchall()
        for (name,) in roles:
            connection.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(name)))
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def client_refs(server: Server, database: str) -> dict[str, int]:
    """How often each client's write id is in a database's completions."""
    with server.connect(database) as connection:
        row = connection.execute(
            "SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE c.relname = 'completions' AND c.relkind IN ('r', 'p') LIMIT 1"
        ).fetchone()
        if row is None:
            return {}
        statement = sql.SQL("SELECT client_ref::text, count(*) FROM {} WHERE note = 'lab' GROUP BY 1")
        table = sql.Identifier(str(row[0]), "completions")
        return {str(ref): int(count) for ref, count in connection.execute(statement.format(table))}


def ensure_tables(server: Server, database: str, owner: str, application: str) -> bool:
    """Make the application's tables where the operator's own data has none; tells whether it did."""
    with server.connect(database) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
            " WHERE c.relname = 'completions' AND c.relkind IN ('r', 'p') AND a.attname = 'client_ref'"
        ).fetchone()
        if row and row[0]:
            return False
        text = (Path(__file__).parent / "traffic_tables.sql").read_text(encoding="utf-8")
        connection.execute("CREATE SCHEMA migrator_lab")
        for statement in filter(str.strip, text.split(";")):
            connection.execute(statement.encode())
        own, use = sql.Identifier(owner), sql.Identifier(application)
        connection.execute(sql.SQL("ALTER SCHEMA migrator_lab OWNER TO {}").format(own))
        for table in ("users", "habits", "completions"):
            full = sql.Identifier("migrator_lab", table)
            connection.execute(sql.SQL("ALTER TABLE {} OWNER TO {}").format(full, own))
        connection.execute(sql.SQL("GRANT USAGE ON SCHEMA migrator_lab TO {}").format(use))
        connection.execute(
            sql.SQL("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA migrator_lab TO {}").format(
                use
            )
        )
    return True
