"""Prints the world that a run stands in, and its secrets, as JSON: `python -m tests.rehearsal.observe RUN ...`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from migrator.lab.client import read_manifest
from tests.rehearsal.harness import world
from tests.rehearsal.secrecy import canaries

if __name__ == "__main__":
    folder, instance, database = sys.argv[1:]
    lab = Path(folder) / "lab"
    manifest = read_manifest(lab)
    assert manifest is not None
    print(json.dumps({"world": world(manifest, instance, database), "secrets": canaries(lab, manifest)}))
