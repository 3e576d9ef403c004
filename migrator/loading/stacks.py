"""What a Terraform stack takes and gives, read from its text (`terraform fmt` layout)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(
    r'^(variable|output)\s+"([A-Za-z_][A-Za-z0-9_-]*)"\s*\{(?:[^\n]*\}[ \t]*$|(.*?)^\})',
    re.MULTILINE | re.DOTALL,
)
_DEFAULT = re.compile(r"^  default\s*=", re.MULTILINE)
_NAME = re.compile(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*")

# The run itself gives these to every stack.
GIVEN_BY_THE_RUN = frozenset({"region", "tags"})


@dataclass(frozen=True)
class Stack:
    """Names of a stack's variables, of those that a runbook must give, and of its outputs."""

    variables: frozenset[str]
    required: frozenset[str]
    outputs: frozenset[str]


@dataclass(frozen=True)
class Stacks:
    """The stacks below one folder, named by their path such as `habitcraft/network`."""

    folder: Path

    def names(self) -> list[str]:
        """Every folder with Terraform files in it."""
        folders = {file.parent for file in self.folder.rglob("*.tf") if ".terraform" not in file.parts}
        return sorted(folder.relative_to(self.folder).as_posix() for folder in folders)

    def get(self, name: str) -> Stack | None:
        """The stack of that name, or None when there is none."""
        if not _NAME.fullmatch(name):
            return None
        files = sorted((self.folder / name).glob("*.tf"))
        return read_stack("\n".join(f.read_text(encoding="utf-8") for f in files)) if files else None


def read_stack(text: str) -> Stack:
    """The stack that `text`, its files one after another, describes."""
    variables, required, outputs = set(), set(), set()
    for kind, name, body in _BLOCK.findall(text):
        if kind == "output":
            outputs.add(name)
            continue
        variables.add(name)
        if not _DEFAULT.search(body):
            required.add(name)
    return Stack(frozenset(variables), frozenset(required) - GIVEN_BY_THE_RUN, frozenset(outputs))
