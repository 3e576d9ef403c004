"""A process that only appends: it is killed, or its disk is full. Prints each number once it is durable."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

from migrator.errors import MigratorError
from migrator.journal import SqliteJournal
from migrator.model.records import Kind


def main(path: Path, records: int, largest_file_bytes: int) -> int:
    """Appends up to `records`; 3 when the journal said that it cannot write."""
    with SqliteJournal(path, create=True) as journal:
        if largest_file_bytes:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file_bytes, resource.RLIM_INFINITY))
        for number in range(records):
            try:
                journal.append(Kind.NOTED, {"step": "one", "number": number, "filling": "x" * 200})
            except MigratorError as error:
                print(f"error {error.what} / {error.detail}", flush=True)
                resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
                journal.append(Kind.NOTED, {"step": "one", "number": number})
                print(number, flush=True)
                return 3
            print(number, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
