"""The platform: follows the emulated account and makes real what Terraform and Lightsail put there."""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

from migrator.lab import balancer, standins
from migrator.lab.authority import Authority
from migrator.lab.databases import DatabaseInstances
from migrator.lab.fronts import Decision, Front
from migrator.lab.health import HealthChecks
from migrator.lab.names import Names, Target
from migrator.lab.spec import LabSpec
from migrator.lab.standins import StandIn, Surroundings

FOLLOW_SECONDS = 0.4
METRIC_SECONDS = 1.0


class Platform:
    """Stand-ins, fronts, health and databases, kept as the emulated account says."""

    def __init__(
        self,
        spec: LabSpec,
        names: Names,
        around: Surroundings,
        authority: Authority,
        databases: DatabaseInstances,
    ) -> None:
        self._spec = spec
        self._names = names
        self._around = around
        self._link = around.link
        self._authority = authority
        self._databases = databases
        self._stand_ins: dict[str, StandIn] = {}
        self._fronts: dict[str, Front] = {}
        self._listeners: dict[str, dict[str, Any]] = {}
        self._groups: list[dict[str, Any]] = []
        self._reported: dict[str, int] = {}
        self._health = HealthChecks(lambda found: self._link.ask("health", found))
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Follow from now on, in threads of its own."""
        self._repeatedly(FOLLOW_SECONDS, self.follow)
        self._repeatedly(self._spec.health_interval_seconds, self._check_health)
        self._repeatedly(METRIC_SECONDS, self._report_traffic)

    def stop(self) -> None:
        """End every stand-in and front."""
        self._stop.set()
        for thread in self._threads:
            thread.join(5)
        for front in self._fronts.values():
            front.stop()
        for stand_in in self._stand_ins.values():
            stand_in.stop()

    def follow(self) -> None:
        """Look once, and start or stop what differs."""
        world = self._link.world()
        self._names.set_zones(world["zones"])
        self._databases.follow(world["databases"])
        self._follow_stand_ins(world)
        self._groups = world["target_groups"]
        wanted = self._follow_services(world) | self._follow_balancers(world)
        for key in set(self._fronts) - wanted:
            self._fronts.pop(key).stop()
            self._listeners.pop(key, None)

    def pids(self) -> list[int]:
        """Processes of the stand-ins."""
        return [stand_in.pid for stand_in in list(self._stand_ins.values()) if stand_in.pid]

    def states(self) -> dict[str, Any]:
        """What each stand-in is doing or why it is not, and what databases could not be made."""
        stand_ins = {
            name: {"running": stand_in.port is not None, "reason": stand_in.reason}
            for name, stand_in in list(self._stand_ins.items())
        }
        fronts = {
            key: {"requests": front.requests, "by_status": front.by_status}
            for key, front in self._fronts.items()
        }
        return {"stand_ins": stand_ins, "databases": self._databases.problems, "fronts": fronts}

    def database_behind(self, host: str) -> tuple[str, int, str] | None:
        """(`old` or `new`, loopback port, database name) that the application behind a host name uses."""
        target = self._names.final_target(host)
        if target is None:
            return None
        for stand_in in list(self._stand_ins.values()):
            launch = stand_in.launch
            if launch is not None and launch.label == target.kind and launch.database is not None:
                return (target.kind, *launch.database)
        return None

    def _follow_stand_ins(self, world: dict[str, Any]) -> None:
        wanted: dict[str, Callable[[], standins.Launch]] = {}
        for group in world["groups"]:
            for instance in group["instances"]:
                wanted[instance["id"]] = _from_user_data(instance["user_data"], self._around)
        for service in world["services"]:
            if service["deployment"]:
                key = f"lightsail/{service['name']}/{service['deployment']['version']}"
                wanted[key] = _from_container(service["deployment"], self._around)
        for name in set(self._stand_ins) - set(wanted):
            self._stand_ins.pop(name).stop()
        for name, make in wanted.items():
            if name not in self._stand_ins:
                self._stand_ins[name] = StandIn(name, self._around)
            self._stand_ins[name].keep(make)

    def _follow_services(self, world: dict[str, Any]) -> set[str]:
        wanted = set()
        for service in world["services"]:
            key = f"lightsail/{service['name']}"
            wanted.add(key)
            if key in self._fronts:
                continue
            own = tuple(domain for domains in service["domains"].values() for domain in domains)
            context = self._authority.server_context((service["host"], *own))
            front = Front(key, self._service_decision(service["name"]), context)
            self._fronts[key] = front
            self._names.publish(service["host"], Target("old", service["name"], {443: front.port}))
        hosts = {service["host"] for service in world["services"]}
        self._withdraw_gone("cs.amazonlightsail.com", hosts)
        return wanted

    def _service_decision(self, name: str) -> Callable[[str, str], Decision]:
        prefix = f"lightsail/{name}/"

        def decide(*_: str) -> Decision:
            running = [
                stand_in.port
                for key, stand_in in list(self._stand_ins.items())
                if key.startswith(prefix) and stand_in.port is not None
            ]
            return Decision(ports=tuple(running))

        return decide

    def _follow_balancers(self, world: dict[str, Any]) -> set[str]:
        wanted = set()
        for load_balancer in world["load_balancers"]:
            ports = {}
            for listener in load_balancer["listeners"]:
                key = listener["arn"]
                self._listeners[key] = listener
                names = tuple(listener["certificate_names"])
                if listener["protocol"] == "HTTPS" and not names:
                    continue
                wanted.add(key)
                context = self._authority.server_context(names) if listener["protocol"] == "HTTPS" else None
                if key not in self._fronts:
                    self._fronts[key] = Front(key, self._listener_decision(key), context)
                elif context is not None:
                    self._fronts[key].set_context(context)
                ports[listener["port"]] = self._fronts[key].port
            target = Target("new", load_balancer["arn"], ports)
            self._names.publish(load_balancer["dns_name"], target, addresses=2)
        self._withdraw_gone("elb.amazonaws.com", {entry["dns_name"] for entry in world["load_balancers"]})
        return wanted

    def _listener_decision(self, key: str) -> Callable[[str, str], Decision]:
        def decide(host: str, path: str) -> Decision:
            listener = self._listeners.get(key)
            return balancer.decide(listener, self._healthy_ports, host, path) if listener else Decision()

        return decide

    def _healthy_ports(self, arn: str) -> tuple[int, ...]:
        found = (self._stand_ins.get(target) for target in self._health.healthy(arn))
        return tuple(
            stand_in.port for stand_in in found if stand_in is not None and stand_in.port is not None
        )

    def _withdraw_gone(self, suffix: str, present: set[str]) -> None:
        for host in self._names.published():
            if host.endswith(suffix) and host not in present:
                self._names.withdraw(host)

    def _check_health(self) -> None:
        self._health.check(self._groups, dict(self._stand_ins))

    def _report_traffic(self) -> None:
        counts = {}
        for key, front in list(self._fronts.items()):
            if key.startswith("lightsail/"):
                name = key.removeprefix("lightsail/")
                counts[name] = front.requests - self._reported.get(key, 0)
                self._reported[key] = front.requests
        if any(counts.values()):
            self._link.ask("traffic", counts)

    def _repeatedly(self, seconds: float, work: Callable[[], None]) -> None:
        def loop() -> None:
            while not self._stop.wait(seconds):
                begun = time.monotonic()
                try:
                    work()
                except Exception:  # noqa: BLE001 - the platform goes on; what went wrong is in the lab's log
                    if not self._stop.is_set():
                        traceback.print_exc(file=sys.stderr)
                        self._stop.wait(1.0)
                if time.monotonic() - begun > 5:
                    sys.stderr.write(f"{work.__name__} took {time.monotonic() - begun:.1f} s\n")

        thread = threading.Thread(target=loop, name=work.__name__, daemon=True)
        thread.start()
        self._threads.append(thread)


def _from_user_data(user_data: str, around: Surroundings) -> Callable[[], standins.Launch]:
    return lambda: standins.launch_from_user_data(user_data, around)


def _from_container(deployment: dict[str, Any], around: Surroundings) -> Callable[[], standins.Launch]:
    return lambda: standins.launch_from_container(deployment, around)
