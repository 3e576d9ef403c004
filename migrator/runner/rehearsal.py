"""What a rehearsal has beside the run: the twin is started, watched, asked for its figures, and removed."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Mapping
from typing import Any

from migrator.contracts.journal import Journal
from migrator.contracts.progress import TargetTraffic, TrafficDetail
from migrator.engine.book import Book
from migrator.errors import MigratorError
from migrator.lab import guard
from migrator.lab.client import LabClient, LabError, Manifest, read_manifest, start
from migrator.model.records import Kind
from migrator.runner.folders import RunFolder

_WATCH_SECONDS = 1.0
_SERIES_SECONDS = 120


class Rehearsal:
    """The twin of one run. It survives the runner: a new runner finds it again."""

    def __init__(self, folder: RunFolder, book: Book) -> None:
        self._folder = folder
        self._book = book
        self._stopped = threading.Event()
        self._watcher: threading.Thread | None = None
        self.manifest: Manifest | None = None

    def start(self) -> Manifest:
        """The living twin; `MigratorError` when it cannot be started or has died."""
        spec = json.loads(self._folder.lab_spec.read_text(encoding="utf-8"))
        began = time.monotonic()
        try:
            self.manifest = start(self._folder.lab, spec)
        except LabError as error:
            raise MigratorError(
                "the twin is not there",
                where=str(self._folder.lab),
                detail=str(error),
                next=f"`migrator abort {self._folder.run_id}`, then rehearse anew: a twin cannot be continued",
            ) from error
        if "lab" not in self._book.state.measured:
            self._measure("lab", {"start_seconds": round(time.monotonic() - began, 3)})
        guard.install(self._folder.lab / "violations.jsonl")
        return self.manifest

    def watch(self) -> None:
        """Shows the twin's live traffic as progress until `finish`."""
        if self.manifest is None:
            raise ValueError("the twin was not started")
        self._watcher = threading.Thread(
            target=self._follow, args=(LabClient.of(self.manifest), self._book.journal), daemon=True
        )
        self._watcher.start()

    def _follow(self, client: LabClient, journal: Journal) -> None:
        while not self._stopped.wait(_WATCH_SECONDS):
            try:
                journal.set_progress("@traffic", traffic_progress(client.traffic()))
            except LabError:
                continue

    def finish(self) -> None:
        """Stops the clients, proves the ledger against the database, removes the twin. May be called again."""
        self._stopped.set()
        if self._watcher:
            self._watcher.join(5.0)
        manifest = self.manifest or read_manifest(self._folder.lab)
        if manifest is None or not manifest.alive:
            self._measure_once("leftovers", {"items": _remains(self._folder)})
            return
        client = LabClient.of(manifest)
        if "traffic" not in self._book.state.measured:
            self._measure("traffic", client.finish())
            self._measure("outside_contacts", {"items": client.violations()})
        if "leftovers" not in self._book.state.measured:
            began = time.monotonic()
            left = client.stop() + _remains(self._folder)
            took = {"stop_seconds": round(time.monotonic() - began, 3)}
            self._measure("lab", {**self._book.state.measured.get("lab", {}), **took})
            self._measure("leftovers", {"items": left})

    def _measure_once(self, name: str, values: Mapping[str, Any]) -> None:
        if name not in self._book.state.measured:
            self._measure(name, values)

    def _measure(self, name: str, values: Mapping[str, Any]) -> None:
        self._book.append(Kind.MEASURED, name=name, values=dict(values))


def traffic_progress(figures: Mapping[str, Any]) -> dict[str, Any]:
    """The twin's figures as progress, with `contracts.progress.TrafficDetail` as its detail."""
    timeline = list(figures.get("timeline", []))[-_SERIES_SECONDS:]
    writes = figures.get("writes", {})
    detail: TrafficDetail = {
        "kind": "traffic",
        "requests": figures.get("requests", 0),
        "failed": figures.get("failed", 0),
        "unavailable_seconds": figures.get("unavailable_seconds", 0.0),
        "writes_acknowledged": writes.get("acknowledged", 0),
        "old": _side(figures, "old"),
        "new": _side(figures, "new"),
        "series": {
            "requests_old": [float(s["old"]) for s in timeline],
            "requests_new": [float(s["new"]) for s in timeline],
            "failed": [float(s["failed"]) for s in timeline],
            "latency_ms_p95": [float(s["milliseconds"]) for s in timeline],
        },
    }
    message = (
        f"{detail['requests']:,} requests, {detail['failed']:,} failed; "
        f"{detail['writes_acknowledged']:,} writes acknowledged; unavailable {detail['unavailable_seconds']:.1f} s"
    )
    return {"message": message, "done": None, "total": None, "unit": "", "detail": dict(detail)}


def _side(figures: Mapping[str, Any], name: str) -> TargetTraffic:
    latency = figures.get("latency_milliseconds", {}).get(name, {})
    return {
        "requests": figures.get("served_by", {}).get(name, 0),
        "failed": figures.get("failed_at", {}).get(name, 0),
        "latency_ms_p50": latency.get("p50", 0.0),
        "latency_ms_p95": latency.get("p95", 0.0),
    }


def _remains(folder: RunFolder) -> list[str]:
    """What is still there of the twin's folder after it should be gone; a last attempt is made to remove it."""
    if not folder.lab.exists():
        return []
    shutil.rmtree(folder.lab, ignore_errors=True)
    return [str(folder.lab)] if folder.lab.exists() else []
