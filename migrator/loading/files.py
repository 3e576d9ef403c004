"""Opens a runbook or migration file."""

from __future__ import annotations

from pathlib import Path

from migrator.loading.problems import Place, Problems
from migrator.loading.yaml_positions import MAX_BYTES, Node, parse


def read_document(path: Path, problems: Problems) -> tuple[bytes, Node | None]:
    """The file's bytes and its document; None, with the problem noted, when there is none."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        problems.add(Place(), f"cannot be read: {error.strerror or error}")
        return b"", None
    except ValueError as error:
        problems.add(Place(), f"cannot be read: {error}")
        return b"", None
    return data, parse(data, problems)
