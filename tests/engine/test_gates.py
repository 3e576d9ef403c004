"""P7: a gate passes only on fresh green evidence, by a person's yes or where the runbook lets the policy say it."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from migrator.engine.decisions import Policy
from migrator.model.records import Kind
from migrator.model.runbook import AutoApprove, Gate, PointOfNoReturn, Runbook, StepKind
from migrator.model.state import StepStatus
from tests.engine.books import book, gate, step
from tests.engine.stage import Part, Stage
from tests.engine.world import SimulatedCrash

YES = Policy(auto_approve=True)
YES_IN_REHEARSAL = Policy(auto_approve=True, rehearsal=True)


def guarded(auto: AutoApprove = AutoApprove.NEVER, confirm: str = "", evidence: bool = True) -> Runbook:
    asked = Gate("Go on?", "goes on", "stays", ("check",) if evidence else (), confirm, auto)
    agree = step(
        "agree", "", needs=("check",), kind=StepKind.GATE, gate=asked, ponr=PointOfNoReturn.NEW_WRITES
    )
    return book(step("check", "read"), agree, step("cut", "compare_and_set", needs=("agree",)))


@pytest.mark.parametrize(
    ("auto", "policy", "passes"),
    [
        (AutoApprove.NEVER, Policy(), False),
        (AutoApprove.NEVER, YES, False),
        (AutoApprove.NEVER, YES_IN_REHEARSAL, False),
        (AutoApprove.REHEARSAL, Policy(rehearsal=True), False),
        (AutoApprove.REHEARSAL, YES, False),
        (AutoApprove.REHEARSAL, YES_IN_REHEARSAL, True),
        (AutoApprove.ALWAYS, Policy(), False),
        (AutoApprove.ALWAYS, YES, True),
        (AutoApprove.ALWAYS, YES_IN_REHEARSAL, True),
    ],
)
def test_who_may_answer_a_gate(auto: AutoApprove, policy: Policy, passes: bool) -> None:
    stage = Stage(guarded(auto))
    assert stage.start(policy) == ("done" if passes else "waiting")
    assert stage.status("agree") is (StepStatus.DONE if passes else StepStatus.WAITING)
    assert stage.count("apply cut") == passes
    by = [r.body["by"] for r in stage.journal.rows if r.kind is Kind.DECISION]
    assert by == ["policy"] * passes


@pytest.mark.parametrize(
    ("auto", "policy", "passes"),
    [
        (AutoApprove.NEVER, Policy(confirm="switch example.com"), True),
        (AutoApprove.NEVER, Policy(confirm="switch example.org"), False),
        (AutoApprove.NEVER, Policy(confirm=""), False),
        (AutoApprove.ALWAYS, YES, False),
        (AutoApprove.REHEARSAL, YES_IN_REHEARSAL, True),
    ],
)
def test_a_typed_text_is_answered_by_that_text_alone(auto: AutoApprove, policy: Policy, passes: bool) -> None:
    """Outside a rehearsal --yes types nothing, whatever the runbook allows."""
    stage = Stage(guarded(auto, "switch ${vars.domain}"), {"domain": "example.com"})
    assert stage.start(policy) == ("done" if passes else "waiting")
    assert stage.step("agree").gate["confirm"] == "switch example.com"


def test_a_person_types_the_text() -> None:
    stage = Stage(guarded(confirm="switch ${vars.domain}"), {"domain": "example.com"})
    stage.start()
    for typed in ("", "switch", "SWITCH example.com"):
        stage.order("approve", "agree", confirm=typed)
    assert stage.start() == "waiting"
    assert stage.refusals() == ["type 'switch example.com' to approve this"] * 3
    stage.order("approve", "agree", confirm="switch example.com")
    assert stage.start() == "done"
    (said,) = [d for d in stage.state.decisions if not d.get("refused")]
    assert (said["who"], said["host"], said["confirm"], said["shown"]) == (
        "ann",
        "desk",
        "switch example.com",
        "what was shown",
    )


def test_the_decision_names_the_gate_even_when_the_order_did_not() -> None:
    stage = Stage(guarded())
    stage.start()
    stage.order("approve")
    assert stage.start() == "done"
    assert [d.get("step") for d in stage.state.decisions] == ["agree"]
    assert stage.step("agree").approved


@pytest.mark.parametrize("red", [False, None, RuntimeError("no answer")])
def test_red_evidence_or_none_at_all_is_refused(red: bool | None | BaseException) -> None:
    """ "No data" is never green."""
    check = Part()
    stage = Stage(guarded(), check=check)
    stage.start()
    check.greens = [red]
    stage.clock.time += timedelta(seconds=300)
    stage.order("approve", "agree")
    assert stage.start() == "waiting"
    assert stage.refusals()[0].startswith("the evidence is not green: check")
    assert not stage.state.ponr
    assert stage.count("apply cut") == 0
    stage.order("approve", "agree")
    assert stage.start() == "done"


@pytest.mark.parametrize("red", [False, None, RuntimeError("no answer")])
def test_red_evidence_blocks_even_where_policy_says_yes(red: bool | None | BaseException) -> None:
    stage = Stage(guarded(AutoApprove.ALWAYS), check=Part(greens=[True, red]))
    assert stage.start(YES) == "failed"
    assert stage.status("agree") is StepStatus.BLOCKED
    assert "not green" in stage.step("agree").reason
    stage.order("retry", "agree")
    assert stage.start(YES) == "done"


def test_a_skipped_check_is_no_evidence() -> None:
    stage = Stage(guarded(), check=Part(greens=[False] * 5))
    assert stage.start() == "failed"
    stage.order("skip", "check", reason="we know better")
    stage.order("approve", "agree")
    assert stage.start() == "waiting"
    stage.order("approve", "agree")
    stage.start()
    assert stage.refusals()[-1] == "the evidence is not green: check: step check is skipped, not done"


@pytest.mark.parametrize(("age", "reads"), [(59, 0), (61, 1)])
def test_stale_evidence_is_read_again(age: int, reads: int) -> None:
    """Within one runner: what was read more than 60 s ago is no longer evidence."""
    stage = Stage(guarded())
    before: list[int] = []

    def tick() -> None:
        if stage.status("agree") is StepStatus.WAITING and not before:
            before.append(stage.count("verify check"))
            opened = datetime.fromisoformat(str(stage.step("agree").gate["at"]))
            stage.clock.time = opened + timedelta(seconds=age)
            stage.order("approve", "agree")

    assert stage.start(Policy(attended=True), tick=tick) == "done"
    assert stage.count("verify check") - before[0] == reads
    assert stage.kinds("agree").count(Kind.GATE_OPENED) == 1 + reads


def test_a_new_runner_shows_evidence_of_its_own_time() -> None:
    stage = Stage(guarded())
    stage.start()
    stage.start()
    assert stage.kinds("agree") == [Kind.GATE_OPENED, Kind.GATE_OPENED]
    first, second = (r for r in stage.journal.rows if r.kind is Kind.GATE_OPENED)
    assert second.body["checks"][0]["name"] == "check: looked at"
    assert first.at <= second.body["checks"][0]["at"]


def test_a_gate_without_evidence_asks_only_the_person() -> None:
    stage = Stage(guarded(evidence=False))
    stage.start()
    stage.order("approve")
    assert stage.start() == "done"


def test_two_yeses_pass_a_gate_once() -> None:
    stage = Stage(guarded())
    stage.start()
    stage.order("approve", "agree")
    stage.order("approve", "agree")
    assert stage.start() == "done"
    assert stage.kinds("agree").count(Kind.DONE) == 1
    assert len(stage.refusals()) == 1


def test_a_yes_before_the_gate_is_open_is_refused() -> None:
    stage = Stage(guarded())
    stage.order("approve", "agree")
    assert stage.start() == "waiting"
    assert stage.refusals() == ["step agree is pending: approve does not apply"]


def test_two_open_gates_ask_which() -> None:
    stage = Stage(
        book(
            step("check", "read"),
            gate("first", needs=("check",), auto=AutoApprove.NEVER),
            gate("second", needs=("check",), auto=AutoApprove.NEVER),
        )
    )
    stage.start()
    stage.order("approve")
    stage.start()
    assert stage.refusals() == ["say which step to approve (there: first, second)"]


def test_a_confirmation_without_its_value_fails_the_gate_and_not_the_runner() -> None:
    stage = Stage(guarded(confirm="switch ${vars.unknown}"))
    assert stage.start() == "failed"
    assert stage.status("agree") is StepStatus.FAILED
    assert "unknown" in stage.step("agree").error["what"]


def test_a_persons_yes_survives_a_crash_at_every_point() -> None:
    """The order leaves the inbox only when its decision is recorded; the gate passes once."""
    points = 0
    while True:
        points += 1
        stage = Stage(guarded(confirm="cut it"))
        stage.start()
        stage.order("approve", "agree", confirm="cut it")
        try:
            assert stage.start(crash_at=points) == "done"
        except SimulatedCrash:
            assert stage.start() == "done", points
            assert stage.kinds("agree").count(Kind.DONE) == 1
            assert stage.kinds("agree").count(Kind.PONR_PASSED) == 1
            assert stage.count("apply cut") == 1
            assert not stage.journal.inbox
        else:
            break
    assert points > 15
