"""Scenes for tests in a real terminal: `python -m tests.tui.scenes NAME FOLDER`."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

from migrator.model.records import Kind
from migrator.tui.app import run_home, run_view
from tests.tui.story import Story, StoryControl


def main(argv: list[str]) -> int:
    """Shows one scene. A told run goes on in a thread and leaves its last number in FOLDER/alive."""
    name, folder = argv[0], Path(argv[1])
    if name == "hostile":
        from tests.tui.test_hostile import hostile_story

        story = hostile_story(folder)
        return run_view(StoryControl([story]), story.folder, read_only=False)
    story = Story(folder=folder).until("network").busy().begin("network")
    control = StoryControl([story])
    threading.Thread(target=_go_on, args=(story,), daemon=True).start()
    if name == "home":
        return run_home(control)
    return run_view(control, story.folder, read_only=name == "watch")


def _go_on(story: Story) -> None:
    while True:
        story.add(Kind.NOTED, step="network", values={"beat": len(story.records)})
        time.sleep(0.1)


if __name__ == "__main__":
    os.environ.pop("NO_COLOR", None)
    sys.exit(main(sys.argv[1:]))
