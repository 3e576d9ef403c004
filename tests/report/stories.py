"""Runs told by hand: a runbook of a few steps, and records at chosen seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from migrator.model.records import Kind, Record
from migrator.model.runbook import CostLine, Phase, PointOfNoReturn, Runbook, StepKind, Wait
from migrator.model.state import RunState, fold
from migrator.report import build_report
from tests.engine.books import gate, step

BEGUN = datetime(2026, 1, 3, 2, 0, tzinfo=UTC)


def runbook() -> Runbook:
    """Two phases with work of every kind; two stacks side by side."""
    build = (
        step("look", "preflight.tools"),
        step("network", "parallel_infra.stack", needs=("look",)),
        step("registry", "parallel_infra.stack", needs=("look",)),
        step("push", "ecr_push.image", needs=("registry",)),
    )
    move = (
        step("fence", "db_migration.fence", needs=("network",), downtime="starts"),
        step("compare", "db_migration.compare", needs=("fence",)),
        gate("agree", needs=("compare",), evidence=("compare",), ponr=PointOfNoReturn.NEW_WRITES),
        step("cutover", "dns_cutover.cutover", needs=("agree",), downtime="ends"),
        step("soak", "", needs=("cutover",), kind=StepKind.WAIT, wait=Wait(5.0, "soak")),
    )
    phases = (Phase("build", "Build", "", build), Phase("move", "Move", "", move, after=("build",)))
    cost = (CostLine("Compute", 14.0, 22.5), CostLine("Load balancer", 0.0, 16.0))
    return Runbook("test", "Moving the test", "", (), phases, {}, cost, "0" * 64, "test.yaml")


class Story:
    """Records, one after another, at seconds since the beginning."""

    def __init__(self, mode: str = "rehearse") -> None:
        self.rows: list[Record] = []
        self.runbook = runbook()
        self.say(
            0,
            Kind.RUN_CREATED,
            run_id="test-1",
            runbook="test",
            mode=mode,
            account="111122223333",
            region="us-west-2",
            who="ada",
            created=BEGUN.isoformat(),
            versions={"migrator": "0.1.0"},
        )
        self.say(1, Kind.RUNNER_STARTED, pid=1)

    def say(self, second: float, kind: Kind, **body: Any) -> None:
        """One record."""
        at = (BEGUN + timedelta(seconds=second)).isoformat()
        self.rows.append(Record(len(self.rows) + 1, at, kind, body, ""))

    def begin(self, name: str, second: float, attempt: int = 1) -> None:
        """An INTENT."""
        self.say(second, Kind.INTENT, step=name, attempt=attempt)

    def done(self, name: str, begun: float, ended: float, *, adopted: bool = False, **report: Any) -> None:
        """A step from INTENT to DONE with one green check."""
        self.begin(name, begun)
        self.say(ended, Kind.OUTCOME, step=name, attempt=1, ok=True, error=None)
        checks = [{"name": f"{name} is there", "ok": True, "detail": "seen"}]
        self.say(ended, Kind.VERIFIED, step=name, attempt=1, ok=True, checks=checks)
        self.say(ended, Kind.DONE, step=name, attempt=1, outputs={}, report=report, adopted=adopted)

    @property
    def state(self) -> RunState:
        """The fold."""
        return fold(self.rows)

    @property
    def report(self) -> dict[str, Any]:
        """The report as data."""
        return build_report(self.state, self.runbook)


def stack(name: str, seconds: float) -> dict[str, Any]:
    """What a Terraform step reports."""
    return {"stack": name, "added": 4, "changed": 1, "destroyed": 0, "seconds": seconds}


def timeline(seconds: int = 60, shut: range = range(40, 45)) -> list[dict[str, Any]]:
    """Traffic: old, then shut, then new."""
    rows = []
    for second in range(seconds):
        failed = second in shut
        rows.append(
            {
                "second": second,
                "ok": 0 if failed else 40,
                "failed": 38 if failed else 0,
                "writes": 0 if failed else 14,
                "writes_failed": 13 if failed else 0,
                "milliseconds": 3.5,
                "old": 40 if second < shut.start else 0,
                "new": 40 if second >= shut.stop else 0,
            }
        )
    return rows


TRAFFIC: Mapping[str, Any] = {
    "requests": 2_390,
    "failed": 190,
    "failures": {"status 503": 190},
    "unavailable_seconds": 5.2,
    "unavailable_longest_seconds": 5.2,
    "served_by": {"old": 1600, "new": 600},
    "latency_milliseconds": {"old": {"p50": 2.5, "p95": 9.0, "max": 64.8}},
    "writes": {"acknowledged": 770, "found": 770, "lost": 0, "duplicated": 0, "lost_ids": [], "database": {}},
    "timeline": timeline(),
}


def full(*, measured: bool = True, mode: str = "rehearse") -> Story:
    """A whole run without trouble."""
    story = Story(mode)
    story.done("look", 10, 11)
    story.begin("network", 11)
    story.done("registry", 11, 21, terraform=[stack("test/registry", 8.0)])
    digest = "sha256:" + "a" * 64
    story.done("push", 21, 23, images=[{"name": "app", "digest": digest, "verified": True}])
    story.say(
        31, Kind.DONE, step="network", attempt=1, outputs={}, report={"terraform": [stack("test/n", 18.0)]}
    )
    story.done("fence", 32, 34)
    checks = [{"name": "rows", "ok": True}, {"name": "indexes", "ok": True}]
    database = {"tables": 3, "rows": 4_500, "freeze_seconds": 4.0, "checks": checks}
    story.done("compare", 34, 36, database=database)
    evidence = [{"name": "compare: rows", "ok": True, "detail": "", "at": BEGUN.isoformat()}]
    story.say(
        36, Kind.GATE_OPENED, step="agree", question="Go on?", yes="on", no="off", confirm="", checks=evidence
    )
    story.say(
        37,
        Kind.DECISION,
        step="agree",
        command="approve",
        by="person",
        who="ada",
        host="desk",
        reason="all green",
    )
    story.say(37, Kind.PONR_PASSED, step="agree", which="new_writes")
    story.say(37, Kind.DONE, step="agree", attempt=1)
    records = [{"name": "www.example.com", "before": "CNAME old", "after": "A alias new"}]
    story.done("cutover", 37, 39, dns=records)
    story.say(39, Kind.WAIT_STARTED, step="soak", until=BEGUN.isoformat(), reason="soak")
    story.say(44, Kind.DONE, step="soak", attempt=1)
    if measured:
        story.say(46, Kind.MEASURED, name="traffic", values=TRAFFIC)
        story.say(46, Kind.MEASURED, name="outside_contacts", values={"items": []})
        story.say(47, Kind.MEASURED, name="leftovers", values={"items": []})
        row = {"kind": "wait", "name": "soak", "real": 86_400.0, "rehearsal": 5.0}
        story.say(47, Kind.MEASURED, name="differences", values={"items": [row]})
    story.say(50, Kind.FINISHED, outcome="done")
    return story


def troubled() -> Story:
    """Stopped half-way: one step adopted, one skipped an hour after it failed, one failed, one blocked."""
    story = Story()
    story.done("look", 10, 11, adopted=True)
    error = {
        "kind": "Refused",
        "what": "the quota is used up",
        "where": "step registry",
        "next": "ask for more",
    }
    story.begin("registry", 11)
    story.say(13, Kind.FAILED, step="registry", attempt=1, error=error)
    story.say(
        3613, Kind.DECISION, step="registry", command="skip", by="person", who="ada", reason="made by hand"
    )
    story.say(3613, Kind.SKIPPED, step="registry", reason="made by hand", who="ada")
    story.begin("network", 3614)
    story.say(3620, Kind.FAILED, step="network", attempt=1, error=error)
    story.begin("push", 3614)
    story.say(
        3616, Kind.BLOCKED, step="push", attempt=1, reason="something is there", evidence="an image", error={}
    )
    story.say(3625, Kind.RUNNER_STOPPED, reason="failed")
    return story


HOSTILE = (
    "<script>alert(1)</script>",
    "\" onmouseover=\"alert(1)' x='",
    "</td></table><img src=http://203.0.113.9/x>",
    "![x](http://203.0.113.9/x) [y](javascript:z) `code` | cell | **bold**",
    "# heading\n\n- item\r\n\x1b[31mred\x1b]0;title\x07 \x00\x08",
    "\u202egnp.exe\u202c \u2066hidden\u2069 \u200b\ufeff\u2028",
    "]]> & &lt; &#60; <!-- --> <![CDATA[ {{7*7}} ${x} %s",
    "x" * 70_000,
)


def hostile(text: str) -> Story:
    """Everything that comes from outside is this text."""
    story = Story()
    story.rows[0] = replace(
        story.rows[0],
        body={**story.rows[0].body, "who": text, "account": text, "region": text, "versions": {text: text}},
    )
    story.begin("look", 10)
    checks = [{"name": text, "ok": False, "detail": text}]
    story.say(10, Kind.VERIFIED, step="look", attempt=1, ok=False, checks=checks)
    error = {"kind": text, "what": text, "where": text, "next": text, "detail": text}
    story.say(11, Kind.FAILED, step="look", attempt=1, error=error)
    story.say(11, Kind.DECISION, step="look", command=text, by="person", who=text, host=text, reason=text)
    story.say(12, Kind.DECISION, step="look", command="approve", by=text, who=text, refused=text)
    story.begin("push", 12)
    story.say(13, Kind.BLOCKED, step="push", attempt=1, reason=text, evidence=text, error=error)
    story.say(14, Kind.SKIPPED, step="registry", reason=text, who=text)
    story.done(
        "compare",
        14,
        15,
        database={"tables": 1, "rows": 1, "checks": [{"name": text, "ok": False, "detail": text}]},
        terraform=[stack(text, 1.0)],
        images=[{"name": text, "digest": text, "verified": False}],
        dns=[{"name": text, "before": text, "after": text}],
    )
    story.say(
        15, Kind.GATE_OPENED, step="agree", question=text, yes=text, no=text, confirm=text, checks=checks
    )
    traffic = {**TRAFFIC, "failures": {text: 3}}
    story.say(16, Kind.MEASURED, name="traffic", values=traffic)
    rows = [{"kind": text, "name": text, "real": text, "rehearsal": {text: [text]}}]
    for name in ("differences", "leftovers", "outside_contacts"):
        items: list[Any] = rows if name != "leftovers" else [text]
        story.say(16, Kind.MEASURED, name=name, values={"items": items})
    story.runbook = replace(story.runbook, title=text, cost=(CostLine(text, 1.0, 2.0),))
    return story
