"""The lab's one supervisor: starts every part in order, writes the manifest, and takes everything down again."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import signal
import ssl
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from migrator.lab import databases, guard, images
from migrator.lab.authority import Authority, write_private
from migrator.lab.aws.link import EmulatorLink
from migrator.lab.children import Child, child_environment
from migrator.lab.client import ALREADY_STARTING, boot_id, manifest_file, process_start_time
from migrator.lab.clusters import Clusters
from migrator.lab.control import ControlServer, Questions
from migrator.lab.dns import Authority as DnsAuthority
from migrator.lab.dns import DnsServer, Resolver
from migrator.lab.ledger import reconcile
from migrator.lab.names import Names, Target
from migrator.lab.platform import Platform
from migrator.lab.registry import Registry
from migrator.lab.spec import LabSpec, load_spec
from migrator.lab.standins import Surroundings
from migrator.lab.traffic import Unreachable
from migrator.lab.visitor import sign_in

_KEPT_AT_START = ("spec.json", "lab.log", "lock")
PART_SECONDS = 60.0


class LabStartError(RuntimeError):
    """A part of the lab did not come up."""


@dataclass
class Parts:
    """What has been started, in order; the end goes backwards."""

    clusters: Clusters
    aws: Child | None = None
    dns: tuple[DnsServer, ...] = ()
    registry: Registry | None = None
    platform: Platform | None = None
    traffic: Child | None = None


class Supervisor:
    """Owns one lab folder and everything that runs for it."""

    def __init__(self, folder: Path, spec: LabSpec) -> None:
        self._folder = folder
        self._spec = spec
        self._token = secrets.token_urlsafe(24)
        self._violations = folder / "violations.jsonl"
        self._figures = folder / "traffic.json"
        self._ledger = folder / "ledger.jsonl"
        self._parts = Parts(Clusters(folder / "clusters"))
        self._names = Names(spec.alias_ttl_seconds)
        self._done = threading.Event()
        self._ending = threading.Lock()
        self._final: dict[str, Any] | None = None
        self._leftovers: list[str] | None = None

    def run(self) -> int:
        """Start, serve until told to stop, and end; returns the exit status."""
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: self._done.set())
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            control = self._start()
        except BaseException:
            self._end(keep_folder=True)
            raise
        self._done.wait()
        self._end(keep_folder=False)
        control.stop()
        return 0

    def _start(self) -> ControlServer:
        link_ready = self._start_aws()
        authority = Authority(self._folder / "ca")
        self._parts.clusters.start()
        facts = self._parts.clusters.seed(
            source_dump=Path(self._spec.database.source_dump) if self._spec.database.source_dump else None,
            source_url=self._spec.database.source_url,
            rows=self._spec.database.rows,
        )
        source = self._parts.clusters.source
        databases.ensure_tables(source, facts.database, facts.owner_role, facts.application_role)
        pictures = {
            name: images.write_layout(self._folder / "images" / name, name, self._spec.image_size_bytes)
            for name in ("backend", "frontend")
        }
        jwt_secret = secrets.token_urlsafe(32)
        registry_host = f"registry.{self._spec.domain}"
        write_private(
            self._folder / "seed.json",
            json.dumps(
                {
                    "database": facts.database,
                    "application_role": facts.application_role,
                    "application_password": facts.application_password.reveal(),
                    "jwt_secret": jwt_secret,
                    "backend_image": f"{registry_host}/backend@{pictures['backend'].digest}",
                    "frontend_image": f"{registry_host}/frontend@{pictures['frontend'].digest}",
                }
            ).encode(),
        )
        link, seeded = link_ready()
        self._start_servers(link, authority)
        self._wait_for_old_world()
        control = ControlServer(self._questions(), self._token)
        secret_files = {
            "session_token_secret": self._visitor_session(authority),
            "source_admin_password_secret": facts.admin_password.reveal(),
            "source_application_password_secret": facts.application_password.reveal(),
            "jwt_secret": jwt_secret,
        }
        variables: dict[str, Any] = {
            **seeded,
            "domain": self._spec.domain,
            "source_admin_role": facts.admin_role,
            "source_owner_role": facts.owner_role,
            "source_application_role": facts.application_role,
            **{name: self._secret_file(name, value) for name, value in secret_files.items()},
            **{f"{name}_image": f"oci:{picture.layout}" for name, picture in pictures.items()},
            **{f"{name}_image_digest": picture.digest for name, picture in pictures.items()},
        }
        if self._spec.traffic.enabled:
            self._start_traffic(control, authority)
        self._write_manifest(control, authority, variables, link)
        return control

    def _start_aws(self) -> Any:
        ready = self._folder / "aws-ready.json"
        config = self._folder / "aws.json"
        document = {
            "spec": asdict(self._spec),
            "token": self._token,
            "calls_file": str(self._folder / "aws-calls.jsonl"),
            "secrets_file": str(self._folder / "seed.json"),
            "ready_file": str(ready),
        }
        write_private(config, json.dumps(document).encode())
        child = self._child("migrator.lab.aws.server", config, "aws.log")
        self._parts.aws = child

        def link_ready() -> tuple[EmulatorLink, dict[str, str]]:
            until = time.monotonic() + PART_SECONDS
            while not ready.exists():
                if not child.alive or time.monotonic() > until:
                    raise LabStartError(
                        f"the emulator did not start: {child.log.read_text(errors='replace')[-800:]}"
                    )
                time.sleep(0.05)
            answer = json.loads(ready.read_text(encoding="utf-8"))
            return EmulatorLink(answer["port"], self._token, self._spec.region), answer["variables"]

        return link_ready

    def _start_servers(self, link: EmulatorLink, authority: Authority) -> None:
        spec = self._spec
        registry = Registry(
            self._folder / "registry", link, spec.account, authority.server_context((spec.registry_host,))
        )
        self._parts.registry = registry
        self._names.fix(spec.registry_host, Target("new", "registry", {443: registry.port}))
        self._parts.dns = (
            DnsServer(DnsAuthority(self._names), "authoritative"),
            DnsServer(Resolver(self._names, spec.negative_ttl_seconds), "resolver"),
        )
        stand_ins = self._folder / "stand-ins"
        stand_ins.mkdir(mode=0o700)
        around = Surroundings(link, self._names, registry, stand_ins, self._violations)
        instances = databases.DatabaseInstances(
            self._parts.clusters, self._names, link, spec.old_database_instance
        )
        self._instances = instances
        self._parts.platform = Platform(spec, self._names, around, authority, instances)
        self._parts.platform.start()

    def _wait_for_old_world(self) -> None:
        platform = self._parts.platform
        assert platform is not None
        until = time.monotonic() + PART_SECONDS
        while time.monotonic() < until:
            stand_ins = platform.states()["stand_ins"]
            if len(stand_ins) >= 2 and all(entry["running"] for entry in stand_ins.values()):
                return
            time.sleep(0.1)
        raise LabStartError(f"the old application did not start: {platform.states()}")

    def _visitor_session(self, authority: Authority) -> str:
        context = ssl.create_default_context(cafile=str(authority.ca_file))
        try:
            return sign_in(self._spec.api_host, self._parts.dns[1].port, self._names.route, context)
        except Unreachable as error:
            raise LabStartError(str(error)) from error

    def _start_traffic(self, control: ControlServer, authority: Authority) -> None:
        config = self._folder / "traffic-config.json"
        document = {
            "api_host": self._spec.api_host,
            "www_host": self._spec.www_host,
            "resolver_port": self._parts.dns[1].port,
            "control": f"http://127.0.0.1:{control.port}",
            "token": self._token,
            "ca_file": str(authority.ca_file),
            "ledger_file": str(self._ledger),
            "figures_file": str(self._figures),
            "clients": self._spec.traffic.clients,
            "requests_per_second": self._spec.traffic.requests_per_second,
            "write_share": self._spec.traffic.write_share,
        }
        write_private(config, json.dumps(document).encode())
        self._parts.traffic = self._child("migrator.lab.traffic", config, "traffic.log")

    def _child(self, module: str, config: Path, log: str) -> Child:
        return Child(module, [str(config)], self._folder / log, child_environment(self._violations))

    def _secret_file(self, name: str, value: str) -> str:
        folder = self._folder / "secrets"
        folder.mkdir(mode=0o700, exist_ok=True)
        write_private(folder / name, value.encode())
        return f"file:{folder / name}"

    def _write_manifest(
        self, control: ControlServer, authority: Authority, variables: dict[str, Any], link: EmulatorLink
    ) -> None:
        document = {
            "format": 1,
            "pid": os.getpid(),
            "start_time": process_start_time(os.getpid()),
            "boot_id": boot_id(),
            "control": f"http://127.0.0.1:{control.port}",
            "token": self._token,
            "aws": {
                "endpoint": f"http://127.0.0.1:{link.port}",
                "account": self._spec.account,
                "region": self._spec.region,
                "access_key_id": "lab",
                "secret_access_key": "lab",
            },
            "dns": {
                "authoritative": ["127.0.0.1", self._parts.dns[0].port],
                "resolver": ["127.0.0.1", self._parts.dns[1].port],
            },
            "ca_file": str(authority.ca_file),
            "variables": variables,
        }
        write_private(manifest_file(self._folder), json.dumps(document, indent=1).encode())

    def _questions(self) -> Questions:
        return Questions(
            route=self._names.route,
            traffic=self._traffic,
            finish=self._finish,
            violations=lambda: guard.violations(self._violations),
            health=self._health,
            stop=self._stop,
            leave=self._done.set,
        )

    def _traffic(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads(self._figures.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        return found

    def _finish(self) -> dict[str, Any]:
        with self._ending:
            if self._final is None:
                if self._parts.traffic is not None:
                    self._parts.traffic.stop_gently(20.0)
                self._final = {**self._traffic(), **self._reckoning()}
            return self._final

    def _reckoning(self) -> dict[str, Any]:
        assert self._parts.platform is not None
        behind = self._parts.platform.database_behind(self._spec.api_host)
        if behind is None:
            return {"error": f"{self._spec.api_host} leads to no database", "database": None}
        kind, port, name = behind
        server = self._instances.server_at(port)
        if server is None:
            return {"error": "the application's database is none of the lab's", "database": None}
        result = reconcile(self._ledger, databases.client_refs(server, name))
        writes = {**self._traffic().get("writes", {}), **result.document()}
        return {"writes": writes, "database": {"platform": kind, "name": name}}

    def _health(self) -> dict[str, Any]:
        parts = self._parts
        children = {"aws": parts.aws, "traffic": parts.traffic}
        platform = parts.platform.states() if parts.platform else {}
        alive = {name: child.alive for name, child in children.items() if child is not None}
        return {"alive": alive, "violations": len(guard.violations(self._violations)), **platform}

    def _stop(self) -> list[str]:
        return self._end(keep_folder=False)

    def _end(self, keep_folder: bool) -> list[str]:
        with self._ending:
            if self._leftovers is None:
                self._leftovers = self._take_down(keep_folder)
            return self._leftovers

    def _take_down(self, keep_folder: bool) -> list[str]:
        parts = self._parts
        pids = [child.pid for child in (parts.aws, parts.traffic) if child is not None]
        if parts.platform is not None:
            pids += parts.platform.pids()
        if parts.traffic is not None:
            parts.traffic.stop(0.5)
        if parts.platform is not None:
            parts.platform.stop()
        if parts.registry is not None:
            parts.registry.stop()
        for server in parts.dns:
            server.stop()
        if parts.aws is not None:
            parts.aws.stop(1.0)
        parts.clusters.stop()
        leftovers = [f"process {pid}" for pid in pids if process_start_time(pid)]
        if not keep_folder:
            shutil.rmtree(self._folder, ignore_errors=True)
            if self._folder.exists():
                leftovers.append(f"folder {self._folder}")
        leftovers += _processes_naming(str(self._folder))
        return leftovers


def _processes_naming(folder: str) -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            pid = int(entry.parent.name)
            # the starter's own process may name the folder too: only the lab's programs count
            command = entry.read_bytes().split(b"\0")
            ours = any(part.startswith(b"migrator.lab") or b"postgres" in part for part in command)
            if pid != os.getpid() and ours and any(folder.encode() in part for part in command):
                found.append(f"process {pid}")
    return found


def main(arguments: list[str]) -> int:
    """`python -m migrator.lab <lab dir> <spec.json>`; 75 when the folder's lab is being started by another."""
    folder, spec = Path(arguments[0]).resolve(), load_spec(Path(arguments[1]))
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.umask(0o077)
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.stderr.write(f"a lab is running or starting in {folder}\n")
        return ALREADY_STARTING
    if manifest_file(folder).exists():
        sys.stderr.write(f"the lab in {folder} has ended; remove the folder to start anew\n")
        return 1
    for entry in folder.iterdir():
        if entry.name not in _KEPT_AT_START:
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    guard.install(folder / "violations.jsonl")
    return Supervisor(folder, spec).run()
