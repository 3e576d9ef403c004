"""The main loop: side by side, holding after a failure, waits and proofs over restarts, interruptions."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from migrator.contracts.action import Verdict
from migrator.engine.decisions import Policy
from migrator.errors import InDoubt, Interrupted, Refused
from migrator.model.records import Kind
from migrator.model.runbook import Runbook, StepKind, Wait
from migrator.model.state import StepStatus
from tests.engine.books import book, gate, step
from tests.engine.stage import Part, Stage
from tests.engine.world import SimulatedCrash

NO = Refused("the world said no")


# --- side by side


def test_steps_without_a_mutual_need_are_at_work_at_the_same_time() -> None:
    """Each waits for the others inside its effect: one after another they would never end."""
    meeting = threading.Barrier(3, timeout=10)
    parts = {name: Part(applies=[lambda ctx: _meet(meeting)]) for name in ("a", "b", "c")}
    stage = Stage(book(step("a"), step("b"), step("c"), step("last", needs=("a", "b", "c"))), **parts)
    assert stage.start_with_threads() == "done"
    assert stage.calls[-3:] == ["probe last", "apply last", "verify last"]


def test_no_more_at_once_than_the_policy_allows() -> None:
    lock, now, most = threading.Lock(), [0], [0]

    def work(ctx: object) -> None:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        threading.Event().wait(0.03)
        with lock:
            now[0] -= 1

    names = [f"s{n}" for n in range(6)]
    stage = Stage(book(*(step(n) for n in names)), **{n: Part(applies=[work]) for n in names})
    assert stage.start_with_threads(Policy(max_parallel=2)) == "done"
    assert most == [2]


def test_after_a_failure_nothing_starts_but_what_is_at_work_ends() -> None:
    failed, at_work = threading.Event(), threading.Event()

    def fail(ctx: object) -> None:
        assert at_work.wait(10)
        raise NO

    def outlive(ctx: object) -> None:
        at_work.set()
        assert failed.wait(10)

    stage = Stage(
        book(step("bad"), step("slow"), step("after_slow", needs=("slow",)), step("free", needs=("slow",))),
        bad=Part(applies=[fail]),
        slow=Part(applies=[outlive]),
    )

    def tick() -> None:
        if stage.status("bad") is StepStatus.FAILED:
            failed.set()

    assert stage.start_with_threads(tick=tick) == "failed"
    assert stage.status("slow") is StepStatus.DONE
    assert stage.status("after_slow") is stage.status("free") is StepStatus.PENDING
    stage.order("retry", "bad")
    assert stage.start() == "done"


def test_needs_are_kept_in_any_order_of_the_file() -> None:
    stage = Stage(book(step("c", needs=("b",)), step("b", needs=("a",)), step("a")))
    assert stage.start_with_threads() == "done"
    assert [c for c in stage.calls if c.startswith("apply")] == ["apply a", "apply b", "apply c"]


# --- interruption and signals


def test_an_interrupt_reaches_the_steps_at_work_and_continue_probes_them() -> None:
    def work(ctx: object) -> None:
        stage.parts["it"].exists = True
        stage.order("interrupt", reason="now")
        assert stage.interrupted.wait(10)
        raise Interrupted("interrupted by the operator")

    stage = Stage(book(step("it"), step("next", needs=("it",))), it=Part(applies=[work]))
    assert stage.start_with_threads() == "paused"
    assert stage.status("it") is StepStatus.IN_DOUBT
    assert not stage.interrupted.is_set()
    (said,) = stage.state.decisions
    assert (said["command"], said["order"], said["reason"]) == ("interrupt", 1, "now")
    stage.order("continue")
    assert stage.start_with_threads() == "done"
    assert stage.count("apply it") == 1
    assert stage.step("it").adopted


def test_a_stop_lets_what_is_at_work_end_and_starts_nothing() -> None:
    def work(ctx: object) -> None:
        assert stage.executor is not None
        stage.executor.stop("signal")

    stage = Stage(book(step("it"), step("next", needs=("it",))), it=Part(applies=[work]))
    assert stage.start_with_threads() == "signal"
    assert stage.status("it") is StepStatus.DONE
    assert stage.status("next") is StepStatus.PENDING
    assert stage.start() == "done"


def test_an_attended_runner_stays_for_a_decision() -> None:
    stage = Stage(book(step("it")), it=Part(applies=[NO]))
    ticks: list[int] = []

    def tick() -> None:
        ticks.append(1)
        if len(ticks) == 20:
            stage.order("retry", "it")

    assert stage.start(Policy(attended=True), tick=tick) == "done"
    assert len(ticks) >= 20


# --- waits


def waiting(seconds: str | float = 86_400.0, **more: Any) -> Runbook:
    soak = step("soak", "", needs=("a",), kind=StepKind.WAIT, wait=Wait(seconds, "cached answers", **more))
    return book(step("a"), soak, step("b", needs=("soak",)))


def test_a_long_wait_lets_an_unattended_runner_go_and_is_durable() -> None:
    stage = Stage(waiting())
    assert stage.start() == "waiting"
    until = stage.step("soak").until
    stage.clock.time += timedelta(hours=23)
    assert stage.start() == "waiting"
    assert stage.step("soak").until == until
    stage.clock.time += timedelta(hours=1)
    assert stage.start() == "done"
    assert stage.kinds("soak") == [Kind.WAIT_STARTED, Kind.DONE]


def test_a_short_wait_is_waited_out() -> None:
    stage = Stage(waiting(300.0))
    started = stage.clock.now()
    assert stage.start() == "done"
    assert stage.clock.now() - started >= timedelta(seconds=300)


def test_a_wait_survives_a_crash_at_every_point() -> None:
    points = 0
    while True:
        points += 1
        stage = Stage(waiting(50.0))
        try:
            stage.start(crash_at=points)
        except SimulatedCrash:
            if stage.status("soak") is StepStatus.WAITING:
                until = stage.step("soak").until
                stage.start()
                assert stage.step("soak").until == until
            else:
                stage.start()
            assert stage.state.outcome == "done"
            assert stage.kinds("soak").count(Kind.WAIT_STARTED) == 1
            assert stage.count("apply b") == 1
        else:
            break
    assert points > 20


@pytest.mark.parametrize(
    ("wait", "rehearsal", "seconds"),
    [
        ({"seconds": "${vars.ttl}"}, False, 3_600),
        ({"seconds": "${vars.ttl}", "at_least_seconds": 7_200.0}, False, 7_200),
        ({"seconds": "${vars.ttl}", "at_least_seconds": 60.0}, False, 3_600),
        ({"seconds": "2h", "rehearsal_seconds": 5.0}, False, 7_200),
        ({"seconds": "2h", "rehearsal_seconds": 5.0, "at_least_seconds": 60.0}, True, 5),
        ({"seconds": "2h", "rehearsal_seconds": 0.0}, True, 0),
        ({"seconds": "2h"}, True, 7_200),
    ],
)
def test_how_long_is_waited(wait: dict[str, Any], rehearsal: bool, seconds: float) -> None:
    stage = Stage(waiting(**wait), {"ttl": 3600})
    stage.start(Policy(rehearsal=rehearsal, longest_wait_seconds=0.0))
    (record,) = [r for r in stage.journal.rows if r.kind is Kind.WAIT_STARTED]
    assert (
        record.body["until"]
        == (stage.clock.now().replace(minute=0, second=0) + timedelta(seconds=seconds)).isoformat()
    )


@pytest.mark.parametrize("seconds", ["${vars.unknown}", "${vars.words}"])
def test_a_wait_without_a_length_fails_the_step_and_not_the_runner(seconds: str) -> None:
    stage = Stage(waiting(seconds), {"words": "soon"})
    assert stage.start() == "failed"
    assert stage.status("soak") is StepStatus.FAILED
    assert stage.step("soak").error["what"]


def test_a_pause_holds_a_wait_that_is_over() -> None:
    stage = Stage(waiting())
    stage.start()
    stage.clock.time += timedelta(days=2)
    stage.order("pause")
    assert stage.start() == "paused"
    assert stage.status("soak") is StepStatus.WAITING
    stage.order("continue")
    assert stage.start() == "done"


# --- proving again on resume


def proven(**more: Any) -> Stage:
    """`a` and `look` are done, `b` has failed."""
    steps = (step("a", **more), step("look", "read", needs=("a",)), step("b", needs=("look",)))
    stage = Stage(book(*steps), b=Part(applies=[NO]))
    assert stage.start() == "failed"
    stage.calls.clear()
    stage.order("retry", "b")
    return stage


def test_what_was_done_long_ago_is_proven_again_and_not_executed() -> None:
    stage = proven()
    stage.clock.time += timedelta(seconds=61)
    assert stage.start() == "done"
    assert stage.calls == ["probe a", "probe b", "apply b", "verify b"]
    assert stage.kinds("a")[-1] is Kind.REPROVED
    assert stage.step("a").reproved["ok"] is True


def test_only_looking_asks_about_what_is_done_or_in_doubt_and_sends_nothing() -> None:
    cut = book(step("a"), step("b", needs=("a",)), step("c", needs=("b",)))
    stage = Stage(cut, b=Part(applies=[SimulatedCrash()]))
    with pytest.raises(SimulatedCrash):
        stage.start()
    stage.calls.clear()
    stage.order("retry", "b")
    assert stage.start(Policy(only_look=True)) == "looked"
    assert stage.calls == ["probe a", "probe b"]
    assert stage.step("a").reproved["ok"] is True
    assert stage.step("b").status is StepStatus.IN_DOUBT
    assert stage.step("b").evidence == "looked"
    assert len(stage.journal.inbox) == 1
    assert stage.start() == "done"


def test_only_looking_finds_what_has_changed_and_decides_nothing() -> None:
    stage = proven()
    stage.parts["a"].exists = False
    assert stage.start(Policy(only_look=True)) == "looked"
    assert stage.calls == ["probe a"]
    assert stage.step("a").status is StepStatus.DONE
    assert stage.step("a").reproved["ok"] is False
    # The next runner asks again at once, and only then it counts.
    assert stage.start() == "failed"
    assert stage.step("a").status is StepStatus.BLOCKED


def test_a_look_that_got_no_answer_costs_nothing() -> None:
    stage = proven()
    stage.parts["a"].probes = [InDoubt("no way to the host")]
    assert stage.start(Policy(only_look=True)) == "looked"
    assert stage.step("a").reproved["verdict"] == "unknown"
    assert stage.start() == "done"
    assert stage.step("a").reproved["ok"] is True


def test_what_was_done_a_moment_ago_is_not_asked_again() -> None:
    stage = proven()
    stage.clock.time += timedelta(seconds=50)
    assert stage.start() == "done"
    assert "probe a" not in stage.calls


def test_what_was_proven_again_a_moment_ago_is_not_asked_a_third_time() -> None:
    stage = proven()
    stage.journal.inbox.clear()
    stage.clock.time += timedelta(seconds=500)
    stage.start()
    stage.clock.time += timedelta(seconds=20)
    stage.start()
    assert stage.calls == ["probe a"]


@pytest.mark.parametrize(
    "found", [Verdict.ABSENT, Verdict.FOREIGN, Verdict.PARTIAL, Verdict.UNKNOWN, OSError("no route")]
)
def test_a_world_that_changed_blocks_with_the_evidence_before_anything_is_sent(found: Any) -> None:
    stage = proven()
    stage.parts["a"].probes = [found]
    stage.clock.time += timedelta(days=1)
    assert stage.start() == "failed"
    assert stage.status("a") is StepStatus.BLOCKED
    assert stage.step("a").reason == "it was done, but the world has changed since"
    assert stage.step("a").evidence
    assert stage.calls == ["probe a"]


@pytest.mark.parametrize(("holder", "asked"), [("pending", True), ("failed", False), ("done", False)])
def test_a_result_is_only_expected_until_the_step_that_ends_it_has_begun(holder: str, asked: bool) -> None:
    applies: list[BaseException | Callable[[Any], None]] = [NO] if holder == "failed" else []
    stage = Stage(
        book(
            step("a", holds_until="b"),
            gate("g", needs=("a",)) if holder == "pending" else step("g", "read", needs=("a",)),
            step("b", needs=("g",)),
            step("c", needs=("b",)),
        ),
        b=Part(applies=applies),
        c=Part(applies=[NO]),
    )
    stage.start()
    assert stage.status("b").value == holder
    stage.calls.clear()
    stage.clock.time += timedelta(days=1)
    stage.start()
    assert ("probe a" in stage.calls) == asked


def test_an_undisturbed_runner_proves_nothing_twice() -> None:
    stage = Stage(waiting(500.0))
    assert stage.start() == "done"
    assert stage.count("probe a") == 1


def test_a_finished_run_is_finished_once() -> None:
    stage = Stage(book(step("a")))
    assert stage.start() == "done"
    assert stage.start() == "done"
    assert [r.kind for r in stage.journal.rows].count(Kind.FINISHED) == 1


def _meet(meeting: threading.Barrier) -> None:
    meeting.wait()
