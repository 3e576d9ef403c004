"""What people may order, and what is refused."""

from __future__ import annotations

import time

import pytest

from migrator.contracts.action import Verdict
from migrator.engine.decisions import Policy
from migrator.engine.status import run_status
from migrator.errors import Refused
from migrator.model.records import Kind
from migrator.model.runbook import AutoApprove, PointOfNoReturn, StepKind, Wait
from migrator.model.state import StepStatus
from tests.engine.books import book, gate, step
from tests.engine.stage import Part, Stage
from tests.engine.world import SimulatedCrash

NO = Refused("the world said no")


def three(**parts: Part) -> Stage:
    return Stage(
        book(step("one"), step("two", needs=("one",)), step("three", "token", needs=("two",))), **parts
    )


def stopped_at_two(**more: Part) -> Stage:
    """One is done, two has failed, three was not begun."""
    stage = three(two=Part(applies=[NO, NO]), **more)
    assert stage.start() == "failed"
    return stage


# --- pause, continue, abort


def test_pause_starts_nothing_and_continue_goes_on() -> None:
    stage = three()
    stage.order("pause")
    assert stage.start() == "paused"
    assert stage.calls == []
    assert stage.start() == "paused"
    stage.order("continue")
    assert stage.start() == "done"


def test_pause_lets_what_is_at_work_end() -> None:
    stage = three()
    stage.parts["one"].applies = [lambda ctx: order_at_work(stage, "pause")]
    assert stage.start_with_threads() == "paused"
    assert stage.status("one") is StepStatus.DONE
    assert stage.status("two") is StepStatus.PENDING


def test_abort_ends_the_run_and_takes_nothing_back() -> None:
    stage = three()
    stage.parts["one"].applies = [lambda ctx: order_at_work(stage, "abort", reason="changed our minds")]
    assert stage.start_with_threads() == "aborted"
    assert stage.state.outcome == "aborted"
    assert stage.status("one") is StepStatus.DONE
    assert stage.count("undo one") == 0
    assert stage.count("apply two") == 0
    (aborted,) = [r.body for r in stage.journal.rows if r.kind is Kind.ABORTED]
    assert aborted == {"who": "ann", "reason": "changed our minds"}


def test_orders_left_while_no_runner_is_alive_are_taken_by_the_next_one_in_order() -> None:
    stage = stopped_at_two()
    stage.order("retry", "two")
    stage.order("skip", "two", reason="not needed")
    assert stage.start() == "done"
    assert [(d["command"], d.get("step")) for d in stage.state.decisions] == [
        ("retry", "two"),
        ("skip", "two"),
    ]
    assert stage.status("two") is StepStatus.SKIPPED
    assert stage.count("apply two") == 1
    assert stage.journal.inbox == []


@pytest.mark.parametrize("step_name", ["", "one", "nowhere"])
def test_an_unknown_command_is_refused_and_recorded(step_name: str) -> None:
    stage = three()
    stage.order("explode", step_name)
    assert stage.start() == "done"
    assert len(stage.refusals()) == 1
    assert stage.state.decisions[0]["who"] == "ann"


def test_a_step_that_does_not_exist_is_refused_and_does_not_appear() -> None:
    stage = three()
    stage.order("retry", "nowhere")
    assert stage.start() == "done"
    assert stage.refusals() == ["there is no step 'nowhere'"]
    assert "nowhere" not in stage.state.steps


# --- retry


def test_a_done_step_is_never_retried() -> None:
    """P1."""
    stage = stopped_at_two()
    stage.order("retry", "one")
    stage.start()
    assert stage.refusals() == ["step one is done: retry does not apply"]
    assert stage.count("apply one") == 1


def test_a_failed_step_is_tried_again_with_attempts_of_its_own() -> None:
    stage = three(two=Part(applies=[NO]))
    stage.start()
    stage.order("retry")
    assert stage.start() == "done"
    assert stage.step("two").attempt == 2
    assert stage.step("two").tries == 1


@pytest.mark.parametrize("name", ["two", "three"])
def test_a_step_not_begun_cannot_be_retried(name: str) -> None:
    stage = three()
    stage.order("pause")
    stage.order("retry", name)
    stage.start()
    assert stage.refusals() == [f"step {name} is pending: retry does not apply"]


def test_retry_without_a_name_asks_which() -> None:
    stage = Stage(book(step("one"), step("two")), one=Part(applies=[NO]), two=Part(applies=[NO]))
    stage.order("retry")
    stage.start()
    assert stage.refusals() == ["say which step to retry (there: none)"]


# --- skip


@pytest.mark.parametrize("reason", ["", "   "])
def test_a_skip_needs_a_reason(reason: str) -> None:
    stage = stopped_at_two()
    stage.order("skip", "two", reason=reason)
    stage.start()
    assert stage.refusals() == ["a skip needs a reason"]
    assert stage.status("two") is StepStatus.FAILED


def test_a_skipped_step_lets_the_others_go_on_and_is_not_done() -> None:
    stage = stopped_at_two()
    stage.order("skip", "two", reason="done by hand")
    assert stage.start() == "done"
    assert stage.status("two") is StepStatus.SKIPPED
    assert stage.step("two").reason == "done by hand"
    assert stage.status("three") is StepStatus.DONE
    (skipped,) = [r.body for r in stage.journal.rows if r.kind is Kind.SKIPPED]
    assert skipped["who"] == "ann"


def test_safeguards_cannot_be_skipped() -> None:
    stage = Stage(
        book(
            step("one"),
            gate("agree", needs=("one",), auto=AutoApprove.NEVER),
            step("remove", "delete", needs=("agree",), ponr=PointOfNoReturn.DELETION),
        ),
        one=Part(applies=[NO]),
    )
    stage.start()
    for name in ("agree", "remove"):
        stage.order("skip", name, reason="in a hurry")
    stage.start()
    assert stage.refusals() == [
        "step agree is a safeguard and cannot be skipped",
        "step remove is a safeguard and cannot be skipped",
    ]


def test_a_done_step_cannot_be_skipped() -> None:
    stage = stopped_at_two()
    stage.order("skip", "one", reason="x")
    stage.start()
    assert stage.refusals() == ["step one is done: skip does not apply"]


def test_a_step_in_doubt_cannot_be_skipped() -> None:
    stage = three(one=Part(probes=[]))
    with pytest.raises(SimulatedCrash):
        stage.start(crash_at=5)
    assert stage.status("one") is StepStatus.RUNNING
    stage.order("pause")
    stage.order("skip", "one", reason="x")
    assert stage.start() == "paused"
    assert stage.refusals() == ["step one is in_doubt: skip does not apply"]


# --- undo


def test_undo_takes_back_what_nothing_is_built_upon() -> None:
    stage = three(three=Part(applies=[NO]))
    stage.start()
    stage.order("pause")
    stage.order("undo", "one")
    stage.start()
    assert stage.refusals() == ["undo first what was built upon it: two"]
    stage.order("undo", "three")
    stage.order("undo", "two")
    stage.order("undo", "one")
    stage.start()
    assert [s.status for s in stage.state.steps.values()] == [StepStatus.UNDONE] * 3
    assert [c for c in stage.calls if c.startswith("undo")] == ["undo three", "undo two", "undo one"]
    assert not any(part.exists for part in stage.parts.values())


def test_an_undone_step_may_be_done_again() -> None:
    stage = stopped_at_two()
    stage.order("undo", "two")
    stage.order("undo", "one")
    assert stage.start() == "failed"
    assert stage.status("one") is StepStatus.UNDONE
    stage.parts["two"].applies.clear()
    stage.order("retry", "one")
    stage.order("retry", "two")
    assert stage.start() == "done"
    assert stage.count("apply one") == 2


def test_what_was_not_begun_cannot_be_undone() -> None:
    stage = stopped_at_two()
    stage.order("undo", "three")
    stage.order("undo")
    stage.start()
    assert stage.refusals() == [
        "step three is pending: undo does not apply",
        "say which step to undo (there: none)",
    ]


def test_a_gate_and_a_wait_have_nothing_to_take_back() -> None:
    stage = Stage(
        book(
            gate("agree", needs=(), auto=AutoApprove.ALWAYS),
            step("soak", "", kind=StepKind.WAIT, wait=Wait(1.0, "soak")),
            step("two", needs=("agree", "soak")),
        ),
        two=Part(applies=[NO]),
    )
    assert stage.start(Policy(auto_approve=True)) == "failed"
    stage.order("undo", "agree")
    stage.order("undo", "soak")
    assert stage.start() == "failed"
    assert stage.refusals() == [
        "step agree is a gate: there is nothing to take back",
        "step soak is a wait: there is nothing to take back",
    ]


def test_an_undo_that_leaves_something_behind_needs_a_person_and_may_be_repeated() -> None:
    stage = stopped_at_two()
    stage.order("undo", "two")
    stage.start()
    stage.parts["one"].probes = [Verdict.PARTIAL]
    stage.order("undo", "one")
    assert stage.start() == "failed"
    assert stage.status("one") is StepStatus.UNDO_FAILED
    assert stage.step("one").error["kind"] == "RollbackFailed"
    stage.order("undo", "one")
    stage.start()
    assert stage.status("one") is StepStatus.UNDONE


def test_a_refused_undo_says_why() -> None:
    stage = stopped_at_two(one=Part(undos=[Refused("it holds data")]))
    stage.order("undo", "two")
    stage.order("undo", "one")
    stage.start()
    assert stage.status("one") is StepStatus.UNDO_FAILED
    assert stage.step("one").error["what"] == "it holds data"
    assert stage.parts["one"].exists


def test_an_undo_is_taken_to_its_end_after_a_crash_at_any_point() -> None:
    """Whether the runner died before, in the middle of or after it: undone once, and not lost."""
    points = 0
    while True:
        points += 1
        stage = stopped_at_two()
        stage.order("undo", "two")
        stage.start()
        stage.order("undo", "one")
        try:
            stage.start(crash_at=points)
        except SimulatedCrash:
            stage.start()
            assert stage.status("one") is StepStatus.UNDONE, points
            assert not stage.parts["one"].exists
            assert not stage.journal.inbox
            assert stage.kinds("one").count(Kind.UNDONE) == 1
        else:
            break
    assert points > 8


def test_a_runner_that_died_inside_an_undo_leaves_it_in_doubt() -> None:
    stage = stopped_at_two()
    stage.order("undo", "two")
    stage.start()

    def die(ctx: object) -> None:
        raise SimulatedCrash

    stage.parts["one"].undos = [die]
    stage.order("undo", "one")
    with pytest.raises(SimulatedCrash):
        stage.start()
    found = run_status(stage.state, stage.runbook, alive=False)
    assert (found["state"], found["in_doubt"], found["step"]) == ("in_doubt", ["one"], "one")
    assert found["next"] == "migrator resume r1"
    stage.start()
    assert stage.status("one") is StepStatus.UNDONE
    found = run_status(stage.state, stage.runbook, alive=False)
    assert (found["state"], found["next"]) == ("blocked", "migrator retry r1 one && migrator resume r1")


def test_a_step_at_work_takes_no_orders() -> None:
    def twice(ctx: object) -> None:
        order_at_work(stage, "retry", "slow")
        order_at_work(stage, "undo", "slow")

    stage = Stage(book(step("slow"), step("quick")), slow=Part(applies=[twice]))
    assert stage.start_with_threads() == "done"
    assert stage.refusals() == ["step slow is at work"] * 2


def order_at_work(stage: Stage, command: str, name: str = "", *, reason: str = "") -> None:
    """A person orders something while a step works; the step goes on when the runner has taken it."""
    stage.order(command, name, reason=reason)
    until = time.monotonic() + 5
    while stage.journal.inbox and time.monotonic() < until:
        time.sleep(0.01)
