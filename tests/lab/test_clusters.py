"""The lab's two PostgreSQL servers: they start, they hold little, they end with the process that started them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from migrator.lab.clusters import MASTER_MEMBERSHIPS, Clusters, _wheel
from migrator.secrets import Secret
from tests.postgres_lab import Lab

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def lab(servers: Lab) -> Lab:
    """The two servers, not the whole twin of the other tests here."""
    return servers


def test_master_has_the_rights_of_an_rds_master_and_no_more(lab: Lab) -> None:
    with lab.clusters.target.connect() as connection:
        row = connection.execute(
            "SELECT rolcanlogin, rolcreatedb, rolcreaterole, rolsuper, rolreplication, rolbypassrls "
            "FROM pg_roles WHERE rolname = %s",
            [lab.master],
        ).fetchone()
        assert row == (True, True, True, False, False, False)
        for membership in MASTER_MEMBERSHIPS:
            found = connection.execute(
                "SELECT pg_has_role(%s, %s, 'USAGE')", [lab.master, membership]
            ).fetchone()
            assert found == (True,)


def test_a_wrong_password_is_refused(lab: Lab) -> None:
    server = lab.clusters.target
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(
            host=server.host, port=server.port, user=lab.master, password="wrong", dbname="postgres"
        )


def test_servers_end_when_their_starter_is_killed(tmp_path: Path) -> None:
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom migrator.lab.clusters import Clusters\n"
        "c = Clusters(Path(sys.argv[1]))\nc.start()\n"
        "print(c.source.port, c._base, flush=True)\ntime.sleep(60)\n"
    )
    starter = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "lab")], stdout=subprocess.PIPE, text=True
    )
    assert starter.stdout is not None
    port, base = starter.stdout.readline().split()
    starter.stdout.close()
    assert Path(base).is_dir()
    os.kill(starter.pid, signal.SIGKILL)
    starter.wait()
    deadline = time.monotonic() + 10
    while Path(base).exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(base).exists()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(host="127.0.0.1", port=int(port), dbname="postgres", connect_timeout=2)


def test_the_wheel_serves_where_the_system_has_none(tmp_path: Path) -> None:
    folders = _wheel()
    assert folders, "the extra `postgres` is not installed; make installs it"
    clusters = Clusters(tmp_path / "lab", binaries=folders[0])
    clusters.start()
    try:
        clusters.create_master("someone", Secret("a-password-of-the-lab"))
        facts = clusters.seed(rows=2_000)
        with clusters.source.connect(facts.database) as connection:
            found = connection.execute("SELECT count(*) FROM completions").fetchone()
        assert found == (1_700,)
    finally:
        clusters.stop()
