"""The whole move of a database on two real servers, each action through its life."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from migrator.contracts.params import SecretRef
from migrator.errors import Refused
from migrator.secrets import REDACTOR, Secret
from phases.db_migration import (
    ApplicationRole,
    Compare,
    DropSetAside,
    Dump,
    Fence,
    Restore,
    Sequences,
    SourceDatabase,
    Swap,
)
from phases.db_migration.application_role import ApplicationRoleParams
from phases.db_migration.compare import CompareParams
from phases.db_migration.drop_set_aside import DropSetAsideParams
from phases.db_migration.dump import DumpParams
from phases.db_migration.facts import SourceDatabaseParams
from phases.db_migration.fence import FenceParams
from phases.db_migration.restore import RestoreParams
from phases.db_migration.sequences import SequencesParams
from phases.db_migration.swap import SwapParams
from tests.phases.database_steps import Bench, Surroundings, perform
from tests.postgres_lab import Lab

pytestmark = pytest.mark.engine

APPLICATION = "habitcraft_app"


@pytest.fixture
def bench(lab: Lab, tmp_path: Path) -> Iterator[Bench]:
    found = Bench(lab, tmp_path)
    yield found
    clean(lab)


def clean(lab: Lab) -> None:
    """Each test leaves the target as it found it, whatever became of it."""
    with lab.clusters.target.connect() as server:
        for (name,) in server.execute(
            "SELECT datname FROM pg_database WHERE datname LIKE 'habitcraft%'"
        ).fetchall():
            server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        server.execute(f"DROP ROLE IF EXISTS {APPLICATION}")
    lab.clusters.create_database("habitcraft", lab.master)


def dump(bench: Bench) -> dict[str, Any]:
    ctx = bench.context("dump", DumpParams(bench.source, application_role=APPLICATION))
    return dict(perform(Dump(), ctx))


def role(bench: Bench) -> None:
    params = ApplicationRoleParams(bench.target, "habitcraft", APPLICATION, "arn:secret")
    perform(ApplicationRole(), bench.context("role", params))


def restore_params(bench: Bench, dumped: dict[str, Any]) -> RestoreParams:
    return RestoreParams(
        bench.target,
        dumped["archive"],
        dumped["archive_sha256"],
        APPLICATION,
        database="habitcraft",
    )


def compare_params(bench: Bench, dumped: dict[str, Any], attempt: str) -> CompareParams:
    return CompareParams(
        bench.source,
        bench.target,
        attempt,
        dumped["snapshot_facts"],
        APPLICATION,
        fenced_at="2026-01-01T00:00:00+00:00",
    )


def test_preflight_facts(bench: Bench) -> None:
    ctx = bench.context("facts", SourceDatabaseParams(bench.source, APPLICATION))
    found = SourceDatabase().verify(ctx)
    assert found.ok, found.checks
    assert found.outputs["tables"] == 12
    assert found.outputs["not_carried"] == ["event trigger note_ddl", "publication figures"]


@pytest.mark.parametrize(
    ("password", "green"), [("devices", False), ("habitcraft", False), ("users", True), ("abits_x", True)]
)
def test_a_password_that_is_a_name_would_mask_it(
    bench: Bench, password: str, green: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of five characters and less are never masked."""
    monkeypatch.setattr(REDACTOR, "_values", set(REDACTOR._values))
    monkeypatch.setattr(REDACTOR, "_pattern", REDACTOR._pattern)
    params = SourceDatabaseParams(bench.source, APPLICATION, SecretRef("env:NAME"))
    ctx = bench.context("facts", params)
    named = Surroundings({}, {**bench.surroundings().secrets, "env:NAME": Secret(password)})
    found = SourceDatabase().verify(replace(ctx, tools=replace(ctx.tools, secrets=named)))
    (check,) = [check for check in found.checks if check.name == "passwords are not names"]
    assert check.ok is green
    assert password not in check.detail


def test_whole_move(bench: Bench) -> None:
    params = FenceParams(bench.source, APPLICATION, SecretRef("env:APP"), quiet=0.3, timeout=10)  # type: ignore[arg-type]
    fence = bench.context("fence", params)
    perform(Fence(), fence)
    try:
        _move(bench)
    finally:
        Fence().undo(bench.again(fence))


def _move(bench: Bench) -> None:
    dumped = dump(bench)
    role(bench)
    restore = bench.context("restore", restore_params(bench, dumped))
    restored = perform(Restore(), restore)
    assert any("EVENT TRIGGER" in item for item in restored["left_out"])
    attempt = restored["attempt_database"]

    compared = Compare().verify(bench.context("compare", compare_params(bench, dumped, attempt)))
    assert compared.ok, [check for check in compared.checks if not check.ok]
    report = compared.report["database"]
    assert report["rows"] == dumped["rows"] > 4_000
    assert report["freeze_seconds"] > 0
    assert {"rows", "large objects", "grants", "planner statistics"} <= {c["name"] for c in report["checks"]}

    sequences = bench.context("sequences", SequencesParams(bench.source, bench.target, attempt))
    assert Sequences().probe(sequences).verdict == "ours"
    assert Sequences().verify(sequences).ok

    swap = bench.context("swap", SwapParams(bench.target, attempt, "habitcraft"))
    swapped = perform(Swap(), swap)
    with pytest.raises(Refused, match="already serves"):
        Restore().undo(bench.again(restore))
    _application_works(bench, "habitcraft")

    drop = bench.context("drop", DropSetAsideParams(bench.target, swapped["set_aside"]))
    assert DropSetAside().preview(drop).changes
    DropSetAside().apply(drop)
    assert DropSetAside().probe(drop).verdict == "ours"
    assert DropSetAside().verify(drop).ok
    with pytest.raises(Refused):
        DropSetAside().undo(drop)
    with pytest.raises(Refused, match="no longer exists"):
        Swap().undo(bench.again(swap))


def _application_works(bench: Bench, database: str) -> None:
    [secret] = bench.aws.versions.values()
    server = bench.lab.clusters.target
    with psycopg.connect(
        host=server.host,
        port=server.port,
        dbname=database,
        user=APPLICATION,
        password=json.loads(secret)["password"],
    ) as app:
        shown = app.execute("SHOW search_path").fetchone()
        assert shown == ("public, reporting",)
        made = app.execute(
            "INSERT INTO habits (user_id, name) VALUES (1, 'Walk') RETURNING id, (SELECT max(id) FROM habits)"
        ).fetchone()
        assert made is not None
        assert made[0] > made[1]
        app.rollback()


def test_dump_life(bench: Bench) -> None:
    ctx = bench.context("dump", DumpParams(bench.source))
    first = perform(Dump(), ctx)
    action = Dump()
    action.undo(bench.again(ctx))
    assert action.probe(bench.again(ctx)).verdict == "absent"
    assert perform(action, bench.again(ctx, 2))["rows"] == first["rows"]
    one = sorted(Path(first["archive"]).iterdir())[-2]
    one.write_bytes(one.read_bytes()[:-3])
    assert action.probe(bench.again(ctx)).verdict == "partial"
    assert not action.verify(bench.again(ctx)).ok
    for path in ctx.work.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path
    assert not list(ctx.work.rglob("pgpass"))


def test_restore_life(bench: Bench) -> None:
    dumped = dump(bench)
    ctx = bench.context("restore", restore_params(bench, dumped))
    action = Restore()
    with pytest.raises(Refused, match="habitcraft_app"):
        action.apply(ctx)
    assert action.probe(ctx).verdict == "absent"
    role(bench)
    perform(action, ctx)
    action.undo(bench.again(ctx))
    assert action.probe(bench.again(ctx)).verdict == "absent"
    assert not action.verify(bench.again(ctx)).ok
    action.undo(bench.again(ctx))
    perform(action, bench.again(ctx, 2))
    assert any(detail["stage"] == "restore" for detail in bench.channels["restore"].details)
    bad = bench.context("bad", restore_params(bench, {**dumped, "archive_sha256": "0" * 64}))
    with pytest.raises(Refused, match="SHA-256"):
        action.apply(bad)


def test_restore_never_touches_a_foreign_database(bench: Bench) -> None:
    dumped = dump(bench)
    role(bench)
    ctx = bench.context("restore", restore_params(bench, dumped))
    perform(Restore(), ctx)
    with bench.lab.clusters.target.connect() as server:
        name = Restore().verify(ctx).outputs["attempt_database"]
        server.execute(f"COMMENT ON DATABASE \"{name}\" IS 'mine'")
    assert Restore().probe(bench.again(ctx)).verdict == "foreign"
    with pytest.raises(Refused, match="not this run's"):
        Restore().apply(bench.again(ctx, 2))


def test_swap_life(bench: Bench) -> None:
    dumped = dump(bench)
    role(bench)
    attempt = perform(Restore(), bench.context("restore", restore_params(bench, dumped)))["attempt_database"]
    ctx = bench.context("swap", SwapParams(bench.target, attempt, "habitcraft"))
    action = Swap()
    perform(action, ctx)
    action.undo(bench.again(ctx))
    assert action.probe(bench.again(ctx)).verdict == "absent"
    aside = perform(action, bench.again(ctx))["set_aside"]
    action.undo(bench.again(ctx))
    _swap_found_half_done(bench, ctx, attempt, aside)


def _swap_found_half_done(bench: Bench, ctx: Any, attempt: str, aside: str) -> None:
    """Both renames are one transaction; whatever else left the pair half renamed is finished all the same."""
    with bench.lab.clusters.target.connect() as server:
        server.execute(f'ALTER DATABASE "{attempt}" ALLOW_CONNECTIONS false')
        assert Swap().probe(bench.again(ctx)).verdict == "partial"
        server.execute(f'ALTER DATABASE habitcraft RENAME TO "{aside}"')
    assert Swap().probe(bench.again(ctx)).verdict == "partial"
    assert not Swap().verify(bench.again(ctx)).ok
    Swap().apply(bench.again(ctx))
    assert Swap().probe(bench.again(ctx)).verdict == "ours"
    assert Swap().verify(bench.again(ctx)).ok


def test_sequences_life(bench: Bench) -> None:
    dumped = dump(bench)
    role(bench)
    attempt = perform(Restore(), bench.context("restore", restore_params(bench, dumped)))["attempt_database"]
    with bench.lab.clusters.target.connect(attempt) as server:
        server.execute("SELECT setval('users_id_seq', 3), setval('invoice_number', 1000, false)")
    action = Sequences()
    ctx = bench.context("sequences", SequencesParams(bench.source, bench.target, attempt))
    assert len(action.preview(ctx).changes) == 2
    assert perform(action, ctx)["moved"] == ['"public"."invoice_number"', '"public"."users_id_seq"']
    action.undo(bench.again(ctx))
    assert action.probe(bench.again(ctx)).verdict == "absent"
    perform(action, bench.again(ctx))


def test_application_role_life(bench: Bench) -> None:
    action = ApplicationRole()
    params = ApplicationRoleParams(bench.target, "habitcraft", APPLICATION, "arn:secret")
    ctx = bench.context("role", params)
    perform(action, ctx)
    action.undo(bench.again(ctx))
    assert action.probe(bench.again(ctx)).verdict == "partial"
    action.apply(bench.again(ctx))
    assert action.verify(bench.again(ctx)).ok
    assert bench.aws.puts == 1
    with bench.lab.clusters.target.connect() as server:
        server.execute(f"ALTER ROLE {APPLICATION} PASSWORD 'another one'")
    assert action.probe(bench.again(ctx)).verdict == "partial"
    with bench.lab.clusters.target.connect() as server:
        server.execute(f"COMMENT ON ROLE {APPLICATION} IS 'somebody else'")
    assert action.probe(bench.again(ctx)).verdict == "foreign"


def test_fence_life(bench: Bench) -> None:
    action = Fence()
    params = FenceParams(bench.source, APPLICATION, SecretRef("env:APP"), quiet=0.3, timeout=10)  # type: ignore[arg-type]
    ctx = bench.context("fence", params)
    facts, server = bench.lab.source, bench.lab.clusters.source
    try:
        with psycopg.connect(
            host=server.host,
            port=server.port,
            dbname=facts.database,
            user=APPLICATION,
            password=facts.application_password.reveal(),
        ) as app:
            app.execute("INSERT INTO users (email, password_hash) VALUES ('late@example.com', 'x')")
            assert perform(action, ctx)["fenced_at"]
            with pytest.raises(psycopg.OperationalError):
                app.execute("SELECT 1")
        action.undo(bench.again(ctx))
        assert action.probe(bench.again(ctx)).verdict == "absent"
        with server.connect(facts.database) as connection:
            settings = connection.execute(
                "SELECT setconfig FROM pg_db_role_setting WHERE setrole = 0 AND setdatabase = "
                "(SELECT oid FROM pg_database WHERE datname = current_database())"
            ).fetchone()
            late = connection.execute(
                "SELECT count(*) FROM users WHERE email = 'late@example.com'"
            ).fetchone()
        assert settings == (["statement_timeout=60s"],)
        assert late == (0,)
        perform(action, bench.again(ctx))
        stranger = bench.context("stranger", params)
        assert action.probe(stranger).verdict == "foreign"
        with server.connect(facts.database) as connection:
            connection.execute("SELECT 1")
            assert "no other session is open" in [
                c.name for c in action.verify(bench.again(ctx)).checks if not c.ok
            ]
    finally:
        action.undo(bench.again(ctx))


def test_fence_sees_a_write_behind_it(bench: Bench) -> None:
    """A superuser passes every fence; the proof shows it."""
    action = Fence()
    ctx = bench.context("fence", FenceParams(bench.source, APPLICATION, quiet=0.5, timeout=1.2))  # type: ignore[arg-type]
    try:
        action.apply(ctx)
        with bench.lab.clusters.source.connect(bench.lab.source.database) as intruder:
            intruder.execute("SET default_transaction_read_only = off")
            calls = iter(range(1_000))

            def write() -> None:
                if next(calls) % 2 == 0:
                    intruder.execute("UPDATE users SET display_name = display_name WHERE id = 1")
                    intruder.execute("SELECT pg_stat_force_next_flush()")

            bench.channels["fence"].cancel = write
            failed = [check.name for check in action.verify(bench.again(ctx)).checks if not check.ok]
        assert "no row changed for 0.5 s" in failed
    finally:
        bench.channels["fence"].cancel = lambda: None
        action.undo(bench.again(ctx))
