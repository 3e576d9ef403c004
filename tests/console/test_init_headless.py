"""`migrator init` without a person: values from the command line, and clear words when it cannot be."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from migrator.cli import main
from migrator.loading.migration import load_migration, shipped_runbooks
from migrator.runner.control import LocalControl
from tests.console.init_support import fitting_answers, small_runbook

BASE = ("init", "--no-input", "--runbook", "./small.yaml")
NEEDED = ("--set", "domain=example.com", "--set", "hosted_zone_id=Z12345", "--set", "admin_secret=env:A")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    small_runbook(tmp_path)
    return tmp_path


def test_without_a_terminal_it_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init"]) == 2
    said = capsys.readouterr().err
    assert "needs a terminal" in said
    assert "--no-input --runbook NAME --set name=value" in said
    assert "format: 1" in said


def test_values_are_written_and_valid(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*BASE, *NEEDED, "--set", "networks=10.1.0.0/16, 10.2.0.0/16"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "Written: migration.yaml",
        "Next: migrator rehearse migration.yaml",
        "Then: migrator run migration.yaml",
    ]
    assert stat.S_IMODE((folder / "migration.yaml").stat().st_mode) == 0o600
    assert not (folder / ".migrator").exists()
    assert main(["validate"]) == 0


@pytest.mark.parametrize("name", shipped_runbooks())
def test_every_shipped_runbook_can_be_begun_headless_in_another_folder(name: str, folder: Path) -> None:
    answers = fitting_answers(LocalControl(folder).runbook(name), every=True)
    settings = [each for key, text in answers.items() for each in ("--set", f"{key}={text}")]
    assert main(["init", "a/b", "--no-input", "--runbook", name, *settings]) == 0
    assert set(load_migration(folder / "a" / "b" / "migration.yaml").values) == set(answers)
    assert main(["validate", "a/b/migration.yaml"]) == 0


def test_a_runbook_file_is_named_relative_to_the_migration(folder: Path) -> None:
    assert main(["init", "below", *BASE[1:], *NEEDED]) == 0
    assert "runbook: ../small.yaml" in (folder / "below" / "migration.yaml").read_text("utf-8")
    assert main(["validate", "below/migration.yaml"]) == 0


def test_every_problem_is_told_at_once_and_nothing_is_written(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main([*BASE, "--set", "domain=No", "--set", "admin_secret=hunter2-hunter2", "--set", "domian=x"])
    said = capsys.readouterr().err
    assert code == 2
    assert "4 problems" in said
    assert "did you mean 'domain'" in said
    assert "hosted_zone_id is missing" in said
    assert "hunter2" not in said
    assert not (folder / "migration.yaml").exists()


def test_a_file_that_is_there_is_only_replaced_when_told(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "migration.yaml").write_text("mine", "utf-8")
    assert main([*BASE, *NEEDED]) == 2
    assert "not touched" in capsys.readouterr().err
    assert (folder / "migration.yaml").read_text("utf-8") == "mine"
    assert main([*BASE, *NEEDED, "--overwrite"]) == 0
    assert (folder / "migration.yaml.old").read_text("utf-8") == "mine"
    assert sorted(each.name for each in folder.iterdir()) == [
        "migration.yaml",
        "migration.yaml.old",
        "small.yaml",
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--set", "hunter2-hunter2"), "--set needs NAME=VALUE"),
        (("--set", "=x"), "--set needs NAME=VALUE"),
        (("--runbook", "habitcraf"), "did you mean 'habitcraft'"),
        (("--runbook", "none.yaml"), "there is no file"),
    ],
)
def test_wrong_input_is_a_usage_error(
    arguments: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*BASE, *arguments]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert "hunter2" not in said


def test_a_folder_that_is_a_file_is_a_usage_error(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "small.yaml", *BASE[1:], *NEEDED]) == 2
    assert "not a folder" in capsys.readouterr().err


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom migrator.cli import main\n"
        "try:\n    main(['init', '--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'questionary', 'prompt_toolkit', 'boto3', 'yaml', 'psycopg', 'rich', 'textual'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode == 0, done.stderr
    assert "--runbook" in done.stdout
