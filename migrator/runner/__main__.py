"""The runner's process."""

import sys

from migrator.runner.main import main

sys.exit(main(sys.argv[1:]))
