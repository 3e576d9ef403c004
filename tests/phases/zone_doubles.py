"""A step's context whose Route 53 keeps its word: batches exact and whole, in sync only after a while."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar, cast

from migrator.contracts.aws import AwsRefused
from migrator.contracts.context import StepContext, Tools
from migrator.contracts.dns import DnsAnswer, DnsServer, DnsStatus
from migrator.contracts.http import Http
from migrator.secrets import Secret

P = TypeVar("P")
Record = dict[str, Any]


class Crash(BaseException):
    """The runner dies here."""


class SteppingClock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.time = datetime(2026, 1, 3, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


class Notes:
    """A channel that keeps everything; `memory` lives as long as the run."""

    def __init__(self, clock: SteppingClock) -> None:
        self.clock = clock
        self.memory: dict[str, Any] = {}
        self.lines: list[str] = []
        self.on_sleep: Callable[[], None] = lambda: None
        self.on_remember: Callable[[Mapping[str, Any]], None] = lambda values: None

    def remember(self, values: Mapping[str, Any]) -> None:
        self.on_remember(values)
        self.memory.update(copy.deepcopy(dict(values)))

    def spawned(self, child: Any) -> None:
        raise NotImplementedError

    def log(self, line: str) -> None:
        self.lines.append(line)

    def command(self, argv: Any) -> None:
        raise NotImplementedError

    def progress(self, message: str, *_: Any, **__: Any) -> None:
        self.lines.append(message)

    def check_cancelled(self) -> None:
        """Never cancelled."""

    def sleep(self, seconds: float) -> None:
        self.clock.sleep(seconds)
        self.on_sleep()


def record(name: str, kind: str, ttl: int, *values: str, **more: Any) -> Record:
    """A record set as the API lists it."""
    return {
        "Name": f"{name}.",
        "Type": kind,
        "TTL": ttl,
        "ResourceRecords": [{"Value": value} for value in values],
        **more,
    }


class StrictRoute53:
    """Hosted zone Z1 of example.com."""

    account, region = "111122223333", "us-west-2"

    def __init__(self, *records: Record) -> None:
        self.records: list[Record] = [
            record("example.com", "NS", 172_800, "ns1.example.net."),
            record("example.com", "SOA", 900, "ns1.example.net. a.example.net. 1 7200 900 1209600 86400"),
            *records,
        ]
        self.batches: list[list[dict[str, Any]]] = []
        self.pending_looks = 2
        self.before_change: Callable[[], None] = lambda: None
        self.after_change: Callable[[], None] = lambda: None

    def at(self, *names: str) -> list[Record]:
        """The records of names, in a stable order."""
        found = [r for r in self.records if r["Name"].rstrip(".") in names]
        return sorted(copy.deepcopy(found), key=lambda r: (r["Name"], r["Type"]))

    def replace(self, name: str, *records: Record) -> None:
        """Somebody else's change."""
        self.records = [r for r in self.records if r["Name"] != f"{name}."] + list(records)

    def pages(self, service: str, operation: str, key: str, **parameters: Any) -> Iterator[Any]:
        assert (service, operation, key) == ("route53", "list_resource_record_sets", "ResourceRecordSets")
        return iter(copy.deepcopy(self.records))

    def call(self, service: str, operation: str, *, region: str | None = None, **p: Any) -> dict[str, Any]:
        assert service == "route53"
        return cast("dict[str, Any]", getattr(self, f"_{operation}")(**p))

    def _get_hosted_zone(self, Id: str) -> dict[str, Any]:  # noqa: N803
        return {
            "HostedZone": {"Id": f"/hostedzone/{Id}", "Name": "example.com.", "Config": {}},
            "DelegationSet": {"NameServers": ["ns1.example.net"]},
        }

    def _get_change(self, Id: str) -> dict[str, Any]:  # noqa: N803
        self.pending_looks -= 1
        return {"ChangeInfo": {"Id": Id, "Status": "PENDING" if self.pending_looks >= 0 else "INSYNC"}}

    def _change_resource_record_sets(self, HostedZoneId: str, ChangeBatch: Any) -> dict[str, Any]:  # noqa: N803
        self.before_change()
        after = list(self.records)
        for change in ChangeBatch["Changes"]:
            wanted = change["ResourceRecordSet"]
            if change["Action"] == "DELETE":
                if wanted not in after:
                    raise AwsRefused("values do not match", code="InvalidChangeBatch")
                after.remove(wanted)
            else:
                assert change["Action"] == "CREATE", "never UPSERT"
                here = [r["Type"] for r in after if r["Name"] == wanted["Name"]]
                if wanted["Type"] in here or "CNAME" in here:
                    raise AwsRefused("it already exists", code="InvalidChangeBatch")
                after.append(copy.deepcopy(wanted))
        self.records = after
        self.batches.append(ChangeBatch["Changes"])
        self.after_change()
        return {"ChangeInfo": {"Id": f"/change/C{len(self.batches)}", "Status": "PENDING"}}


class ScriptedDns:
    """Answers from `answers`: (server label, name) to an answer."""

    def __init__(self, authoritative: tuple[str, ...], resolvers: tuple[str, ...]) -> None:
        self._authoritative, self._resolvers = authoritative, resolvers
        self.answers: dict[tuple[str, str], tuple[DnsStatus, tuple[str, ...], tuple[str, ...]]] = {}
        self.asked: list[tuple[str, str]] = []

    def ask(self, server: DnsServer, name: str, kind: str = "A", timeout: float = 3.0) -> DnsAnswer:
        self.asked.append((server.label, name))
        status, chain, values = self.answers.get(
            (server.label, name), self.answers.get(("*", name), (DnsStatus.NO_ANSWER, (), ()))
        )
        return DnsAnswer(name, kind, server, status, values=values, chain=chain, ttl=60)

    def authoritative(self, zone: str, name_servers: Any = ()) -> tuple[DnsServer, ...]:
        return tuple(DnsServer("203.0.113.53", 53, label) for label in self._authoritative)

    def resolvers(self, public: Any = ()) -> tuple[DnsServer, ...]:
        return tuple(DnsServer("203.0.113.54", 53, label) for label in (*self._resolvers, *public))

    def resolve(self, name: str) -> tuple[str, ...]:
        raise NotImplementedError


class FixedSecrets:
    """Secrets by reference."""

    def resolve(self, reference: str) -> Secret:
        return Secret(f"value-of-{reference}")


class World:
    """The surroundings of one step over all its attempts."""

    def __init__(self, work: Path, *, aws: Any = None, dns: Any = None, http: Http | None = None) -> None:
        self.clock = SteppingClock()
        self.notes = Notes(self.clock)
        self.work = work
        self.baseline: dict[str, Any] = {}
        unused = cast("Any", None)
        self.tools = Tools(
            aws=aws,
            terraform=unused,
            postgres=unused,
            images=unused,
            dns=dns,
            http=cast("Http", http),
            processes=unused,
            secrets=FixedSecrets(),
            clock=self.clock,
        )

    def context(self, params: P) -> StepContext[P]:
        """The context of a fresh process: only what is durable is in it."""
        return StepContext(
            run_id="r1",
            step_id="s1",
            params=params,
            key="r1-s1",
            attempt=1,
            work=self.work,
            shipped=self.work,
            tags={},
            baseline=self.baseline,
            memory=self.notes.memory,
            children=(),
            account="111122223333",
            region="us-west-2",
            tools=self.tools,
            channel=self.notes,
        )


WWW, API = "www.example.com", "api.example.com"


def old_records() -> tuple[Record, Record]:
    """The two names as they lead to the old platform."""
    return (
        record(WWW, "CNAME", 3600, "Front.Old.example.net."),
        record(API, "CNAME", 300, "back.old.example.net"),
    )
