"""Measured silence of the old platform: its database and its containers. "No data" is never green."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from migrator.contracts.action import ActionSpec, Check, Verification
from migrator.contracts.context import StepContext
from migrator.contracts.params import Seconds
from migrator.contracts.postgres import Database, Session
from migrator.errors import Refused
from migrator.model.runbook import EffectClass
from phases.reads import Read

_WINDOW = Seconds(600.0)
_SAMPLES = 20
_MAX_INTERVAL = 15.0
_METRIC_SECONDS = 60
_MEASURABLE_SECONDS = 3 * _METRIC_SECONDS
_IDLE_CPU_PERCENT = 5.0

_ROLE = "SELECT rolcanlogin FROM pg_catalog.pg_roles WHERE rolname = %s"
_SESSIONS = (
    "SELECT count(*), coalesce(sum((xact_start IS NOT NULL)::int), 0)"
    " FROM pg_catalog.pg_stat_activity WHERE usename = %s"
)
_OPENED = "SELECT sessions, stats_reset::text FROM pg_catalog.pg_stat_database WHERE datname = %s"
_WRITTEN = (
    "SELECT coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::bigint FROM pg_catalog.pg_stat_user_tables"
)
_SETTLE_SECONDS = 2.0
"""A server publishes the counters of a session at most a second late; our own session must be among them."""


@dataclass(frozen=True)
class SilenceParams:
    """`source` is the old database, as a user that sees all sessions; `window` the time that must be silent.

    `services` are the old container services: their CPU must stay under `idle_cpu_percent`. Lightsail counts
    by the minute, so they are measured only where the window is three minutes or longer.
    """

    source: Database
    application_role: str
    window: Seconds = _WINDOW
    services: tuple[str, ...] = ()
    idle_cpu_percent: float = _IDLE_CPU_PERCENT


@dataclass(frozen=True)
class _Counters:
    """Sessions ever opened on the database, rows ever written, and when these counts began."""

    sessions: int
    rows_written: int
    since: str


class Silence(Read):
    """`cleanup.silence`: for the whole window the application used neither the old database nor its containers.

    The role's sessions are looked at again and again; between two looks the server's own counters tell whether
    anybody connected to the database or wrote into one of its tables. They are read over sessions that stay
    open, so that looking does not count. A role that may not log in (the write fence) cannot have come unseen.
    """

    spec = ActionSpec(
        name="cleanup.silence",
        summary="Measures that the application no longer uses the old platform",
        effect=EffectClass.READ,
        params=SilenceParams,
        outputs={
            "seconds": "how long it was watched",
            "sessions_opened": "sessions opened on the old database in that time, by any role",
            "rows_written": "rows written in that time",
            "containers_measured": "whether the containers' CPU was looked at",
        },
        reprove=False,
    )

    def verify(self, ctx: StepContext[SilenceParams]) -> Verification:
        """Watches for `window` seconds."""
        params = ctx.params
        with ctx.tools.postgres.connect(params.source, read_only=True) as session:
            fenced = _is_fenced(session, params.application_role)
            _counters(session, params.source.name)
            ctx.channel.sleep(_SETTLE_SECONDS)
            before = _counters(session, params.source.name)
            most_sessions, most_open, seconds = _watch(ctx, session)
            after = _counters(session, params.source.name)
        role = params.application_role
        whole = before is not None and after is not None and before.since == after.since
        opened = after.sessions - before.sessions if before and after else -1
        written = after.rows_written - before.rows_written if before and after else -1
        alone = "the role may not log in" if fenced else "the role may log in"
        checks = [
            Check("the database's counters are whole", whole, "" if whole else "no data, or they were reset"),
            Check(f"{role} has no session", most_sessions == 0, f"at most {most_sessions} at once"),
            Check(f"{role} has no transaction", most_open == 0, f"at most {most_open} at once"),
            Check(f"{role} did not come unseen", fenced or opened == 0, f"{alone}; {opened} sessions opened"),
            Check("no row was written", written == 0, f"{written} rows"),
        ]
        measurable = bool(params.services) and params.window >= _MEASURABLE_SECONDS
        if measurable:
            checks += [_cpu_check(ctx, service) for service in params.services]
        return Verification(
            tuple(checks),
            {
                "seconds": round(seconds, 1),
                "sessions_opened": opened,
                "rows_written": written,
                "containers_measured": measurable,
            },
        )


def _is_fenced(session: Session, role: str) -> bool:
    found = session.query(_ROLE, [role])
    if not found:
        raise Refused(f"the old database has no role {role}: its silence would prove nothing")
    return not found[0][0]


def _counters(session: Session, database: str) -> _Counters | None:
    found = session.query(_OPENED, [database])
    if not found or found[0][0] is None:
        return None
    return _Counters(int(found[0][0]), int(session.query(_WRITTEN)[0][0]), str(found[0][1]))


def _watch(ctx: StepContext[SilenceParams], session: Session) -> tuple[int, int, float]:
    """Most sessions and most open transactions of the role seen at once, and the seconds watched."""
    window = ctx.params.window
    interval = min(_MAX_INTERVAL, max(window / _SAMPLES, 0.2))
    begun = ctx.tools.clock.now()
    most_sessions = most_open = 0
    while True:
        sessions, still_open = session.query(_SESSIONS, [ctx.params.application_role])[0]
        most_sessions, most_open = max(most_sessions, int(sessions)), max(most_open, int(still_open))
        seconds = (ctx.tools.clock.now() - begun).total_seconds()
        if seconds >= window or most_sessions:
            return most_sessions, most_open, seconds
        ctx.channel.progress(f"no session of {ctx.params.application_role}", seconds, window, "seconds")
        ctx.channel.check_cancelled()
        ctx.channel.sleep(min(interval, window - seconds))


def _cpu_check(ctx: StepContext[SilenceParams], service: str) -> Check:
    """The container service's CPU over the window, from whole minutes that lie in it."""
    end = ctx.tools.clock.now()
    start = end - timedelta(seconds=ctx.params.window)
    found: dict[str, Any] = ctx.tools.aws.call(
        "lightsail",
        "get_container_service_metric_data",
        serviceName=service,
        metricName="CPUUtilization",
        startTime=start,
        endTime=end,
        period=_METRIC_SECONDS,
        statistics=["Average", "Maximum"],
    )
    inside = [each for each in found.get("metricData", ()) if each["timestamp"] >= start]
    name = f"{service} is idle"
    if not inside:
        return Check(name, False, "no data")
    highest = max(float(each.get("average", 100.0)) for each in inside)
    detail = f"at most {highest:.1f} % CPU over a minute, {len(inside)} minutes"
    return Check(name, highest <= ctx.params.idle_cpu_percent, detail)
