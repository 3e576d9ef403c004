"""Measures the wizard: time to the first frame, and keys and memory while a log storms. Prints figures.

python -m benchmarks.tui [--starts 7] [--seconds 60] [--rate 20000]
"""

from __future__ import annotations

import argparse
import fcntl
import os
import pty
import random
import select
import signal
import statistics
import struct
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
FIRST_FRAME_MILLISECONDS = 250.0
KEY_MILLISECONDS = 100.0
MEMORY_MIB = 200.0

_BARE = """
from textual.app import App
from textual.widgets import Static
class Bare(App):
    def compose(self):
        yield Static("first frame")
Bare().run()
"""
_MIGRATOR = str(Path(sys.executable).with_name("migrator"))
_STORM = """
import sys
from pathlib import Path
from migrator.tui.app import run_view
from tests.tui.story import Story, StoryControl
folder = Path(sys.argv[1])
story = Story(folder=folder, logs=folder).until("network").busy().begin("network")
run_view(StoryControl([story]), folder, read_only=False)
"""


class Child:
    """A program in a pseudo-terminal of 160 by 50."""

    def __init__(self, *argv: str) -> None:
        self.output = b""
        self.started = time.perf_counter()
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="xterm-256color", PYTHONPATH=str(ROOT))
            os.execv(argv[0], argv)
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 160, 0, 0))

    def read(self, seconds: float) -> bytes:
        """What is written within a time; empty when nothing is."""
        ready, _, _ = select.select([self.terminal], [], [], seconds)
        if not ready:
            return b""
        data = os.read(self.terminal, 1 << 16)
        self.output = (self.output + data)[-(1 << 20) :]
        return data

    def wait_for(self, text: bytes, seconds: float = 30.0) -> float:
        """Seconds since the start until a text was written."""
        end = time.perf_counter() + seconds
        while text not in self.output:
            if time.perf_counter() > end:
                raise TimeoutError(f"{text!r} was not written; last: {self.output[-500:]!r}")
            self.read(0.05)
        return time.perf_counter() - self.started

    def resident_mib(self) -> float:
        """Memory held now."""
        for row in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if row.startswith("VmRSS:"):
                return int(row.split()[1]) / 1024
        return 0.0

    def end(self) -> None:
        """Ends it."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.terminal)


def first_frames(starts: int) -> dict[str, list[float]]:
    """Milliseconds from exec to the first frame, side by side; the first start of each is not counted.

    The wizard is started by its command, as a person does: `migrator` and `migrator attach`.
    """
    scenes = {
        "bare textual": ((sys.executable, "-c", _BARE), b"first frame"),
        "home": ((_MIGRATOR,), b"looking for runs"),
        "run": ((_MIGRATOR, "attach"), b"reading the journal"),
    }
    found: dict[str, list[float]] = {name: [] for name in scenes}
    for number in range(starts + 1):
        for name, (argv, text) in scenes.items():
            child = Child(*argv)
            took = child.wait_for(text) * 1000
            child.end()
            if number:
                found[name].append(took)
    return found


def storm(folder: Path, rate: int, stop: threading.Event) -> list[int]:
    """Writes lines into a step's log until it is stopped; counts them."""
    written = [0]

    def write() -> None:
        with (folder / "network.log").open("a", buffering=1 << 20) as file:
            began = time.perf_counter()
            while not stop.is_set():
                due = int((time.perf_counter() - began) * rate)
                for number in range(written[0], due):
                    file.write(
                        f"02:00:00.000 aws_instance.web[{number}]: Still creating... [00m{number % 60:02d}s elapsed]\n"
                    )
                file.flush()
                written[0] = max(due, written[0])
                stop.wait(0.02)

    threading.Thread(target=write, daemon=True).start()
    return written


_KEYS = ((b"k", b"HELD"), (b"f", b"following"), (b"6", b"will do"), (b"2", b"following"), (b"?", b"Keys"))
"""Hold, follow, another tab, back to the log, help: what is pressed, and what shows that it was answered."""


def keys_under_storm(seconds: float, rate: int) -> tuple[list[tuple[str, float]], float, int]:
    """Milliseconds from a key to its answer, the most memory held (MiB), and the lines written."""
    latencies: list[tuple[str, float]] = []
    most = 0.0
    stop = threading.Event()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "network.log").touch()
        child = Child(sys.executable, "-c", _STORM, name)
        written = [0]
        try:
            child.wait_for(b"Build the network")
            os.write(child.terminal, b"2")
            written = storm(folder, rate, stop)
            child.wait_for(b"following")
            end = time.perf_counter() + seconds
            while time.perf_counter() < end:
                for key, answer in _KEYS:
                    _drain(child, 0.15 + random.random() * 0.2)
                    latencies.append((key.decode(), _key(child, key, answer)))
                _drain(child, 0.2)
                os.write(child.terminal, b"q")
                most = max(most, child.resident_mib())
        finally:
            stop.set()
            child.end()
    return latencies, most, written[0]


def _drain(child: Child, seconds: float) -> None:
    end = time.perf_counter() + seconds
    while (left := end - time.perf_counter()) > 0:
        child.read(left)


def _key(child: Child, key: bytes, answer: bytes) -> float:
    child.output = b""
    pressed = time.perf_counter()
    os.write(child.terminal, key)
    while answer not in child.output:
        child.read(0.01)
        if time.perf_counter() - pressed > 10:
            raise TimeoutError(f"no answer to {key!r}")
    return (time.perf_counter() - pressed) * 1000


def percentile(values: Sequence[float], share: float) -> float:
    """The value that a share of all does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def main() -> int:
    """Measures and prints; 1 when a promise is not kept."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--starts", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rate", type=int, default=20_000)
    options = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    frames = first_frames(options.starts)
    for name, values in frames.items():
        print(
            f"first frame, {name:<13} median {statistics.median(values):5.0f} ms  best {min(values):5.0f} ms"
        )
    answered, most, written = keys_under_storm(options.seconds, options.rate)
    latencies = [took for _, took in answered]
    print(f"log storm: {written:,} lines in {options.seconds:.0f} s ({written / options.seconds:,.0f}/s)")
    print(
        f"key to answer: median {statistics.median(latencies):.0f} ms, "
        f"95 of 100 within {percentile(latencies, 0.95):.0f} ms, slowest {max(latencies):.0f} ms, {len(latencies)} keys"
    )
    for key, _ in _KEYS:
        of_key = [took for pressed, took in answered if pressed == key.decode()]
        print(f"  {key.decode()}  median {statistics.median(of_key):.0f} ms, slowest {max(of_key):.0f} ms")
    print(f"memory: at most {most:.0f} MiB")
    kept = (
        statistics.median(frames["run"]) <= FIRST_FRAME_MILLISECONDS
        and statistics.median(frames["home"]) <= FIRST_FRAME_MILLISECONDS
        and percentile(latencies, 0.95) <= KEY_MILLISECONDS
        and most <= MEMORY_MIB
    )
    print("all promises kept" if kept else "a promise was not kept")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
