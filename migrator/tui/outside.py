"""What the wizard asks of the terminal's surroundings: an editor, a shell, the title. Only on a person's key."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from migrator.sanitize import clean_line

_EDITORS = ("sensible-editor", "nano", "vim", "vi")


def editor_command(path: Path, line: int) -> list[str] | None:
    """The operator's editor at a line; none when there is no editor."""
    told = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "")
    if not told:
        told = next(([found] for name in _EDITORS if (found := shutil.which(name))), [])
    if not told:
        return None
    name = Path(told[0]).name
    if name in ("code", "codium"):
        return [*told, "--wait", "--goto", f"{path}:{line}"]
    return [*told, f"+{max(1, line)}", str(path)]


def look_at(path: Path, line: int) -> str:
    """Opens a copy of a file in the editor: a run keeps its own runbook. Gives a sentence when something is to be said.

    The terminal must be free. A copy that was changed is kept, and the sentence says where.
    """
    original = path.read_bytes()
    folder = Path(tempfile.mkdtemp(prefix="migrator-"))
    copy = folder / path.name
    copy.write_bytes(original)
    command = editor_command(copy, line)
    if command is None:
        shutil.rmtree(folder, ignore_errors=True)
        return "There is no editor. Set EDITOR, then press e again."
    try:
        code = subprocess.call(command)  # the terminal is the operator's now
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        return f"The editor {command[0]} could not be started: {error.strerror}"
    changed = copy.exists() and copy.read_bytes() != original
    if changed:
        return f"This run keeps the runbook it began with. Your changed copy is {copy}"
    shutil.rmtree(folder, ignore_errors=True)
    return f"The editor ended with code {code}." if code else ""


def shell(folder: Path) -> None:
    """The operator's shell in a folder, until it is left. The terminal must be free."""
    program = os.environ.get("SHELL") or shutil.which("sh") or "/bin/sh"
    sys.stdout.write("\nMend the cause here. Type exit to come back to the wizard.\n")
    sys.stdout.flush()
    subprocess.call([program], cwd=folder)


def questions(runbook: str) -> int:
    """`migrator init` for a runbook, in the plain terminal. The terminal must be free; gives its exit code."""
    argv = [sys.executable, "-m", "migrator", "init", "--runbook", runbook]
    return subprocess.call(argv)


def title_sequence(text: str) -> str:
    """The escape sequence that sets the terminal's title."""
    return f"\x1b]2;{clean_line(text, 120)}\x07"


SAVE_TITLE = "\x1b[22;2t"
RESTORE_TITLE = "\x1b[23;2t"
