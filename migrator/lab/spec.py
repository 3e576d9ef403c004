"""What a rehearsal's twin looks like: read from spec.json, checked once, frozen."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class SpecError(ValueError):
    """The lab's specification holds an unknown key or a value of the wrong kind."""


@dataclass(frozen=True)
class TrafficSpec:
    """How many clients use the application, and how fast (requests a second, all clients together)."""

    clients: int = 8
    requests_per_second: float = 40.0
    write_share: float = 0.4
    enabled: bool = True


@dataclass(frozen=True)
class DatabaseSpec:
    """The old database: its names, the rows of the made data set, or the operator's own data.

    `ready_instance` names a new instance that is there from the start, for moves whose target is already built.
    """

    name: str = "habitcraft"
    application_role: str = "habitcraft_app"
    rows: int = 200_000
    source_dump: str | None = None
    source_url: str | None = None
    engine_version: str = "15"
    instance_class: str = "db.t4g.micro"
    ready_instance: str = ""


@dataclass(frozen=True)
class LabSpec:
    """One twin: names of the old world, time to live of its records, delays of the emulated services (seconds)."""

    project: str = "habitcraft"
    domain: str = "example.com"
    region: str = "us-west-2"
    account: str = "111122223333"
    dns_ttl_seconds: int = 5
    alias_ttl_seconds: int = 2
    negative_ttl_seconds: int = 1
    route53_change_seconds: float = 1.5
    rds_creating_seconds: float = 3.0
    certificate_seconds: float = 2.0
    health_interval_seconds: float = 1.0
    image_size_bytes: int = 3_000_000
    backend_service: str = "habitcraft-backend"
    frontend_service: str = "habitcraft-frontend"
    old_database_instance: str = "habitcraft-db"
    tags: dict[str, str] = field(default_factory=lambda: {"Project": "habitcraft", "Environment": "prod"})
    database: DatabaseSpec = DatabaseSpec()
    traffic: TrafficSpec = TrafficSpec()

    @property
    def api_host(self) -> str:
        """The host name of the application's interface."""
        return f"api.{self.domain}"

    @property
    def www_host(self) -> str:
        """The host name of the application's pages."""
        return f"www.{self.domain}"

    @property
    def registry_host(self) -> str:
        """The emulated container registry's host name."""
        return f"{self.account}.dkr.ecr.{self.region}.amazonaws.com"


def load_spec(path: Path) -> LabSpec:
    """Read spec.json; raises SpecError that names the key."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SpecError(f"cannot read the lab's specification {path.name}: {error}") from error
    return spec_from(document)


def spec_from(document: Any) -> LabSpec:
    """Build a LabSpec from the runbook's `lab:` block; raises SpecError that names the key."""
    if not isinstance(document, dict):
        raise SpecError("the lab's specification must be a mapping")
    values = dict(document)
    values["database"] = _build(DatabaseSpec, values.get("database") or {}, "database.")
    values["traffic"] = _build(TrafficSpec, values.get("traffic") or {}, "traffic.")
    built = _build(LabSpec, values, "")
    if not isinstance(built, LabSpec):
        raise SpecError("the lab's specification could not be built")
    return built


def _build(kind: type[Any], values: dict[str, Any], prefix: str) -> Any:
    if not isinstance(values, dict):
        raise SpecError(f"{prefix.rstrip('.')} must be a mapping")
    fields = {entry.name: entry for entry in dataclasses.fields(kind)}
    for key, value in values.items():
        if key not in fields:
            raise SpecError(f"unknown key {prefix}{key}; known: {', '.join(sorted(fields))}")
        _check(prefix + key, value, str(fields[key].type))
    return kind(**values)


def _check(key: str, value: Any, kind: str) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    right = {
        "int": isinstance(value, int) and not isinstance(value, bool),
        "float": number,
        "str": isinstance(value, str),
        "bool": isinstance(value, bool),
        "str | None": value is None or isinstance(value, str),
    }.get(kind, True)
    if not right or (number and value < 0):
        raise SpecError(f"{key} must be {kind}{' and not negative' if number else ''}, not {value!r}")
