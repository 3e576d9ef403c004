"""The door to a lab for everyone else: start one, find a living one, ask it. Standard library only."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

START_SECONDS = 180.0
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "HOME")


class LabError(RuntimeError):
    """The lab could not be started, has died, or refused a request; the message says which and what to do."""


@dataclass(frozen=True)
class Manifest:
    """What a running lab says of itself in lab.json; addresses are on 127.0.0.1."""

    pid: int
    start_time: str
    boot_id: str
    control: str
    token: str
    aws: Mapping[str, str]
    dns: Mapping[str, tuple[str, int]]
    ca_file: Path
    variables: Mapping[str, Any]

    @property
    def alive(self) -> bool:
        """Whether the very process that wrote the manifest still runs."""
        for process in _started:
            process.poll()
        return self.boot_id == boot_id() and self.start_time == process_start_time(self.pid)


def manifest_file(lab_dir: Path) -> Path:
    """Where a lab of that folder writes its manifest."""
    return lab_dir / "lab.json"


def read_manifest(lab_dir: Path) -> Manifest | None:
    """The manifest of a folder's lab, living or dead; None when there is none."""
    try:
        document = json.loads(manifest_file(lab_dir).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    if document.get("format") != 1:
        raise LabError(f"{manifest_file(lab_dir)} is of another version of migrator")
    return Manifest(
        document["pid"],
        document["start_time"],
        document["boot_id"],
        document["control"],
        document["token"],
        document["aws"],
        {name: (host, port) for name, (host, port) in document["dns"].items()},
        Path(document["ca_file"]),
        document["variables"],
    )


def start(lab_dir: Path, spec: Mapping[str, Any], seconds: float = START_SECONDS) -> Manifest:
    """The folder's living lab, or a new one, ready for use; raises LabError when it died or does not come up."""
    found = read_manifest(lab_dir)
    if found is not None:
        if found.alive:
            return found
        raise LabError(
            f"the lab in {lab_dir} has ended (process {found.pid}); remove the folder to start anew"
        )
    lab_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    lab_dir = lab_dir.resolve()
    spec_file = lab_dir / "spec.json"
    with os.fdopen(
        os.open(spec_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8"
    ) as output:
        json.dump(spec, output)
    log = os.open(lab_dir / "lab.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "migrator.lab", str(lab_dir), str(spec_file)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env=_environment(),
        )
    finally:
        os.close(log)
    _started.append(process)
    return _wait(lab_dir, process, seconds)


def _wait(lab_dir: Path, process: subprocess.Popen[bytes], seconds: float) -> Manifest:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with contextlib.suppress(ValueError):
            found = read_manifest(lab_dir)
            if found is not None and found.alive:
                return found
        # Another start may hold the folder: then ours leaves at once, and theirs is waited for.
        if process.poll() not in (None, ALREADY_STARTING):
            raise LabError(
                f"the lab did not start (status {process.returncode}): {_tail(lab_dir / 'lab.log')}"
            )
        time.sleep(0.1)
    process.terminate()
    raise LabError(f"the lab was not ready after {seconds:.0f} s: {_tail(lab_dir / 'lab.log')}")


_started: list[subprocess.Popen[bytes]] = []
"""Labs outlive their starter; while it lives it keeps their handles, so that a lab that ended is no zombie."""

ALREADY_STARTING = 75
"""Exit status of a lab process that found its folder held by another."""


def _tail(file: Path) -> str:
    with contextlib.suppress(OSError):
        return file.read_text(encoding="utf-8", errors="replace")[-1500:].strip()
    return "no log"


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    root = str(Path(__file__).resolve().parents[2])
    kept["PYTHONPATH"] = os.pathsep.join([root, *filter(None, kept.get("PYTHONPATH", "").split(os.pathsep))])
    return kept


class LabClient:
    """Asks a running lab's control server; each call is one short connection."""

    def __init__(self, control: str, token: str) -> None:
        parts = urlsplit(control)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._token = token

    @classmethod
    def of(cls, manifest: Manifest) -> LabClient:
        """The client for a manifest."""
        return cls(manifest.control, manifest.token)

    def route(self, host: str, port: int) -> tuple[str, int] | None:
        """Where host:port (a name or an address) lies on loopback; None when it leads nowhere."""
        status, document = self._ask("GET", f"/route?host={quote(host)}&port={port}", 10)
        if status == 404:
            return None
        return str(document["host"]), int(document["port"])

    def traffic(self) -> dict[str, Any]:
        """Figures of the clients so far; the time line holds the last two minutes."""
        return self._good("GET", "/traffic", 10)

    def finish(self) -> dict[str, Any]:
        """Stop the clients and compare the ledger with the database now behind DNS; the same answer when repeated."""
        return self._good("POST", "/finish", 120)

    def stop(self) -> list[str]:
        """End the lab and remove its folder; what could not be removed."""
        return [str(entry) for entry in self._good("POST", "/stop", 120)["leftovers"]]

    def violations(self) -> list[dict[str, Any]]:
        """Refused contacts with the outside, oldest first."""
        found: list[dict[str, Any]] = self._good("GET", "/violations", 10)["violations"]
        return found

    def health(self) -> dict[str, Any]:
        """What the lab's parts are doing: processes, stand-ins with reasons, fronts, databases."""
        return self._good("GET", "/health", 10)

    def _good(self, method: str, path: str, seconds: float) -> dict[str, Any]:
        status, document = self._ask(method, path, seconds)
        if status != 200:
            raise LabError(f"the lab refused {method} {path}: {document.get('error', status)}")
        return document

    def _ask(self, method: str, path: str, seconds: float) -> tuple[int, dict[str, Any]]:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=seconds)
        with contextlib.closing(connection):
            try:
                connection.request(method, path, headers={"Authorization": f"Bearer {self._token}"})
                response = connection.getresponse()
                return response.status, json.loads(response.read() or b"{}")
            except (OSError, http.client.HTTPException) as error:
                raise LabError(f"the lab does not answer at {self._host}:{self._port}: {error}") from error


def boot_id() -> str:
    """This boot of this machine; empty where the system has no such thing."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def process_start_time(pid: int) -> str:
    """When a process began, in the system's own ticks; empty when it does not run."""
    try:
        fields = (
            Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        )
    except OSError:
        return _start_time_by_ps(pid)
    return "" if fields[0] == "Z" else fields[19]


def _start_time_by_ps(pid: int) -> str:
    if Path("/proc/self/stat").exists():
        return ""
    shown = subprocess.run(
        ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return shown.stdout.strip()
