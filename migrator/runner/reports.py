"""Writes report.md and report.json into the run's folder, atomically and 0600."""

from __future__ import annotations

import json
import os

from migrator.model.runbook import Runbook
from migrator.model.state import RunState
from migrator.report import build_report, to_markdown
from migrator.runner.folders import RunFolder
from migrator.secrets import REDACTOR


def write_reports(folder: RunFolder, state: RunState, runbook: Runbook) -> None:
    """All forms of the report as things stand now."""
    report = build_report(state, runbook)
    _write(folder, "json", json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    _write(folder, "md", to_markdown(report))


def _write(folder: RunFolder, form: str, text: str) -> None:
    path = folder.report(form)
    draft = path.with_suffix(path.suffix + ".new")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(REDACTOR.scrub(text))
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
