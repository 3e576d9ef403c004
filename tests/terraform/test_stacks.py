"""Every stack is well-formed, and keeps its promises against a mocked provider."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from .conftest import SOURCES, Terraform

STACKS = sorted(str(path.relative_to(SOURCES)) for path in (SOURCES / "stacks").glob("*/*") if path.is_dir())


@dataclass(frozen=True)
class Verdict:
    """Exit status and text of the commands on one stack; each runs only after the one before succeeded."""

    steps: tuple[tuple[str, int, str], ...]

    def text(self, command: str) -> str:
        """Output of one command.

        Raises AssertionError with that output if it failed or never ran.
        """
        for name, status, output in self.steps:
            assert status == 0, f"terraform {name}:\n{output}"
            if name == command:
                return output
        raise AssertionError(f"terraform {command} never ran")


def judge(terraform: Terraform, stack: str) -> Verdict:
    """Initialise, validate and test one stack."""
    folder: Path = terraform.sources / stack
    steps: list[tuple[str, int, str]] = []
    for command in (
        ("init", "-no-color", "-backend=false"),
        ("validate", "-no-color"),
        ("test", "-no-color"),
    ):
        done = terraform.run(folder, *command)
        steps.append((command[0], done.returncode, done.stdout))
        if done.returncode != 0:
            break
    return Verdict(tuple(steps))


@pytest.fixture(scope="module")
def verdicts(terraform: Terraform) -> dict[str, Verdict]:
    # The first init alone fills the plugin cache, which Terraform does not lock.
    terraform.run(terraform.sources / STACKS[0], "init", "-backend=false")
    with ThreadPoolExecutor(max_workers=2) as pool:
        return dict(zip(STACKS, pool.map(lambda stack: judge(terraform, stack), STACKS), strict=True))


def test_sources_are_formatted(terraform: Terraform) -> None:
    done = terraform.run(terraform.sources, "fmt", "-check", "-recursive", "-diff")
    assert done.returncode == 0, done.stdout


@pytest.mark.engine
@pytest.mark.parametrize("stack", STACKS)
def test_stack_is_valid(verdicts: dict[str, Verdict], stack: str) -> None:
    output = verdicts[stack].text("validate")
    assert "The configuration is valid" in output
    assert "Warning" not in output


@pytest.mark.engine
@pytest.mark.parametrize("stack", STACKS)
def test_stack_keeps_its_promises(verdicts: dict[str, Verdict], stack: str) -> None:
    summary = re.search(r"^Success! (\d+) passed, 0 failed\.", verdicts[stack].text("test"), re.MULTILINE)
    assert summary is not None
    written = (SOURCES / stack).glob("tests/*.tftest.hcl")
    assert int(summary[1]) == sum(path.read_text().count('\nrun "') for path in written)
