"""The looking actions: what is green, what is never green, and that nothing is left behind."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from migrator.contracts.action import Verdict
from migrator.contracts.dns import DnsStatus
from migrator.contracts.http import HttpRequest, HttpResponse, TlsRefused
from migrator.contracts.params import build
from migrator.errors import Refused, StepError
from migrator.secrets import Secret
from phases import verify
from phases.verify.conversation import FlowRequest, fill
from phases.verify.dns import DnsCheck, DnsParams
from phases.verify.expectations import check_headers, check_json, excerpt, find, matches
from phases.verify.flow import Flow, FlowParams
from phases.verify.http import HttpCheck, HttpParams
from phases.verify.session import Session, SessionParams
from phases.verify.tls import TlsCheck, TlsParams
from tests.phases.habit_application import HabitApplication, Net, cut
from tests.phases.zone_doubles import Crash, ScriptedDns, World

HOST, VIA = "api.example.com", "lb-1.elb.example.net"
LOGIN: Mapping[str, Any] = {
    "name": "log in",
    "method": "POST",
    "path": "/api/v1/auth/login",
    "json": {"email": "probe+{key}@example.com", "password": "{secret}"},
    "capture": {"token": "data.token"},
}
BEARER = {"Authorization": "Bearer {token}"}
REGISTER: Mapping[str, Any] = {
    **LOGIN,
    "name": "register",
    "path": "/api/v1/auth/register",
    "expect_status": 201,
    "capture": {"token": "token"},
}
LEAVE: Mapping[str, Any] = {
    "name": "delete account",
    "method": "DELETE",
    "path": "/api/v1/account",
    "headers": BEARER,
    "expect_status": 204,
}
CLEANUP = [{**LOGIN, "gone_status": [401]}, LEAVE]
HABIT = "/api/v1/habits/{habit}"
FLOW = {
    "host": HOST,
    "via": VIA,
    "requests": [
        REGISTER,
        LOGIN,
        {
            "name": "create habit",
            "method": "POST",
            "path": "/api/v1/habits",
            "headers": BEARER,
            "json": {"name": "Read {key}", "goal": 3},
            "expect_status": 201,
            "expect_json": {"name": "Read {key}"},
            "capture": {"habit": "id"},
        },
        {
            "name": "list",
            "path": "/api/v1/habits",
            "headers": BEARER,
            "expect_json": {"data.0.id": "{habit}", "data.0.goal": "3"},
        },
        {
            "name": "update",
            "method": "PUT",
            "path": HABIT,
            "headers": BEARER,
            "json": {"name": "Walk"},
            "expect_json": {"name": "Walk"},
        },
        {
            "name": "complete",
            "method": "POST",
            "path": f"{HABIT}/completions",
            "headers": BEARER,
            "expect_status": 201,
        },
        {"name": "delete", "method": "DELETE", "path": HABIT, "headers": BEARER, "expect_status": 204},
        LEAVE,
    ],
    "cleanup": CLEANUP,
    "proof": [{**LOGIN, "name": "log in after leaving", "expect_status": 401, "capture": {}}],
    "timeout": "1m",
}


def net(**applications: HabitApplication) -> Net:
    made = Net()
    for name, application in applications.items():
        made.applications[(HOST, VIA if name == "new" else "")] = application
    return made


def flow() -> FlowParams:
    return build(FlowParams, FLOW)


# --- expectations


@pytest.mark.parametrize(
    ("path", "value"),
    [("a.b.0.c", 1), ("$.a.b.0.c", 1), ("$", {"a": {"b": [{"c": 1}]}}), ("a.b", [{"c": 1}])],
)
def test_paths_are_found(path: str, value: Any) -> None:
    assert find({"a": {"b": [{"c": 1}]}}, path) == value


@pytest.mark.parametrize("path", ["x", "a.b.1", "a.b.-1", "a.b.0.c.d", "a.b.c"])
def test_paths_that_are_not_there(path: str) -> None:
    with pytest.raises(LookupError):
        find({"a": {"b": [{"c": 1}]}}, path)


@pytest.mark.parametrize(
    ("expected", "seen", "ok"),
    [
        ("true", True, True),
        ("3", 3, True),
        (3, 3, True),
        (1, True, False),
        (True, 1, False),
        ("3", "3", True),
        (3, "3", False),
        (None, None, True),
        ("null", None, False),
        (("a", "1"), ["a", 1], True),
        ({"a": "1"}, {"a": 1}, True),
        ({"a": "1"}, {"a": 1, "b": 2}, False),
    ],
)
def test_values_match(expected: Any, seen: Any, ok: bool) -> None:
    assert matches(expected, seen) is ok


def response(body: bytes, **headers: str) -> HttpResponse:
    return HttpResponse(200, headers, body, False, 0.01, "203.0.113.80")


def test_what_is_no_json_is_red() -> None:
    assert [c.ok for c in check_json(response(b"<html>"), {"status": "ok"})] == [False]
    assert [c.ok for c in check_json(response(b"{}"), {"status": "ok"})] == [False]


def test_headers_whole_or_beginning() -> None:
    answer = response(b"", location="https://www.example.com/x")
    expected = {"Location": "https://www.example.com/*", "location": "https://www.example.com/", "X": "*"}
    assert [c.ok for c in check_headers(answer, expected)] == [True, False, False]


def test_excerpts_hide_secrets_and_control_characters() -> None:
    shown = excerpt(response(b'{"user": {"accessToken": "canary", "name": "a\\u001b[2Jb"}}'))
    assert "canary" not in shown
    assert "\x1b" not in shown
    assert "name" in shown


def test_filling_in_keeps_types_and_secrecy() -> None:
    values = {"n": 3, "token": Secret("canary-token"), "key": "k"}
    filled = fill({"a": "{n}", "b": ["x{n}"], "c": "Bearer {token}"}, values)
    assert filled["a"] == 3
    assert filled["b"] == ["x3"]
    assert isinstance(filled["c"], Secret)
    assert filled["c"].reveal() == "Bearer canary-token"
    assert "canary" not in repr(filled)


# --- verify.http and verify.tls


def test_http_is_green(tmp_path: Path) -> None:
    world = World(tmp_path, http=net(new=HabitApplication()))
    params = build(
        HttpParams,
        {
            "host": HOST,
            "via": VIA,
            "path": "/health",
            "expect_json": {"status": "ok", "database.connected": "true", "database.pools.0.free": 3},
            "expect_header": {"Content-Type": "application/*"},
            "expect_text": "connected",
        },
    )
    found = HttpCheck().verify(world.context(params))
    assert found.ok, found.checks
    assert len(found.checks) == 6
    assert found.outputs == {"status": 200, "latency_ms": 12.0}


@pytest.mark.parametrize(
    "more",
    [
        {"expect_status": 204},
        {"expect_json": {"status": "down"}},
        {"expect_header": {"X-Missing": "1"}},
        {"expect_text": "absent"},
        {"via": "nobody.example.net"},
    ],
)
def test_http_is_red_after_its_time(more: Mapping[str, Any], tmp_path: Path) -> None:
    world = World(tmp_path, http=net(new=HabitApplication()))
    params = build(HttpParams, {"host": HOST, "via": VIA, "path": "/health", "timeout": 20, **more})
    started = world.clock.now()
    found = HttpCheck().verify(world.context(params))
    assert not found.ok
    assert 20 <= (world.clock.now() - started).total_seconds() < 21


def test_http_polls_until_green(tmp_path: Path) -> None:
    http = net()
    world = World(tmp_path, http=http)
    world.notes.on_sleep = lambda: http.applications.update({(HOST, ""): HabitApplication()})
    assert HttpCheck().verify(world.context(HttpParams(HOST, "/health"))).ok


def test_tls_is_green_and_too_short(tmp_path: Path) -> None:
    world = World(tmp_path, http=Net())
    found = TlsCheck().verify(world.context(TlsParams(HOST)))
    assert found.ok
    assert datetime.fromisoformat(found.outputs["not_after"]) == datetime(2026, 3, 4, tzinfo=UTC)
    assert not TlsCheck().verify(world.context(TlsParams(HOST, minimum_days=61))).ok


def test_untrusted_tls_is_red(tmp_path: Path) -> None:
    http = Net()
    http.facts = TlsRefused("the certificate is not valid: expired")
    found = TlsCheck().verify(World(tmp_path, http=http).context(TlsParams(HOST)))
    assert not found.ok
    assert "expired" in found.checks[0].detail


# --- verify.dns


def test_dns_asks_resolvers_and_the_zone(tmp_path: Path) -> None:
    dns = ScriptedDns(("ns1",), ("local",))
    dns.answers[("*", VIA)] = (DnsStatus.ANSWER, (), ("203.0.113.80",))
    dns.answers[("*", HOST)] = (DnsStatus.ANSWER, (), ("203.0.113.80",))
    world = World(tmp_path, dns=dns)
    found = DnsCheck().verify(world.context(DnsParams((f"{HOST}.",), VIA, zone="example.com")))
    assert found.ok
    assert set(found.outputs["seconds"]) == {"ns1", "local"}
    dns.answers[("local", HOST)] = (DnsStatus.NO_SUCH_NAME, (), ())
    assert not DnsCheck().verify(world.context(DnsParams((HOST,), VIA))).ok


# --- verify.flow


def test_flow_lifecycle_leaves_nothing(tmp_path: Path) -> None:
    application = HabitApplication()
    http = net(new=application)
    world = World(tmp_path, http=http)
    for _ in range(2):
        ctx = world.context(flow())
        assert Flow().probe(ctx).verdict is Verdict.ABSENT
        Flow().apply(ctx)
        assert Flow().probe(ctx).verdict is Verdict.OURS
        found = Flow().verify(world.context(flow()))
        assert found.ok, found.checks
        assert found.checks[-1].name == "log in after leaving answers 401"
        assert found.outputs["captured"].keys() == {"habit"}
        assert not application.accounts
        assert not application.habits
        Flow().undo(world.context(flow()))
    kept = json.dumps(world.notes.memory) + "\n".join(world.notes.lines) + repr(http.requests)
    password = (tmp_path / "conversation.secret").read_text()
    assert password not in kept
    assert "signed-with-the-same-key" not in kept
    assert (tmp_path / "conversation.secret").stat().st_mode & 0o777 == 0o600
    assert {r.via for r in http.requests} == {VIA}


def test_flow_proof_is_asked_afresh(tmp_path: Path) -> None:
    application = HabitApplication()
    world = World(tmp_path, http=net(new=application))
    Flow().apply(world.context(flow()))
    password = (tmp_path / "conversation.secret").read_text()
    application.accounts["probe+r1-s1@example.com"] = password
    assert not Flow().verify(world.context(flow())).ok


@pytest.mark.parametrize("number", range(1, 9))
def test_flow_crash_at_each_request_is_mended(number: int, tmp_path: Path) -> None:
    application = HabitApplication()
    world = World(tmp_path, http=net(new=application))

    def crash(_: HttpRequest) -> None:
        if len(application.said) == number:
            raise Crash

    application.before = crash
    with pytest.raises(Crash):
        Flow().apply(world.context(flow()))
    application.before = lambda request: None
    assert Flow().probe(world.context(flow())).verdict is Verdict.PARTIAL
    Flow().apply(world.context(flow()))
    assert Flow().verify(world.context(flow())).ok
    assert not application.accounts


def test_flow_crash_and_undo(tmp_path: Path) -> None:
    application = HabitApplication()
    world = World(tmp_path, http=net(new=application))

    def crash(_: HttpRequest) -> None:
        if len(application.said) == 4:
            raise Crash

    application.before = crash
    with pytest.raises(Crash):
        Flow().apply(world.context(flow()))
    assert application.habits
    application.before = lambda request: None
    Flow().undo(world.context(flow()))
    assert not application.accounts
    assert not application.habits
    assert Flow().probe(world.context(flow())).verdict is Verdict.ABSENT


def test_flow_failure_cleans_up_and_says_what_was_seen(tmp_path: Path) -> None:
    application = HabitApplication()
    application.broken["POST /api/v1/habits"] = 500
    world = World(tmp_path, http=net(new=application))
    with pytest.raises(StepError, match=r"create habit answers 201: 500 .*broken") as caught:
        Flow().apply(world.context(flow()))
    assert not isinstance(caught.value, Refused)
    assert caught.value.detail == ""
    assert not application.accounts
    assert Flow().probe(world.context(flow())).verdict is Verdict.ABSENT
    assert not Flow().verify(world.context(flow())).ok


def test_flow_whose_clean_up_fails_says_so_and_stays_partial(tmp_path: Path) -> None:
    application = HabitApplication()
    application.broken = {"POST /api/v1/habits": 500, "DELETE /api/v1/account": 500}
    world = World(tmp_path, http=net(new=application))
    with pytest.raises(StepError) as caught:
        Flow().apply(world.context(flow()))
    assert "cleaning up failed" in caught.value.detail
    assert Flow().probe(world.context(flow())).verdict is Verdict.PARTIAL
    application.broken = {}
    Flow().undo(world.context(flow()))
    assert not application.accounts


def test_flow_with_a_cut_connection(tmp_path: Path) -> None:
    application = HabitApplication()
    application.before = lambda r: cut(r) if r.method == "PUT" else None
    with pytest.raises(StepError, match="did not arrive"):
        Flow().apply(World(tmp_path, http=net(new=application)).context(flow()))
    assert not application.accounts


def test_flow_without_clean_up_refuses_an_undo(tmp_path: Path) -> None:
    application = HabitApplication()
    params = build(FlowParams, {**FLOW, "cleanup": []})
    application.broken["POST /api/v1/habits"] = 500
    world = World(tmp_path, http=net(new=application))
    with pytest.raises(StepError, match="create habit"):
        Flow().apply(world.context(params))
    with pytest.raises(Refused, match="does not say how"):
        Flow().undo(world.context(params))


def test_flow_that_ended_needs_no_clean_up_for_its_undo(tmp_path: Path) -> None:
    params = build(FlowParams, {**FLOW, "cleanup": []})
    world = World(tmp_path, http=net(new=HabitApplication()))
    Flow().apply(world.context(params))
    Flow().undo(world.context(params))
    assert Flow().probe(world.context(params)).verdict is Verdict.ABSENT


@pytest.mark.parametrize(
    ("request_", "word"),
    [
        ({"name": "a", "path": "/{nothing}"}, "nothing before it gives"),
        ({"name": "a", "path": "/{secret}"}, "must not stand in a path"),
        ({"name": "a", "headers": {"X": "{later}"}}, "nothing before it gives"),
        ({"name": "a", "path": "/{login}"}, "must not stand in a path"),
    ],
)
def test_flows_that_cannot_be_said_are_refused_before_anything(
    request_: Mapping[str, Any], word: str, tmp_path: Path
) -> None:
    http = net(new=HabitApplication())
    params = build(FlowParams, {"host": HOST, "requests": [request_], "secrets": {"login": "env:LOGIN"}})
    with pytest.raises(Refused) as caught:
        Flow().apply(World(tmp_path, http=http).context(params))
    assert word in caught.value.detail
    assert http.requests == []


def test_a_captured_secret_in_a_path_is_refused(tmp_path: Path) -> None:
    params = build(FlowParams, {"host": HOST, "requests": [REGISTER, {"name": "a", "path": "/{token}"}]})
    with pytest.raises(Refused) as caught:
        Flow().preview(World(tmp_path).context(params))
    assert "must not stand in a path" in caught.value.detail


# --- verify.session

SESSION = {
    "old_host": HOST,
    "new_host": HOST,
    "new_via": VIA,
    "old_requests": [REGISTER, LOGIN],
    "new_requests": [{"name": "habits on the new side", "path": "/api/v1/habits", "headers": BEARER}],
    "cleanup": CLEANUP,
    "timeout": 5,
}


def session(**more: Any) -> SessionParams:
    return build(SessionParams, {**SESSION, **more})


def test_session_of_the_old_side_is_accepted_by_the_new(tmp_path: Path) -> None:
    old, new = HabitApplication(), HabitApplication()
    http = net(old=old, new=new)
    world = World(tmp_path, http=http)
    for _ in range(2):
        found = Session().verify(world.context(session()))
        assert found.ok, found.checks
        assert not old.accounts
    assert set(new.said) == {"GET /api/v1/habits"}
    assert {r.method for r in http.requests if r.via == VIA} == {"GET"}


def test_session_with_another_key_is_red_and_leaves_nothing(tmp_path: Path) -> None:
    old, new = HabitApplication(), HabitApplication(signature="another-key")
    found = Session().verify(World(tmp_path, http=net(old=old, new=new)).context(session()))
    assert [c.name for c in found.checks if not c.ok] == ["habits on the new side answers 200"]
    assert not old.accounts


def test_session_after_a_crash_begins_with_cleaning(tmp_path: Path) -> None:
    old, new = HabitApplication(), HabitApplication()
    world = World(tmp_path, http=net(old=old, new=new))
    assert Session().verify(world.context(session())).ok
    old.accounts["probe+r1-s1@example.com"] = (tmp_path / "conversation.secret").read_text()
    assert Session().verify(world.context(session())).ok
    assert not old.accounts


def test_session_that_cannot_clean_up_is_red(tmp_path: Path) -> None:
    old, new = HabitApplication(), HabitApplication()
    old.broken["DELETE /api/v1/account"] = 500
    found = Session().verify(World(tmp_path, http=net(old=old, new=new)).context(session()))
    assert [c.name for c in found.checks if not c.ok] == ["nothing is left on the old side"]


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({"new_requests": [{**LOGIN}]}, "only GET and HEAD"),
        ({"new_requests": []}, "nothing would be proven"),
        ({"cleanup": []}, "needs a `cleanup`"),
        ({"old_requests": [{"name": "a", "path": "/{x}"}]}, "nothing before it gives"),
    ],
)
def test_sessions_that_would_write_or_prove_nothing_are_refused(
    more: Mapping[str, Any], word: str, tmp_path: Path
) -> None:
    http = net(old=HabitApplication(), new=HabitApplication())
    with pytest.raises(Refused) as caught:
        Session().verify(World(tmp_path, http=http).context(session(**more)))
    assert word in caught.value.detail
    assert http.requests == []


def test_reads_leave_nothing_to_find(tmp_path: Path) -> None:
    ctx = World(tmp_path).context(HttpParams(HOST))
    assert HttpCheck().preview(ctx).changes == ()
    assert HttpCheck().probe(ctx).verdict is Verdict.ABSENT
    HttpCheck().apply(ctx)
    HttpCheck().undo(ctx)


def test_actions_are_well_formed() -> None:
    names = {action.spec.name for action in verify.ACTIONS}
    assert {f"verify.{name}" for name in ("http", "tls", "dns", "flow", "session")} <= names
    assert isinstance(flow().requests[0], FlowRequest)
