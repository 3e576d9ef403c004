"""The wizard on runs that touch nothing, to be looked at.

python -m tests.tui.demo [home|run|live|broken|killed|watch] [SECONDS]
"""

from __future__ import annotations

import sys

from migrator.contracts.control import StartOptions
from migrator.tui.app import run_home, run_view
from tests.tui.fake import FakeControl, eventually


def main(argv: list[str]) -> int:
    """Shows one of the scenes; gives the wizard's exit code."""
    scene = argv[0] if argv else "home"
    control = FakeControl(seconds=float(argv[1]) if len(argv) > 1 else 3.0)
    if scene == "broken":
        control.broken = {"network"}
    if scene == "home":
        return run_home(control)
    folder = control.begin("habitcraft", "run" if scene == "live" else "rehearse", StartOptions())
    if scene == "killed":
        journal = control.run(folder).journal
        eventually(lambda: bool(journal.records(6)))
        control.kill(folder)
    code = run_view(control, folder, read_only=scene == "watch")
    control.stop()
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
