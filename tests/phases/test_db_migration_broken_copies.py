"""A copy that was altered on purpose: the right check is red, alone, and names what differs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from migrator.contracts.action import Check
from phases.db_migration import Compare, Restore
from tests.phases.database_steps import Bench, perform
from tests.phases.test_db_migration import clean, compare_params, dump, restore_params, role
from tests.postgres_lab import Lab

pytestmark = pytest.mark.engine

BROKEN: dict[str, tuple[str, str, set[str], str]] = {
    "one row altered": (
        "UPDATE users SET display_name = display_name || ' ' WHERE id = 7",
        "UPDATE users SET display_name = left(display_name, -1) WHERE id = 7",
        {"rows"},
        '"public"."users": same number of rows',
    ),
    "scale of a number": (
        "UPDATE subscriptions SET price = 9.900 WHERE price = 9.90 AND price::text = '9.90'",
        "UPDATE subscriptions SET price = 9.90 WHERE price::text = '9.900'",
        {"rows"},
        '"public"."subscriptions"',
    ),
    "one row doubled in a table without a key": (
        "INSERT INTO activity_log SELECT * FROM activity_log ORDER BY at LIMIT 1",
        "DELETE FROM activity_log WHERE ctid = (SELECT max(ctid) FROM activity_log)",
        {"rows"},
        '"public"."activity_log": 400 rows, 401',
    ),
    "index dropped": (
        "DROP INDEX habits_tags",
        "CREATE INDEX habits_tags ON habits USING gin (tags)",
        {"indexes"},
        "missing on the target: public.habits_tags",
    ),
    "trigger disabled": (
        "ALTER TABLE habits DISABLE TRIGGER habits_touch",
        "ALTER TABLE habits ENABLE TRIGGER habits_touch",
        {"triggers"},
        "habits_touch on public.habits",
    ),
    "grant changed": (
        "REVOKE UPDATE ON devices FROM habitcraft_app",
        "GRANT UPDATE ON devices TO habitcraft_app",
        {"grants", "application rights"},
        "public.devices to habitcraft_app",
    ),
    "database's own grant changed": (
        "GRANT CONNECT ON DATABASE {database} TO PUBLIC",
        "REVOKE CONNECT ON DATABASE {database} FROM PUBLIC",
        {"grants"},
        "database itself to PUBLIC",
    ),
    "sequence reset": (
        "SELECT setval('completions_id_seq', 5)",
        "SELECT setval('completions_id_seq', {completions})",
        {"sequence values"},
        '"public"."completions_id_seq": stands at 5, must have reached {completions}',
    ),
    "large object dropped": (
        "SELECT lo_unlink(content) FROM attachments WHERE id = 3",
        (
            "SELECT lo_from_bytea(content, convert_to(repeat(md5('3'), 79), 'UTF8')) FROM attachments WHERE id = 3; "
            "DO $$ BEGIN EXECUTE (SELECT format('GRANT SELECT ON LARGE OBJECT %s TO habitcraft_app', content) "
            "FROM attachments WHERE id = 3); END $$"
        ),
        {"large objects", "grants"},
        "20 on the source, 19 on the target",
    ),
    "constraint no longer valid": (
        (
            "ALTER TABLE habits DROP CONSTRAINT habits_name_length, ADD CONSTRAINT habits_name_length "
            "CHECK (char_length(name) BETWEEN 1 AND 200) NOT VALID"
        ),
        "ALTER TABLE habits VALIDATE CONSTRAINT habits_name_length",
        {"constraints"},
        "public.habits_name_length on public.habits",
    ),
    "function changed": (
        "CREATE OR REPLACE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END '",
        "",
        {"functions"},
        "public.touch()",
    ),
    "view changed": (
        (
            "CREATE OR REPLACE VIEW reporting.busy_users AS SELECT user_id, count(*) + 1 AS habits "
            "FROM active_habits GROUP BY user_id"
        ),
        (
            "CREATE OR REPLACE VIEW reporting.busy_users AS SELECT user_id, count(*) AS habits "
            "FROM active_habits GROUP BY user_id"
        ),
        {"views"},
        "reporting.busy_users",
    ),
    "enum grew": ("ALTER TYPE mood ADD VALUE 'bliss'", "", {"types"}, "public.mood"),
    "policy dropped": (
        "DROP POLICY own_notes ON private_notes",
        "",
        {"policies"},
        "own_notes on public.private_notes",
    ),
    "setting of the database": (
        "ALTER DATABASE {database} SET statement_timeout = '61s'",
        "ALTER DATABASE {database} SET statement_timeout = '60s'",
        {"database settings"},
        "all roles: statement_timeout",
    ),
    "comment changed": (
        "COMMENT ON COLUMN habits.slug IS 'other'",
        "COMMENT ON COLUMN habits.slug IS 'Kept by the database'",
        {"comments"},
        "table column public.habits.slug",
    ),
    "table no longer logged": (
        "ALTER TABLE activity_log SET UNLOGGED",
        "ALTER TABLE activity_log SET LOGGED",
        {"tables"},
        "public.activity_log",
    ),
    "column wider": (
        "ALTER TABLE devices ALTER label TYPE varchar(61)",
        "ALTER TABLE devices ALTER label TYPE varchar(60)",
        {"columns"},
        "public.devices.label: 3 character varying(60)",
    ),
}


@pytest.fixture(scope="module")
def copy(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Bench, dict[str, Any], str]]:
    bench = Bench(lab, tmp_path_factory.mktemp("broken"))
    dumped = dump(bench)
    role(bench)
    attempt = perform(Restore(), bench.context("restore", restore_params(bench, dumped)))["attempt_database"]
    yield bench, dumped, attempt
    clean(lab)


def _red(copy: tuple[Bench, dict[str, Any], str]) -> list[Check]:
    bench, dumped, attempt = copy
    found = Compare().verify(bench.context("compare", compare_params(bench, dumped, attempt)))
    return [check for check in found.checks if not check.ok]


@pytest.mark.parametrize("name", BROKEN)
def test_broken_copy_is_found(name: str, copy: tuple[Bench, dict[str, Any], str]) -> None:
    bench, _, attempt = copy
    damage, repair, expected, named = BROKEN[name]
    with bench.lab.clusters.source.connect(bench.lab.source.database) as source:
        # Other tests of the session may have drawn a number of the sequence: no rollback gives it back.
        reached = source.execute("SELECT last_value FROM completions_id_seq").fetchone()
    assert reached is not None
    values = {"database": f'"{attempt}"', "completions": reached[0]}
    with bench.lab.clusters.target.connect(attempt) as server:
        row = server.execute("SELECT pg_get_functiondef('touch'::regproc)").fetchone()
        assert row is not None
        original = row[0]
        server.execute(damage.format_map(values).encode())
    try:
        red = _red(copy)
    finally:
        # The copy is shared: a test that fails must not make the next ones fail too.
        _mend(bench, attempt, name, repair.format_map(values), original)
    assert {check.name for check in red} == expected
    assert any(named.format_map(values) in check.detail for check in red), red
    assert _red(copy) == []


def _mend(bench: Bench, attempt: str, name: str, repair: str, original: str) -> None:
    with bench.lab.clusters.target.connect(attempt) as server:
        server.execute(f"SET ROLE {bench.lab.master}".encode())
        if repair:
            server.execute(repair.encode())
        if name == "function changed":
            server.execute(original.encode())
        if name == "policy dropped":
            server.execute(
                b"CREATE POLICY own_notes ON private_notes FOR ALL TO habitcraft_app "
                b"USING (user_id = nullif(current_setting('habitcraft.user_id', true), '')::bigint)"
            )
        if name == "enum grew":
            server.execute(b"RESET ROLE")
            server.execute(b"DELETE FROM pg_enum WHERE enumlabel = 'bliss'")


def test_source_written_to_after_the_snapshot(copy: tuple[Bench, dict[str, Any], str]) -> None:
    bench, dumped, _ = copy
    facts = bench.lab.source
    with bench.lab.clusters.source.connect(facts.database) as source:
        source.execute("UPDATE users SET display_name = display_name WHERE id = 1")
        source.execute("SELECT pg_stat_force_next_flush()")
    assert [check.name for check in _red(copy)] == ["source unchanged since the snapshot"]
    assert Path(dumped["snapshot_facts"]).stat().st_mode & 0o077 == 0
