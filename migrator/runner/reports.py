"""Renders a run's report in its three forms, and writes them into the run's folder, atomically and 0600."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from migrator.model.runbook import Runbook
from migrator.model.state import RunState
from migrator.report import build_report, to_html, to_markdown
from migrator.runner.folders import RunFolder
from migrator.secrets import REDACTOR

Form = Literal["md", "html", "json"]


def write_reports(folder: RunFolder, state: RunState, runbook: Runbook) -> None:
    """All forms of the report as things stand now."""
    report = scrubbed(build_report(state, runbook))
    for form, render in _FORMS.items():
        _write(folder, form, render(report))


def render_report(state: RunState, runbook: Runbook, form: Form) -> str:
    """One form of the report as things stand now."""
    return _FORMS[form](scrubbed(build_report(state, runbook)))


def scrubbed(value: Any) -> Any:
    """JSON data without known secrets. Before rendering: quoting would change a secret's look."""
    if isinstance(value, str):
        return REDACTOR.scrub(value)
    if isinstance(value, Mapping):
        return {scrubbed(key): scrubbed(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [scrubbed(item) for item in value]
    return value


def _to_json(report: Mapping[str, Any]) -> str:
    return json.dumps(report, indent=2, ensure_ascii=False) + "\n"


_FORMS: Mapping[Form, Callable[[Mapping[str, Any]], str]] = {
    "json": _to_json,
    "md": to_markdown,
    "html": to_html,
}


def _write(folder: RunFolder, form: Form, text: str) -> None:
    path = folder.report(form)
    draft = path.with_suffix(path.suffix + ".new")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(REDACTOR.scrub(text))
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
