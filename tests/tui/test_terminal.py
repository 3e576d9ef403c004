"""In a real terminal: signals, resize, the first frame, and what is left behind."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from migrator.errors import ExitCode
from tests.tui.terminal import ROOT, Terminal, scene


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, ExitCode.TERMINATED), (signal.SIGHUP, ExitCode.HUNG_UP)]
)
def test_a_signal_leaves_the_terminal_whole(tmp_path: Path, number: signal.Signals, code: ExitCode) -> None:
    with scene("run", tmp_path) as terminal:
        terminal.sees("Build the network")
        terminal.signal(number)
        assert terminal.ends() == code
        assert terminal.whole()
        assert b"migrator attach habitcraft-20260103-0200" in terminal.written


@pytest.mark.engine
def test_a_closed_terminal_ends_the_viewer(tmp_path: Path) -> None:
    """As when the window is closed or the connection is lost: nothing is left behind."""
    terminal = scene("run", tmp_path)
    terminal.sees("Build the network")
    terminal.hang_up()


@pytest.mark.engine
def test_a_signal_under_an_open_box(tmp_path: Path) -> None:
    with scene("run", tmp_path) as terminal:
        terminal.sees("Build the network")
        terminal.send("\x03")
        terminal.sees("Interrupt now")
        terminal.signal(signal.SIGTERM)
        assert terminal.ends() == ExitCode.TERMINATED
        assert terminal.whole()


@pytest.mark.engine
def test_leaving_says_how_to_come_back(tmp_path: Path) -> None:
    with scene("run", tmp_path, (160, 50)) as terminal:
        terminal.sees("REHEARSAL on a twin")
        terminal.sees("3Terraform")
        terminal.send("q")
        assert terminal.ends() == ExitCode.DONE
        assert terminal.whole()
        assert b"it goes on without this screen" in terminal.written


@pytest.mark.engine
def test_the_title_is_set_and_given_back(tmp_path: Path) -> None:
    with scene("run", tmp_path) as terminal:
        terminal.sees("Build the network")
        terminal.rest(0.5)
        assert b"\x1b]2;running: habitcraft (rehearsal)\x07" in terminal.written
        terminal.send("q")
        terminal.ends()
        assert terminal.written.rfind(b"\x1b[23;2t") > terminal.written.rfind(b"\x1b]2;")


@pytest.mark.engine
def test_resize_in_a_real_terminal(tmp_path: Path) -> None:
    with scene("run", tmp_path) as terminal:
        terminal.sees("Build the network")
        for rows, columns in ((50, 160), (10, 40), (24, 80)):
            terminal.child.setwinsize(rows, columns)
            terminal.screen.resize(rows, columns)
            terminal.rest(0.4)
        terminal.sees("Build the network")
        assert terminal.child.isalive()


@pytest.mark.engine
def test_home_in_a_real_terminal(tmp_path: Path) -> None:
    with scene("home", tmp_path) as terminal:
        terminal.sees("Unfinished runs")
        terminal.send("\r")
        terminal.sees("Build the network")
        terminal.send("q")
        terminal.sees("Unfinished runs")
        terminal.send("q")
        assert terminal.ends() == ExitCode.DONE


@pytest.mark.engine
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("attach",), b"there is no unfinished run here"),
        (("resume", "nothing-like-it"), b"there is no run 'nothing-like-it' here"),
        (("rehearse", "nothing.yaml"), b"there is no file nothing.yaml"),
    ],
)
def test_what_is_not_there_is_told_in_the_terminal(
    tmp_path: Path, arguments: tuple[str, ...], told: bytes
) -> None:
    """The first frame stands before the run is looked for; the words and the code are as without a screen."""
    with Terminal(("migrator", *arguments), tmp_path) as terminal:
        assert terminal.ends() == ExitCode.USAGE
        assert terminal.whole()
        assert told in terminal.written[terminal.written.rfind(b"\x1b[?1049l") :]


def test_without_a_terminal_it_says_so(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.tui.scenes", "home", str(tmp_path)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == ExitCode.USAGE
    assert b"--plain" in done.stderr


def test_the_first_screen_loads_nothing_heavy() -> None:
    script = (
        "import sys, migrator.tui.app, migrator.tui.run, migrator.tui.home, migrator.tui.late\n"
        "heavy = {'boto3', 'botocore', 'psycopg', 'yaml', 'dns', 'sqlite3', 'questionary', 'moto', 'jinja2',"
        " 'migrator.runner', 'migrator.console', 'migrator.tools', 'migrator.lab', 'migrator.loading'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout.strip() == "[]"
