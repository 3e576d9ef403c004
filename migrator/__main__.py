"""`python -m migrator`: the same as the command."""

import sys

from migrator.cli import main

sys.exit(main())
