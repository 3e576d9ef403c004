"""A process that holds a lease, starts a child, and says so. It stays until it is killed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from migrator.runner.lease import Lease

if __name__ == "__main__":
    lease = Lease(Path(sys.argv[1]), {"pid": os.getpid(), "who": "bob", "host": "laptop"})
    child = subprocess.Popen(["sleep", "30"])
    print(child.pid, flush=True)
    time.sleep(30)
