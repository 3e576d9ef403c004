"""The PostgreSQL tool: secrets in files only, errors in two kinds, sessions as they are promised."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from migrator.contracts.params import SecretRef
from migrator.contracts.postgres import (
    Database,
    DumpRequest,
    PostgresInDoubt,
    PostgresRefused,
    Programs,
    identifier,
    literal,
)
from migrator.errors import Interrupted, Refused
from migrator.secrets import Secret
from migrator.tools.postgres import PostgresTool
from migrator.tools.postgres.files import write_client_files
from migrator.tools.postgres.programs import choose_programs
from migrator.tools.process import LocalProcesses
from tests.postgres_lab import Lab

PASSWORD = "pass:word\\with-marks"


class Around:
    """Every host leads to one place, every reference to one secret."""

    def __init__(self, host: str, port: int, secret: Secret) -> None:
        self.place, self.secret = (host, port), secret

    def route(self, host: str, port: int) -> tuple[str, int]:
        return self.place

    def resolve(self, reference: str) -> Secret:
        return self.secret


def _database(**changes: Any) -> Database:
    values: dict[str, Any] = {
        "host": "database.example.com",
        "port": 5432,
        "name": "postgres",
        "user": "someone",
        "password": SecretRef("env:PASSWORD"),
        "sslmode": "prefer",
    }
    return Database(**{**values, **changes})


def test_quoting() -> None:
    assert identifier('a"b') == '"a""b"'
    assert literal("it's \\ fine") == "'it''s \\ fine'"
    for quote in (identifier, literal):
        with pytest.raises(ValueError, match="zero byte"):
            quote("a\0b")


def test_no_password_outside_of_a_private_file(tmp_path: Path) -> None:
    around = Around("127.0.0.1", 65_000, Secret(PASSWORD))
    tool = PostgresTool(around, around, LocalProcesses())
    programs = Programs(Path("/x/pg_dump"), Path("/x/pg_restore"), Path("/x/psql"), "15.1")
    request = DumpRequest(programs, _database(sslmode="verify-full"), tmp_path / "a", "snap", 2, 60)
    command = tool.dump(request, tmp_path / "client")
    assert PASSWORD not in " ".join(command.argv)
    assert all(PASSWORD not in value for value in command.environment.values())
    assert "PGPASSWORD" not in command.environment
    service = Path(command.environment["PGSERVICEFILE"])
    passfile = Path(command.environment["PGPASSFILE"])
    assert PASSWORD not in service.read_text()
    assert passfile.read_text() == "*:*:*:*:pass\\:word\\\\with-marks\n"
    for path in (service, passfile):
        assert path.stat().st_mode & 0o777 == 0o600
    assert "host=database.example.com\nport=65000" in service.read_text()
    assert "hostaddr=127.0.0.1" in service.read_text()
    tool.forget(tmp_path / "client")
    assert list((tmp_path / "client").iterdir()) == []


def test_a_parameter_cannot_smuggle_another(tmp_path: Path) -> None:
    with pytest.raises(Refused):
        write_client_files(tmp_path, {"dbname": "x\nsslmode=disable"}, Secret(PASSWORD))
    with pytest.raises(Refused):
        write_client_files(tmp_path, {"dbname": "x"}, Secret("two\nlines"))


def test_client_files_replace_a_planted_link(tmp_path: Path) -> None:
    (tmp_path / "pgpass").symlink_to(tmp_path / "elsewhere")
    write_client_files(tmp_path, {"dbname": "x"}, Secret(PASSWORD))
    assert not (tmp_path / "elsewhere").exists()
    assert not (tmp_path / "pgpass").is_symlink()


def test_programs_fit_the_server() -> None:
    found = [Programs(Path(), Path(), Path(), version) for version in ("14.9", "15.2", "15.18", "18.0")]
    assert choose_programs(found, 15).version == "15.18"
    assert choose_programs(found, 16).version == "18.0"
    assert choose_programs(found, 0).version == "18.0"
    with pytest.raises(Refused, match="19"):
        choose_programs(found, 19)


def test_refused_before_anything_was_sent() -> None:
    around = Around("127.0.0.1", 1, Secret(PASSWORD))
    with (
        pytest.raises(PostgresRefused, match="could not connect"),
        PostgresTool(around, around, LocalProcesses()).connect(_database()),
    ):
        pass


@pytest.fixture
def tool(lab: Lab) -> PostgresTool:
    server = lab.clusters.target
    around = Around(server.host, server.port, lab.master_password)
    return PostgresTool(around, around, LocalProcesses())


@pytest.mark.engine
def test_session_is_pinned(tool: PostgresTool, lab: Lab) -> None:
    with tool.connect(_database(user=lab.master), statement_timeout_seconds=7) as session:
        shown = session.query(
            "SELECT current_setting('TimeZone'), current_setting('search_path'), current_setting('row_security'), "
            "current_setting('statement_timeout'), current_setting('lock_timeout'), "
            "current_setting('application_name'), current_setting('default_transaction_read_only')"
        )
        assert shown == [("UTC", '""', "off", "7s", "5s", "migrator", "off")]
        assert session.query("SELECT %s || '%%'", ["a'b"]) == [("a'b%",)]
        assert session.query("SELECT '%s %'") == [("%s %",)]
    with (
        tool.connect(_database(user=lab.master), read_only=True) as session,
        pytest.raises(PostgresRefused) as error,
    ):
        session.execute("CREATE TABLE public.never (id int)")
    assert error.value.sqlstate == "25006"


@pytest.mark.engine
def test_an_answer_is_refused_and_silence_is_doubt(tool: PostgresTool, lab: Lab) -> None:
    with tool.connect(_database(user=lab.master)) as session:
        with pytest.raises(PostgresRefused, match="division by zero"):
            session.query("SELECT 1/0")
        with lab.clusters.target.connect() as other:
            other.execute("SELECT pg_terminate_backend(%s)", [session.backend_pid])
        with pytest.raises(PostgresInDoubt):
            session.query("SELECT 1")


@pytest.mark.engine
def test_wrong_password_and_no_login_are_told_apart(lab: Lab) -> None:
    server = lab.clusters.target
    around = Around(server.host, server.port, Secret("not the password"))
    tool = PostgresTool(around, around, LocalProcesses())
    with pytest.raises(PostgresRefused) as wrong, tool.connect(_database(user=lab.master)):
        pass
    assert wrong.value.sqlstate == "28P01"
    with server.connect() as superuser:
        superuser.execute("CREATE ROLE closed NOLOGIN PASSWORD 'not the password'")
        with pytest.raises(PostgresRefused) as closed, tool.connect(_database(user="closed")):
            pass
        superuser.execute("DROP ROLE closed")
    assert closed.value.sqlstate == "28000"


@pytest.mark.engine
def test_a_long_query_can_be_cancelled(tool: PostgresTool, lab: Lab) -> None:
    def tick() -> None:
        raise Interrupted("stop")

    began = time.monotonic()
    with tool.connect(_database(user=lab.master)) as session:
        with pytest.raises(Interrupted):
            session.query("SELECT pg_sleep(30)", tick=tick)
        assert session.query("SELECT 1") == [(1,)]
    assert time.monotonic() - began < 10


@pytest.mark.engine
def test_transactions_and_snapshots(tool: PostgresTool, lab: Lab) -> None:
    database = _database(user=lab.master)
    with tool.connect(database) as holder, tool.connect(database) as reader, tool.connect(database) as writer:
        with holder.transaction(frozen=True):
            name = holder.export_snapshot()
            writer.execute("CREATE ROLE seen_later NOLOGIN")
            with reader.transaction(snapshot=name):
                assert reader.query("SELECT count(*) FROM pg_roles WHERE rolname = 'seen_later'") == [(0,)]
        assert reader.query("SELECT count(*) FROM pg_roles WHERE rolname = 'seen_later'") == [(1,)]
        with pytest.raises(PostgresRefused), writer.transaction():
            writer.execute("DROP ROLE seen_later; SELECT 1/0")
        assert reader.query("SELECT count(*) FROM pg_roles WHERE rolname = 'seen_later'") == [(1,)]
        writer.execute("DROP ROLE seen_later")


@pytest.mark.engine
def test_password_reaches_the_server_only_as_a_verifier(tool: PostgresTool, lab: Lab) -> None:
    with tool.connect(_database(user=lab.master)) as session:
        session.execute("CREATE ROLE fresh LOGIN")
        session.set_password("fresh", Secret(PASSWORD))
    server = lab.clusters.target
    around = Around(server.host, server.port, Secret(PASSWORD))
    with PostgresTool(around, around, LocalProcesses()).connect(_database(user="fresh")) as session:
        assert session.query("SELECT current_user::text") == [("fresh",)]
    with server.connect() as superuser:
        row = superuser.execute("SELECT rolpassword FROM pg_authid WHERE rolname = 'fresh'").fetchone()
        superuser.execute("DROP ROLE fresh")
    assert row is not None
    assert row[0].startswith("SCRAM-SHA-256$")
    assert os.environ.get("PGPASSWORD") is None
