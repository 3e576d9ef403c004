"""The default data set has everything that makes a schema hard, and the application can use it."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from migrator.lab.clusters import Clusters
from tests.postgres_lab import Lab

pytestmark = pytest.mark.engine

HARD_THINGS = {
    "identity column": "SELECT 1 FROM pg_attribute WHERE attidentity <> ''",
    "serial column": "SELECT 1 FROM pg_attrdef WHERE pg_get_expr(adbin, adrelid) LIKE 'nextval%'",
    "foreign key": "SELECT 1 FROM pg_constraint WHERE contype = 'f'",
    "constraint not validated": "SELECT 1 FROM pg_constraint WHERE NOT convalidated",
    "exclusion constraint": "SELECT 1 FROM pg_constraint WHERE contype = 'x'",
    "enum": "SELECT 1 FROM pg_enum",
    "domain": "SELECT 1 FROM pg_type WHERE typtype = 'd' AND typnamespace = 'public'::regnamespace",
    "array": "SELECT 1 FROM pg_attribute WHERE attndims > 0 AND attrelid = 'habits'::regclass",
    "jsonb": "SELECT 1 FROM pg_attribute WHERE atttypid = 'jsonb'::regtype AND attrelid = 'users'::regclass",
    "generated column": "SELECT 1 FROM pg_attribute WHERE attgenerated = 's'",
    "partial index": "SELECT 1 FROM pg_index WHERE indpred IS NOT NULL",
    "expression index": "SELECT 1 FROM pg_index WHERE indexprs IS NOT NULL",
    "view": "SELECT 1 FROM pg_class WHERE relkind = 'v' AND relname = 'active_habits'",
    "materialised view": "SELECT 1 FROM pg_class WHERE relkind = 'm'",
    "trigger": "SELECT 1 FROM pg_trigger WHERE NOT tgisinternal AND tgenabled = 'O'",
    "disabled trigger": "SELECT 1 FROM pg_trigger WHERE NOT tgisinternal AND tgenabled = 'D'",
    "partitioned table": "SELECT 1 FROM pg_class WHERE relkind = 'p'",
    "table without a key": "SELECT 1 FROM pg_class WHERE relname = 'activity_log' AND NOT relhasindex OR "
    "NOT EXISTS (SELECT FROM pg_index WHERE indrelid = 'activity_log'::regclass AND indisunique)",
    "large object": "SELECT 1 FROM pg_largeobject_metadata",
    "comment": "SELECT 1 FROM pg_description WHERE objoid = 'completions'::regclass",
    "policy": "SELECT 1 FROM pg_policy",
    "event trigger": "SELECT 1 FROM pg_event_trigger",
    "publication": "SELECT 1 FROM pg_publication",
    "unlogged table": "SELECT 1 FROM pg_class WHERE relpersistence = 'u' AND relkind = 'r'",
    "column grant": "SELECT 1 FROM pg_attribute WHERE attacl IS NOT NULL",
}


@pytest.fixture(scope="module")
def lab(servers: Lab) -> Lab:
    """The two servers, not the whole twin of the other tests here."""
    return servers


def test_everything_hard_is_there(lab: Lab) -> None:
    with lab.clusters.source.connect(lab.source.database) as connection:
        missing = [name for name, query in HARD_THINGS.items() if not connection.execute(query).fetchone()]
    assert missing == []


def test_default_size(tmp_path: Path) -> None:
    clusters = Clusters(tmp_path / "lab")
    clusters.start()
    try:
        facts = clusters.seed()
        with clusters.source.connect(facts.database) as connection:
            found = connection.execute("SELECT sum(n_live_tup) FROM pg_stat_user_tables").fetchone()
            while not found or not found[0]:
                found = connection.execute("SELECT sum(n_live_tup) FROM pg_stat_user_tables").fetchone()
            counted = connection.execute(
                "SELECT (SELECT count(*) FROM users) + (SELECT count(*) FROM habits) "
                "+ (SELECT count(*) FROM completions) + (SELECT count(*) FROM activity_log)"
            ).fetchone()
        assert counted is not None
        assert counted[0] >= 200_000
        _own_data_is_taken(clusters, tmp_path)
    finally:
        clusters.stop()


def _own_data_is_taken(clusters: Clusters, folder: Path) -> None:
    """A second lab is filled from the first one over its address."""
    server = clusters.source
    url = f"postgresql://{server.superuser}:{server.superuser_password.reveal()}@{server.host}:{server.port}/habitcraft"
    other = Clusters(folder / "other")
    other.start()
    try:
        facts = other.seed(source_url=url)
        with other.source.connect(facts.database) as connection:
            owners = connection.execute(
                "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname IN ('public', 'reporting')"
            ).fetchall()
            users = connection.execute("SELECT count(*) FROM users").fetchone()
        assert owners == [(facts.owner_role,)]
        assert users == (2_000,)
    finally:
        other.stop()


def test_the_application_can_do_its_work(lab: Lab) -> None:
    facts, server = lab.source, lab.clusters.source
    with psycopg.connect(
        host=server.host,
        port=server.port,
        dbname=facts.database,
        user=facts.application_role,
        password=facts.application_password.reveal(),
    ) as app:
        user = app.execute(
            "INSERT INTO users (email, password_hash) VALUES (%s, %s) RETURNING id", ["new@example.com", "x"]
        ).fetchone()
        assert user is not None
        habit = app.execute(
            "INSERT INTO habits (user_id, name) VALUES (%s, %s) RETURNING id", [user[0], "Walk"]
        ).fetchone()
        assert habit is not None
        app.execute(
            "INSERT INTO completions (habit_id, client_ref, completed_on) VALUES (%s, gen_random_uuid(), %s)",
            [habit[0], "2026-02-03"],
        )
        app.execute("UPDATE habits SET name = %s WHERE id = %s", ["Walk more", habit[0]])
        app.execute("DELETE FROM users WHERE id = %s", [user[0]])
        left = app.execute("SELECT count(*) FROM completions WHERE habit_id = %s", [habit[0]]).fetchone()
        assert left == (0,)
        app.rollback()
