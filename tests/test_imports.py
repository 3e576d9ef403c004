"""The core does not know its faces, and asking for help loads nothing heavy."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FACES = {"textual", "rich", "questionary", "prompt_toolkit"}
HEAVY = FACES | {
    "boto3",
    "botocore",
    "psycopg",
    "yaml",
    "moto",
    "dns",
    "urllib3",
    "sqlite3",
    "asyncio",
    "flask",
}


def loaded_by(code: str) -> set[str]:
    """Top-level modules in a fresh interpreter after this code."""
    program = f"import sys, json\n{code}\nsys.stderr.write('\\n' + json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    return {name.split(".", maxsplit=1)[0] for name in json.loads(done.stderr.splitlines()[-1])}


def cli(*arguments: str) -> str:
    return f"""
from migrator.cli import main
try:
    main({list(arguments)!r})
except SystemExit as end:
    assert end.code == 0, end.code
"""


@pytest.mark.parametrize(
    "arguments",
    [("--help",), ("--version",), ("rehearse", "--help"), ("approve", "--help"), ("runbook", "--help")],
)
def test_help_loads_nothing_heavy(arguments: tuple[str, ...]) -> None:
    loaded = loaded_by(cli(*arguments))
    assert "migrator" in loaded
    assert not loaded & HEAVY


def test_the_core_loads_no_face() -> None:
    parts = ["engine.executor", "journal", "loading.runbook", "model.state", "contracts.action", "report"]
    code = (
        "\n".join(f"import migrator.{part}" for part in parts) + "\nimport phases\nphases.shipped_actions()"
    )
    assert not loaded_by(code) & FACES


def test_the_runner_and_the_plain_face_load_no_screen() -> None:
    code = "import migrator.runner.main, migrator.runner.control, migrator.console.follow, migrator.console.lists"
    assert not loaded_by(code) & FACES


@pytest.mark.parametrize("command", ["runs", "status"])
def test_a_plain_command_loads_no_screen(command: str, tmp_path: Path) -> None:
    code = f"""
import os
from migrator.cli import main
os.chdir({str(tmp_path)!r})
main([{command!r}])
"""
    assert not loaded_by(code) & FACES
