"""Terraform as the tests find it: the program, a source for the provider, an environment of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[2] / "terraform"
REGISTRY = "registry.terraform.io"
PREFIXES = (Path.home() / ".terraform.d", Path("/usr/local/share"), Path("/usr/share"), Path("/opt"))


@dataclass(frozen=True)
class Terraform:
    """The program with the settings of one test session; `sources` is a copy that may be written to."""

    program: str
    sources: Path
    environment: dict[str, str]

    def run(self, folder: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run one command in a folder, with a data folder of its own; output and errors are one text."""
        data = self.sources.parent / "data" / "-".join(folder.relative_to(self.sources).parts or ("root",))
        return subprocess.run(
            [self.program, *arguments],
            cwd=folder,
            env={**self.environment, "TF_DATA_DIR": str(data)},
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=170,
            check=False,
        )


def find_mirror() -> Path | None:
    """The folder above `registry.terraform.io/hashicorp/aws`, at or one level below the usual prefixes."""
    for prefix in PREFIXES:
        for pattern in (REGISTRY, f"*/{REGISTRY}"):
            for found in sorted(prefix.glob(pattern)):
                if (found / "hashicorp" / "aws").is_dir():
                    return found.parent
    return None


def write_settings(folder: Path) -> Path:
    """A command-line configuration that names the mirror, or none and so the public registry."""
    cache = folder / "plugins"
    cache.mkdir()
    lines = [f'plugin_cache_dir = "{cache}"\n']
    if mirror := find_mirror():
        lines.append(f'provider_installation {{\n  filesystem_mirror {{ path = "{mirror}" }}\n}}\n')
    path = folder / "terraform.rc"
    path.write_text("".join(lines))
    return path


@pytest.fixture(scope="session")
def terraform(tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    program = shutil.which("terraform")
    if program is None:
        pytest.fail("terraform 1.11 or newer is needed on the PATH: see the README")
    folder = tmp_path_factory.mktemp("terraform")
    shutil.copytree(SOURCES, folder / "sources", ignore=shutil.ignore_patterns(".terraform*"))
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(folder),
        "TF_CLI_CONFIG_FILE": str(write_settings(folder)),
        "TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE": "1",
        "TF_IN_AUTOMATION": "1",
        "TF_INPUT": "0",
        "CHECKPOINT_DISABLE": "1",
        "NO_COLOR": "1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    return Terraform(program, folder / "sources", environment)
