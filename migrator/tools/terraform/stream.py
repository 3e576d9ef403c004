"""Terraform's machine-readable output: plans, applies and diagnostics out of its lines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from migrator.contracts.progress import ResourceProgress, TerraformDetail
from migrator.contracts.terraform import Applied, AppliedResource, ChangeAction, PlannedChange
from migrator.errors import Refused
from migrator.sanitize import clean, clean_line

_UI_MAJOR = "1"
_ACTIONS: dict[str, ChangeAction] = {
    "create": "create",
    "update": "update",
    "delete": "delete",
    "replace": "replace",
    "read": "read",
    "import": "import",
    "remove": "forget",
    "forget": "forget",
    "move": "move",
}


def event(line: str) -> dict[str, Any]:
    """The event in a line; empty for a line that is none. An unknown major version is `Refused`."""
    if not line.startswith("{"):
        return {}
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    if not isinstance(found, dict):
        return {}
    if found.get("type") == "version" and str(found.get("ui", "")).split(".")[0] != _UI_MAJOR:
        raise Refused(
            f"Terraform speaks version {clean_line(str(found.get('ui')), 20)} of its event stream",
            next="use a Terraform 1.x",
        )
    return found


def diagnostics(lines: Iterable[str], severity: str = "error") -> tuple[str, ...]:
    """Terraform's own words of this severity, cleaned."""
    return tuple(
        text
        for found in map(event, lines)
        if found.get("type") == "diagnostic" and (text := diagnostic(found, severity))
    )


def diagnostic(found: Mapping[str, Any], severity: str = "error") -> str:
    """Summary, address and detail of a diagnostic event; empty when it has another severity."""
    said = found.get("diagnostic")
    if not isinstance(said, dict) or said.get("severity") != severity:
        return ""
    where = f"{said['address']}: " if said.get("address") else ""
    detail = f"\n{said['detail']}" if said.get("detail") else ""
    return clean(f"{where}{said.get('summary', '')}{detail}")[:8_000]


def planned(lines: Iterable[str]) -> tuple[PlannedChange, ...]:
    """Changes of a plan, in the order of their addresses."""
    changes = []
    for found in map(event, lines):
        change = found.get("change")
        if found.get("type") != "planned_change" or not isinstance(change, dict):
            continue
        resource = change.get("resource", {})
        action = str(change.get("action"))
        if action in ("noop", "no-op"):
            action = "import" if change.get("importing") else action
        if action in ("noop", "no-op") and change.get("previous_resource"):
            action = "move"
        if action in ("noop", "no-op"):
            continue
        if action not in _ACTIONS:
            raise Refused(f"Terraform plans {clean_line(action, 40)}, which is not known here")
        changes.append(
            PlannedChange(
                address=clean_line(str(resource.get("addr", ""))),
                type=clean_line(str(resource.get("resource_type", ""))),
                action=_ACTIONS[action],
                reason=clean_line(str(change.get("reason", ""))),
            )
        )
    return tuple(sorted(changes, key=lambda change: (change.address, change.action)))


_HOOKS: dict[str, Literal["running", "done", "failed"]] = {
    "apply_start": "running",
    "apply_progress": "running",
    "apply_complete": "done",
    "apply_errored": "failed",
}


class ApplyStream:
    """Takes an apply's lines one by one; knows at any time what they add up to."""

    def __init__(self, stack: str, changes: Iterable[tuple[str, str]] = ()) -> None:
        self._stack = stack
        self._pending = dict(changes)
        self._seen: dict[str, AppliedResource] = {}
        self._done = {"create": 0, "update": 0, "delete": 0}
        self._summary: Mapping[str, Any] | None = None
        self._errors: list[str] = []
        self._first = self._last = ""

    def feed(self, line: str) -> dict[str, Any]:
        """Takes one line; the event that was in it."""
        found = event(line)
        if not found:
            return found
        at = str(found.get("@timestamp", ""))[:40]
        self._first, self._last = self._first or at, at
        kind = found.get("type")
        if kind in _HOOKS and isinstance(found.get("hook"), dict):
            self._hook(_HOOKS[str(kind)], found["hook"])
        elif kind == "planned_change" and isinstance(found.get("change"), dict):
            change = found["change"]
            self._pending.setdefault(str(change.get("resource", {}).get("addr")), str(change.get("action")))
        elif kind == "change_summary" and found.get("changes", {}).get("operation") in ("apply", "destroy"):
            self._summary = found["changes"]
        elif kind == "diagnostic" and (text := diagnostic(found)):
            self._errors.append(text)
        return found

    def _hook(self, state: Literal["running", "done", "failed"], hook: Mapping[str, Any]) -> None:
        action, resource = str(hook.get("action")), hook.get("resource", {})
        if action == "read":
            return
        address = clean_line(str(resource.get("addr")))
        before = self._seen.get(address)
        known = before.id if before and before.action == action else ""
        self._seen[address] = AppliedResource(
            address=address,
            type=clean_line(str(resource.get("resource_type", ""))),
            action=action,
            state=state,
            id=clean_line(str(hook.get("id_value") or known)),
            seconds=float(hook.get("elapsed_seconds") or 0.0),
        )
        if state == "done" and action in self._done:
            self._done[action] += 1

    def applied(self) -> Applied:
        """What the lines so far add up to."""
        counts = self._summary or {}
        return Applied(
            resources=tuple(self._seen.values()),
            added=int(counts.get("add", self._done["create"])),
            changed=int(counts.get("change", self._done["update"])),
            destroyed=int(counts.get("remove", self._done["delete"])),
            whole=self._summary is not None,
            first=self._first,
            last=self._last,
            errors=tuple(self._errors),
        )

    @property
    def counts(self) -> tuple[int, int]:
        """Resources done and resources in all."""
        done = sum(1 for seen in self._seen.values() if seen.state == "done")
        return done, len({*self._pending, *self._seen})

    def detail(self) -> TerraformDetail:
        """Rows for a face to draw, in the order of their addresses."""
        rows: list[ResourceProgress] = []
        for address in sorted({*self._pending, *self._seen}):
            seen = self._seen.get(address)
            action: Any = seen.action if seen else self._pending.get(address, "update")
            planned_action: Any = self._pending.get(address)
            rows.append(
                {
                    "address": clean_line(address, 300),
                    "action": planned_action if planned_action in ("replace", "import") else action,
                    "state": seen.state if seen else "pending",
                    "seconds": seen.seconds if seen else 0.0,
                }
            )
        return {"kind": "terraform", "stack": self._stack, "resources": rows}
