"""Measured silence of an old database and its containers, on a real PostgreSQL."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from migrator.contracts.params import Seconds, SecretRef
from migrator.contracts.postgres import Database
from migrator.errors import Refused
from migrator.tools.aws import BotoAws
from migrator.tools.postgres import PostgresTool
from migrator.tools.process import LocalProcesses
from migrator.tools.reach import DirectReach
from migrator.tools.secret_store import ReferencedSecrets
from phases.cleanup.silence import Silence, SilenceParams
from tests.phases.lightsail import held, make_service
from tests.phases.world import Step, bad
from tests.postgres_lab import Lab

pytestmark = pytest.mark.engine


@pytest.fixture
def open_role(lab: Lab) -> Iterator[str]:
    """The application's role; it may log in."""
    yield lab.source.application_role
    with lab.clusters.source.connect() as admin:
        admin.execute(sql.SQL("ALTER ROLE {} LOGIN").format(sql.Identifier(lab.source.application_role)))


def step(lab: Lab, work: Path, aws: Any = None, window: float = 1.0, **more: Any) -> Step:
    server = lab.clusters.source
    source = Database(
        server.host, server.port, lab.source.database, lab.source.admin_role, SecretRef("env:OLD"), "prefer"
    )
    secrets = ReferencedSecrets(aws, {"OLD": lab.source.admin_password.reveal()})
    postgres = PostgresTool(DirectReach(), secrets, LocalProcesses())
    role = more.pop("role", lab.source.application_role)
    params = SilenceParams(source, role, Seconds(window), **more)
    each = Step(Silence(), params, work, {"aws": aws, "postgres": postgres})
    each.notebook.on_sleep = lambda: time.sleep(0.15)
    return each


def application(lab: Lab) -> Any:
    """A connection of the application."""
    server = lab.clusters.source
    return psycopg.connect(
        host=server.host,
        port=server.port,
        dbname=lab.source.database,
        user=lab.source.application_role,
        password=lab.source.application_password.reveal(),
    )


def settle() -> None:
    """The server publishes a session's counters a little later."""
    time.sleep(1.2)


def test_silent(lab: Lab, open_role: str, tmp_path: Path) -> None:
    settle()
    each = step(lab, tmp_path)
    each.notebook.on_sleep = lambda: time.sleep(0.4)
    done = each.verify()
    assert done.ok, bad(done)
    assert done.outputs["sessions_opened"] == done.outputs["rows_written"] == 0
    assert done.outputs["containers_measured"] is False


def test_a_fenced_role_is_silent_even_when_others_look(lab: Lab, open_role: str, tmp_path: Path) -> None:
    with lab.clusters.source.connect() as admin:
        admin.execute(sql.SQL("ALTER ROLE {} NOLOGIN").format(sql.Identifier(open_role)))
    settle()
    each = step(lab, tmp_path)

    def look() -> None:
        lab.clusters.source.connect(lab.source.database).close()
        time.sleep(0.2)

    each.notebook.on_sleep = look
    done = each.verify()
    assert done.ok, bad(done)
    assert done.outputs["sessions_opened"] > 0


def test_a_session_is_not_silence(lab: Lab, open_role: str, tmp_path: Path) -> None:
    with application(lab):
        red = bad(step(lab, tmp_path).verify())
    assert any(f"{open_role} has no session" in line for line in red)


def test_an_open_transaction_is_not_silence(lab: Lab, open_role: str, tmp_path: Path) -> None:
    with application(lab) as connection:
        connection.execute("SELECT 1")
        red = bad(step(lab, tmp_path).verify())
    assert any(f"{open_role} has no transaction" in line for line in red)


def test_a_visit_between_two_looks_is_seen(lab: Lab, open_role: str, tmp_path: Path) -> None:
    settle()
    each = step(lab, tmp_path, window=4.0)
    visits: list[int] = []

    def visit() -> None:
        if len(visits) == 3:
            application(lab).close()
        visits.append(1)
        time.sleep(0.15)

    each.notebook.on_sleep = visit
    assert any("did not come unseen" in line for line in bad(each.verify()))


def test_rows_written_are_seen(lab: Lab, open_role: str, tmp_path: Path) -> None:
    with lab.clusters.source.connect(lab.source.database) as admin:
        admin.execute("CREATE TABLE public.noise (n int)")
        settle()
        each = step(lab, tmp_path, window=4.0)
        written: list[int] = []

        def write() -> None:
            if len(written) == 3:
                admin.execute("INSERT INTO public.noise VALUES (1)")
            written.append(1)
            time.sleep(0.15)

        each.notebook.on_sleep = write
        try:
            assert "no row was written: 1 rows" in bad(each.verify())
        finally:
            admin.execute("DROP TABLE public.noise")


def test_a_role_that_is_not_there_proves_nothing(lab: Lab, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no role nobody"):
        step(lab, tmp_path, role="nobody").verify()


def test_containers_are_idle_busy_or_unknown(lab: Lab, open_role: str, aws: BotoAws, tmp_path: Path) -> None:
    settle()
    make_service(aws, "backend", {})
    service = held("backend")
    service.created -= 3_600
    each = step(lab, tmp_path, aws, window=300.0, services=("backend",))
    each.notebook.on_sleep = lambda: time.sleep(0.05)
    now = time.time()
    each.notebook.time = each.notebook.time.fromtimestamp(now - 310, tz=each.notebook.time.tzinfo)
    done = each.verify()
    assert not [line for line in bad(done) if "idle" in line]
    assert done.outputs["containers_measured"] is True
    service.traffic.append((now - 120, 60 * 40))
    each.notebook.time = each.notebook.time.fromtimestamp(now - 310, tz=each.notebook.time.tzinfo)
    assert any("backend is idle: at most 20.1 % CPU" in line for line in bad(each.verify()))
    service.created = now + 3_600
    each.notebook.time = each.notebook.time.fromtimestamp(now - 310, tz=each.notebook.time.tzinfo)
    assert "backend is idle: no data" in bad(each.verify())
