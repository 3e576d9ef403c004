"""Stand-ins for instances and containers: the application run as they would run it, from what they were given."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from migrator.lab.authority import write_private
from migrator.lab.aws.link import EmulatorError, EmulatorLink
from migrator.lab.children import Child, child_environment
from migrator.lab.names import Names
from migrator.lab.registry import Registry

RETRY_SECONDS = 1.5
_KEYS = (
    "SERVICE",
    "IMAGE",
    "PORT",
    "AWS_REGION",
    "DATABASE_SECRET_ARN",
    "APPLICATION_SECRET_ARN",
    "FRONTEND_URL",
    "API_URL",
)
_DATABASE_KEYS = ("host", "port", "dbname", "username", "password")


class Unstartable(Exception):
    """Why a stand-in cannot start."""


@dataclass(frozen=True)
class Launch:
    """Everything one application process is started with."""

    role: str
    label: str
    public_port: int
    environment: dict[str, str]
    database_port: int = 0

    @property
    def database(self) -> tuple[int, str] | None:
        """Loopback port and name of the database it uses."""
        return (self.database_port, self.environment["DB_NAME"]) if self.role == "backend" else None


@dataclass
class Surroundings:
    """What launching needs to look things up."""

    link: EmulatorLink
    names: Names
    registry: Registry
    folder: Path
    violations_file: Path


def user_data_values(user_data: str) -> dict[str, str]:
    """The service's settings in an instance's user data: the first line of each known KEY=value."""
    found: dict[str, str] = {}
    for line in user_data.splitlines():
        match = re.fullmatch(r"\s*([A-Z_]+)=(.*?)\s*", line)
        if match and match[1] in _KEYS:
            found.setdefault(match[1], match[2].strip("'\""))
    return found


def launch_from_user_data(user_data: str, around: Surroundings) -> Launch:
    """What an instance with this user data would start; raises Unstartable with the reason."""
    values = user_data_values(user_data)
    role = values.get("SERVICE", "")
    if role not in ("backend", "frontend"):
        raise Unstartable(f"user data names no SERVICE of backend or frontend (found {role!r})")
    if not values.get("PORT", "").isdigit():
        raise Unstartable("user data names no PORT")
    reason = around.registry.missing(values.get("IMAGE", ""))
    if reason:
        raise Unstartable(reason)
    if role == "frontend":
        if not values.get("API_URL", "").startswith("https://"):
            raise Unstartable("user data names no API_URL")
        return Launch(role, "new", int(values["PORT"]), {"API_URL": values["API_URL"]})
    database = _secret(around.link, values, "DATABASE_SECRET_ARN", _DATABASE_KEYS)
    application = _secret(around.link, values, "APPLICATION_SECRET_ARN", ("JWT_SECRET",))
    environment = {
        "DB_HOST": str(database["host"]),
        "DB_PORT": str(database["port"]),
        "DB_NAME": str(database["dbname"]),
        "DB_USER": str(database["username"]),
        "DB_PASSWORD": str(database["password"]),
        "JWT_SECRET": str(application["JWT_SECRET"]),
    }
    return backend_launch("new", int(values["PORT"]), environment, around)


def launch_from_container(deployment: dict[str, Any], around: Surroundings) -> Launch:
    """What a container service's public container runs; the old images are where they have always been."""
    endpoint = deployment.get("publicEndpoint") or {}
    container = deployment.get("containers", {}).get(endpoint.get("containerName"))
    if container is None:
        raise Unstartable("the deployment has no public container")
    environment = dict(container.get("environment") or {})
    port = int(endpoint.get("containerPort") or 0)
    if "DB_HOST" not in environment:
        return Launch("frontend", "old", port, environment)
    return backend_launch("old", port, environment, around)


def backend_launch(label: str, port: int, environment: dict[str, str], around: Surroundings) -> Launch:
    """A backend with its database's route; raises Unstartable when the address leads nowhere."""
    host = environment["DB_HOST"]
    route = around.names.route(host, int(environment["DB_PORT"]))
    if route is None:
        raise Unstartable(f"database address {host}:{environment['DB_PORT']} leads nowhere")
    if not environment.get("JWT_SECRET"):
        raise Unstartable("JWT_SECRET is empty")
    return Launch("backend", label, port, environment, route)


def _secret(link: EmulatorLink, values: dict[str, str], key: str, wanted: tuple[str, ...]) -> dict[str, Any]:
    arn = values.get(key)
    if not arn:
        raise Unstartable(f"user data names no {key}")
    try:
        document = json.loads(link.secret(arn))
    except EmulatorError as error:
        raise Unstartable(f"{key}: {error.code or error}") from error
    except ValueError as error:
        raise Unstartable(f"{key}: the secret is not JSON") from error
    missing = [name for name in wanted if not document.get(name)]
    if missing:
        raise Unstartable(f"{key}: the secret lacks {', '.join(missing)}")
    found: dict[str, Any] = document
    return found


@dataclass
class StandIn:
    """One application process, started again when it ends, until it is stopped."""

    name: str
    around: Surroundings
    launch: Launch | None = None
    port: int | None = None
    reason: str = "not started yet"
    _child: Child | None = None
    _next_try: float = 0.0
    _ready_file: Path = field(default_factory=Path)

    def keep(self, make: Any) -> None:
        """Start it when it does not run and a try is due; `make()` gives the Launch or raises Unstartable."""
        if self._child is not None and self._child.alive:
            if self.port is None and self._ready_file.exists():
                self.port = int(self._ready_file.read_text(encoding="utf-8"))
                self.reason = ""
            return
        if time.monotonic() < self._next_try:
            return
        self._next_try = time.monotonic() + RETRY_SECONDS
        self.port = None
        try:
            self.launch = make()
            self._start(self.launch)
            self._say("starting")
        except Unstartable as error:
            self._say(str(error))

    def stop(self) -> None:
        """End it."""
        self.port = None
        if self._child is not None:
            self._child.stop(1.0)
            self._child = None
        self._ready_file.unlink(missing_ok=True) if self._ready_file != Path() else None

    @property
    def pid(self) -> int | None:
        """Its process, while it has one."""
        return self._child.pid if self._child else None

    def _start(self, launch: Launch) -> None:
        if self._child is not None:
            self._child.stop(0.1)
        safe = re.sub(r"[^A-Za-z0-9-]", "_", self.name)
        folder = self.around.folder
        self._ready_file = folder / f"{safe}.port"
        self._ready_file.unlink(missing_ok=True)
        config = folder / f"{safe}.json"
        document = {
            "role": launch.role,
            "label": launch.label,
            "environment": launch.environment,
            "database_port": launch.database_port,
            "ready_file": str(self._ready_file),
        }
        write_private(config, json.dumps(document).encode())
        environment = child_environment(self.around.violations_file)
        self._child = Child("migrator.lab.app", [str(config)], folder / f"{safe}.log", environment)

    def _say(self, reason: str) -> None:
        if reason == self.reason:
            return
        self.reason = reason
        line = json.dumps({"time": round(time.time(), 3), "stand_in": self.name, "what": reason}) + "\n"
        with (self.around.folder / "stand-ins.log").open("a", encoding="utf-8") as output:
            output.write(line)
