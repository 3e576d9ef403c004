"""Writes runbooks for tests: a small good one, and bad ones made from it by replacing text."""

from __future__ import annotations

import re
from pathlib import Path

from migrator.errors import InvalidRunbook
from migrator.loading.runbook import load_runbook
from migrator.model.runbook import Runbook
from tests.loading.catalogue import CATALOGUE, NETWORK

GOOD = """\
format: 1
name: small
title: A small move
summary: Enough for a test.
variables:
  domain: {type: domain, description: The domain, rehearsal: example.com}
  size: {type: integer, description: A number, default: 3}
phases:
  - id: look
    title: Look
    summary: Only looks.
    steps:
      - id: first
        title: Look at the host
        why: To know.
        proof: It is seen.
        back: Nothing to do.
        action: look.at
        with:
          host: www.${vars.domain}
      - id: decide
        title: Decide
        why: A person must.
        proof: The answer is kept.
        back: Say no.
        gate:
          question: Go on?
          yes: It goes on.
          no: It stops.
          evidence: [first]
  - id: build
    title: Build
    summary: Builds.
    steps:
      - id: network
        title: Build the network
        why: It is needed.
        proof: It is there.
        back: Undo destroys it.
        action: stack.apply
        with:
          stack: demo/network
          variables:
            cidr: 10.0.0.0/16
      - id: note
        title: Note it
        why: For later.
        proof: It is noted.
        back: Forget it.
        action: look.at
        with:
          host: ${steps.network.vpc_id}
"""


def stacks(folder: Path) -> Path:
    """A folder of stacks with one in it."""
    stack = folder / "stacks" / "demo" / "network"
    stack.mkdir(parents=True, exist_ok=True)
    for name, text in NETWORK.items():
        (stack / name).write_text(text, encoding="utf-8")
    return folder / "stacks"


def load(folder: Path, text: str | bytes) -> Runbook:
    """Loads a runbook of this text."""
    file = folder / "book.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    return load_runbook(file, CATALOGUE, stacks(folder))


def told(folder: Path, text: str | bytes) -> list[str]:
    """The problems of a runbook of this text, as `line:column: message`."""
    try:
        load(folder, text)
    except InvalidRunbook as error:
        prefix = re.escape(str(folder / "book.yaml")) + ":"
        return [re.sub(f"^{prefix}", "", str(problem)) for problem in error.problems]
    return []


def changed(*changes: tuple[str, str]) -> str:
    """The good runbook with texts replaced; each must be there."""
    text = GOOD
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text
