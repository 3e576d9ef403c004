"""Migration files, and the values that a run and a rehearsal get."""

from __future__ import annotations

from pathlib import Path

import pytest

from migrator.errors import InvalidRunbook, UsageError
from migrator.loading.migration import Difference, differences, find_runbook, load_migration, resolve_values
from migrator.model.runbook import Runbook
from tests.loading.books import changed, load

VARIABLES = """\
variables:
  domain: {type: domain, description: The domain, rehearsal: example.com}
  zone: {type: string, description: The zone, pattern: "Z[0-9]+", rehearsal_from: lab}
  size: {type: integer, description: A number, default: 3}
  rate: {type: number, description: A rate, default: 1.5}
  careful: {type: boolean, description: Careful, default: no}
  pause: {type: duration, description: A pause, default: 24h, rehearsal: 5s}
  mode: {type: choice, description: A mode, choices: [fast, safe], default: safe}
  zones: {type: list, description: Zones, default: [a, b]}
  extra: {type: map, description: More, required: false}
  secret: {type: secret_ref, description: A password, default: "env:PASSWORD"}
  version: {type: string, description: A version, default: 1.10}
"""


@pytest.fixture
def runbook(tmp_path: Path) -> Runbook:
    start, end = changed().index("variables:"), changed().index("phases:")
    wait = """        wait:
          for: 10m
          at_least: 1h
          reason: Something passes.
          rehearsal: 2s
"""
    text = changed()[:start] + VARIABLES + changed()[end:]
    cut = text.index("        gate:\n"), text.index("  - id: build")
    return load(tmp_path, text[: cut[0]] + wait + text[cut[1] :])


def test_a_run_takes_given_values_and_defaults(runbook: Runbook) -> None:
    values, provenance = resolve_values(
        runbook, {"domain": "habits.example", "zone": "Z1", "size": "7"}, "run"
    )
    assert values == {
        "domain": "habits.example",
        "zone": "Z1",
        "size": 7,
        "rate": 1.5,
        "careful": False,
        "pause": 86_400.0,
        "mode": "safe",
        "zones": ["a", "b"],
        "extra": None,
        "secret": "env:PASSWORD",
        "version": "1.10",
    }
    assert (provenance["domain"], provenance["rate"], provenance["extra"]) == ("given", "default", "none")


def test_a_rehearsal_takes_its_own_and_the_twins(runbook: Runbook) -> None:
    given = {"domain": "habits.example", "zone": "Z1", "mode": "fast"}
    values, provenance = resolve_values(runbook, given, "rehearse", lab={"zone": "Z99"})
    assert (values["domain"], values["zone"], values["pause"], values["mode"]) == (
        "example.com",
        "Z99",
        5.0,
        "fast",
    )
    assert (provenance["domain"], provenance["zone"], provenance["mode"]) == ("rehearsal", "lab", "given")
    assert differences(runbook, values, given) == (
        Difference("variable", "domain", "habits.example", "example.com"),
        Difference("variable", "zone", "Z1", "Z99"),
        Difference("variable", "pause", 86_400.0, 5.0),
        Difference("wait", "decide", 3_600.0, 2.0),
    )


def test_before_the_twin_stands_its_values_are_left_out(runbook: Runbook) -> None:
    values, _ = resolve_values(runbook, {}, "rehearse")
    assert "zone" not in values
    with pytest.raises(InvalidRunbook, match="the twin did not give a value for 'zone'"):
        resolve_values(runbook, {}, "rehearse", lab={})


def test_every_bad_value_is_told_with_its_place(runbook: Runbook, tmp_path: Path) -> None:
    (tmp_path / "migration.yaml").write_text(
        """\
format: 1
runbook: ./book.yaml
values:
  zone: X1
  size: many
  mode: fats
  sizes: 3
  secret: hunter2
""",
        encoding="utf-8",
    )
    migration = load_migration(tmp_path / "migration.yaml")
    assert migration.runbook == tmp_path / "book.yaml"
    with pytest.raises(InvalidRunbook) as caught:
        resolve_values(runbook, migration.values, "run", file="migration.yaml")
    assert [str(problem) for problem in caught.value.problems] == [
        "migration.yaml:0:0: a value for 'domain' is missing: The domain",
        "migration.yaml:4:9: 'X1' does not match the pattern Z[0-9]+",
        "migration.yaml:5:9: 'many' is not a whole number",
        "migration.yaml:6:9: 'fats' is not one of the choices; did you mean 'fast'?",
        "migration.yaml:7:10: there is no variable 'sizes'; did you mean 'size'?",
        "migration.yaml:8:11: this is not a secret's place: env:NAME, file:/path or aws:NAME#key",
    ]


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        (
            "format: 2\nrunbook: x\n",
            ["1:9: '2' is not one of the choices; known: 1", "2:10: there is no runbook 'x'; known: one"],
        ),
        (
            "format: 1\nvalues: 3\n",
            ["1:1: the key 'runbook' is missing", "2:9: must be a mapping, not a single value"],
        ),
        ("format: 1\nrunbook: one\nvalue: {}\n", ["3:1: unknown key 'value'; did you mean 'values'?"]),
        ("- x\n", ["1:1: must be a mapping, not a list"]),
    ],
)
def test_bad_migration_files(text: str, problems: list[str], tmp_path: Path) -> None:
    file = tmp_path / "migration.yaml"
    file.write_text(text, encoding="utf-8")

    def find(name: str) -> Path:
        if name == "one":
            return tmp_path
        raise UsageError(f"there is no runbook '{name}'; known: one")

    with pytest.raises(InvalidRunbook) as caught:
        load_migration(file, find)
    assert [str(problem).removeprefix(f"{file}:") for problem in caught.value.problems] == problems


def test_a_missing_file_of_a_runbook_is_told(tmp_path: Path) -> None:
    file = tmp_path / "migration.yaml"
    file.write_text("format: 1\nrunbook: ./none.yaml\n", encoding="utf-8")
    with pytest.raises(InvalidRunbook, match="2:10: there is no file"):
        load_migration(file)


def test_shipped_runbooks_are_found_by_name_only() -> None:
    assert find_runbook("habitcraft").name == "habitcraft.yaml"
    with pytest.raises(UsageError, match="did you mean 'habitcraft'"):
        find_runbook("habitcarft")
    with pytest.raises(UsageError):
        find_runbook("../runbooks/habitcraft")
