"""`python -m migrator.lab <lab dir> <spec.json>`: run a lab until it is told to stop."""

import sys

from migrator.lab.supervisor import main

if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.stderr.write("usage: python -m migrator.lab <lab dir> <spec.json>\n")
        raise SystemExit(2)
    raise SystemExit(main(sys.argv[1:]))
