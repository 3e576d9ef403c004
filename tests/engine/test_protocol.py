"""One step from INTENT to DONE, and every way in which it can end otherwise."""

from __future__ import annotations

import pytest

from migrator.contracts.action import Verdict
from migrator.errors import DeadlineExceeded, InDoubt, Interrupted, Refused
from migrator.model.records import Kind
from migrator.model.runbook import EffectClass, PointOfNoReturn
from migrator.model.state import StepStatus
from tests.engine.books import SPECS, book, gate, step
from tests.engine.stage import Part, Stage
from tests.engine.world import SimulatedCrash

CUT = InDoubt("the connection was cut")
NO = Refused("the world said no")
CHANGES = [name for name in SPECS if name != "read"]


def one(action: str = "named", **part: object) -> Stage:
    return Stage(book(step("it", action)), it=Part(**part))  # type: ignore[arg-type]


def test_the_records_of_a_step_in_order() -> None:
    """P2: the intent stands before the effect."""
    seen: list[list[Kind]] = []
    stage = one()
    stage.parts["it"].applies = [lambda ctx: seen.append(stage.kinds("it"))]
    assert stage.start() == "done"
    assert seen == [[Kind.INTENT]]
    assert stage.kinds("it") == [Kind.INTENT, Kind.OUTCOME, Kind.VERIFIED, Kind.DONE]
    assert stage.calls == ["probe it", "apply it", "verify it"]
    (intent,) = [r.body for r in stage.journal.rows if r.kind is Kind.INTENT]
    assert intent["key"] == "r1-it"
    assert intent["attempt"] == 1
    assert intent["baseline"] == {"verdict": "absent", "evidence": "looked"}
    assert intent["deadline"] == "2026-01-03T02:30:00+00:00"
    assert len(intent["step_hash"]) == len(intent["inputs_digest"]) == 64


@pytest.mark.parametrize("effect", [e for e in EffectClass if e is not EffectClass.HUMAN])
def test_attempts_by_effect_class(effect: EffectClass) -> None:
    """A cut connection each time: as many attempts as the class allows, each probed before the next."""
    stage = one(effect.name.lower(), applies=[CUT] * 9)
    assert stage.start() == "failed"
    assert stage.status("it") is StepStatus.FAILED
    assert stage.count("apply it") == effect.attempts
    if effect is not EffectClass.READ:
        probes = [c for c in stage.calls if c != "verify it"]
        assert probes == ["probe it", "apply it", "probe it"] * effect.attempts
    assert stage.step("it").error["what"] == "the connection was cut"


@pytest.mark.parametrize("effect", list(EffectClass))
def test_more_than_one_attempt_only_where_a_second_is_harmless(effect: EffectClass) -> None:
    many = {EffectClass.READ, EffectClass.TOKEN, EffectClass.COMPARE_AND_SET, EffectClass.SWAP}
    assert (effect.attempts > 1) == (effect in many)


def test_a_later_attempt_may_succeed() -> None:
    stage = one("token", applies=[CUT, CUT])
    assert stage.start() == "done"
    assert stage.step("it").attempt == 3
    assert stage.step("it").error == {}
    kinds = [k for k in stage.kinds("it") if k is not Kind.PROBED]
    assert kinds == [Kind.INTENT, Kind.OUTCOME] * 3 + [Kind.VERIFIED, Kind.DONE]


@pytest.mark.parametrize(
    "error", [CUT, DeadlineExceeded("too late"), RuntimeError("a bug"), OSError(5, "I/O")]
)
def test_an_effect_that_did_happen_is_adopted_after_an_error(error: Exception) -> None:
    stage = one(applies=[error], probes=[Verdict.ABSENT, Verdict.OURS])
    assert stage.start() == "done"
    assert stage.count("apply it") == 1
    assert stage.step("it").adopted
    assert stage.kinds("it") == [Kind.INTENT, Kind.OUTCOME, Kind.PROBED, Kind.VERIFIED, Kind.DONE]


def test_an_unclassified_error_is_described_and_in_doubt() -> None:
    stage = one(applies=[RuntimeError("a bug")])
    stage.start()
    outcome = next(r.body for r in stage.journal.rows if r.kind is Kind.OUTCOME)
    assert outcome["error"]["kind"] == "Unclassified"
    assert outcome["error"]["what"] == "RuntimeError: a bug"
    assert outcome["error"]["next"]


@pytest.mark.parametrize("action", CHANGES)
def test_after_a_crash_in_the_effect_the_only_thing_next_is_a_probe(action: str) -> None:
    """No second intent: what is there is adopted by the attempt that made it."""

    def die(ctx: object) -> None:
        stage.parts["it"].exists = True
        raise SimulatedCrash

    stage = one(action, applies=[die])
    with pytest.raises(SimulatedCrash):
        stage.start()
    stage.calls.clear()
    assert stage.start() == "done"
    assert stage.calls == ["probe it", "verify it"]
    assert stage.kinds("it") == [Kind.INTENT, Kind.PROBED, Kind.VERIFIED, Kind.DONE]
    assert stage.step("it").attempt == 1


@pytest.mark.parametrize("verdict", [Verdict.FOREIGN, Verdict.UNKNOWN])
def test_in_doubt_and_not_clearly_ours_needs_a_person(verdict: Verdict) -> None:
    stage = one("token", applies=[CUT], probes=[Verdict.ABSENT, verdict])
    assert stage.start() == "failed"
    found = stage.step("it")
    assert found.status is StepStatus.BLOCKED
    assert found.evidence == f"{verdict.value} was said"
    assert found.error["what"] == "the connection was cut"
    assert found.effect_sent
    assert stage.count("apply it") == 1


def test_a_probe_without_an_answer_is_unknown() -> None:
    stage = one("token", applies=[CUT], probes=[Verdict.ABSENT, RuntimeError("no route")])
    assert stage.start() == "failed"
    assert stage.status("it") is StepStatus.BLOCKED
    assert "no route" in stage.step("it").evidence


def test_retry_after_a_block_probes_before_anything_is_sent() -> None:
    stage = one(applies=[CUT], probes=[Verdict.ABSENT, Verdict.UNKNOWN])
    stage.start()
    stage.calls.clear()
    stage.parts["it"].exists = True
    stage.order("retry", "it")
    assert stage.start() == "done"
    assert stage.calls == ["probe it", "verify it"]


@pytest.mark.parametrize("action", CHANGES)
@pytest.mark.parametrize("verdict", [Verdict.FOREIGN, Verdict.UNKNOWN])
def test_what_this_run_did_not_make_is_not_touched(action: str, verdict: Verdict) -> None:
    """P5: before anything is sent, and without a point of no return on record."""
    stage = Stage(book(step("it", action, ponr=PointOfNoReturn.DELETION)), it=Part(probes=[verdict]))
    assert stage.start() == "failed"
    assert stage.kinds("it") == [Kind.FAILED]
    assert stage.count("apply it") == 0
    assert not stage.state.ponr
    assert f"{verdict.value} was said" in stage.step("it").error["detail"]


@pytest.mark.parametrize("action", CHANGES)
def test_what_is_there_already_and_ours_is_adopted_without_an_effect(action: str) -> None:
    stage = one(action, exists=True)
    assert stage.start() == "done"
    assert stage.count("apply it") == 0
    assert stage.count("verify it") == 1
    assert stage.step("it").adopted


@pytest.mark.parametrize("action", CHANGES)
def test_what_is_half_there_is_repaired_by_apply(action: str) -> None:
    stage = one(action, probes=[Verdict.PARTIAL])
    assert stage.start() == "done"
    assert stage.count("apply it") == 1


def test_half_done_after_an_error_is_repaired_while_attempts_last() -> None:
    stage = one("swap", applies=[CUT], probes=[Verdict.ABSENT, Verdict.PARTIAL])
    assert stage.start() == "done"
    assert stage.count("apply it") == 2


def test_half_done_with_no_attempt_left_needs_a_person() -> None:
    stage = one("terraform", applies=[CUT], probes=[Verdict.ABSENT, Verdict.PARTIAL])
    assert stage.start() == "failed"
    assert stage.status("it") is StepStatus.BLOCKED
    assert "in part" in stage.step("it").reason


@pytest.mark.parametrize("action", CHANGES)
def test_a_refusal_is_no_doubt(action: str) -> None:
    stage = one(action, applies=[NO])
    assert stage.start() == "failed"
    assert stage.kinds("it") == [Kind.INTENT, Kind.OUTCOME, Kind.FAILED]
    assert stage.calls == ["probe it", "apply it"]
    assert not stage.step("it").effect_sent


@pytest.mark.parametrize("green", [False, None, RuntimeError("no answer")])
def test_a_change_without_green_proof_is_blocked_and_not_done_again(
    green: bool | None | BaseException,
) -> None:
    stage = one("token", greens=[green])
    assert stage.start() == "failed"
    assert stage.status("it") is StepStatus.BLOCKED
    assert stage.count("apply it") == 1
    stage.order("retry", "it")
    assert stage.start() == "done"
    assert stage.count("apply it") == 1


@pytest.mark.parametrize("green", [False, None, RuntimeError("no answer")])
def test_a_read_that_is_not_green_has_failed(green: bool | None | BaseException) -> None:
    stage = one("read", greens=[green])
    assert stage.start() == "failed"
    assert stage.status("it") is StepStatus.FAILED
    stage.order("retry", "it")
    assert stage.start() == "done"


def test_a_read_is_never_probed() -> None:
    stage = one("read", applies=[CUT])
    assert stage.start() == "done"
    assert stage.count("probe it") == 0


@pytest.mark.parametrize("verb", ["probes", "applies", "greens"])
def test_an_interrupted_step_stops_and_is_probed_when_the_run_goes_on(verb: str) -> None:
    """Before its intent it is pending; afterwards in doubt. Nothing is sent twice."""
    stage = one("token", **{verb: [Interrupted("by the operator")]})

    def tick() -> None:
        if stage.calls and not stage.state.paused and not stage.state.decisions:
            stage.order("pause")

    # The order to interrupt pauses the run; here it comes first, so that the step is not taken up again.
    assert stage.start(tick=tick) == "paused"
    assert stage.status("it") is (StepStatus.PENDING if verb == "probes" else StepStatus.IN_DOUBT)
    assert Kind.FAILED not in stage.kinds("it")
    stage.calls.clear()
    stage.order("continue")
    assert stage.start() == "done"
    assert stage.calls[0] == "probe it"
    assert stage.count("apply it") == (0 if verb == "greens" else 1)


def test_a_value_that_does_not_resolve_fails_before_anything_is_sent() -> None:
    stage = Stage(book(step("it", params={"text": "${vars.unknown}"})))
    assert stage.start() == "failed"
    assert stage.calls == []
    assert stage.kinds("it") == [Kind.FAILED]
    assert "unknown" in stage.step("it").error["what"]


def test_outputs_flow_to_later_steps_and_not_from_skipped_ones() -> None:
    later = step("later", needs=("first",), params={"x": "${steps.first.name}"})
    stage = Stage(book(step("first"), later), first=Part(outputs={"name": "n"}))
    assert stage.step("first").outputs == {}
    stage.start()
    assert stage.step("first").outputs == {"name": "n"}
    skipped = Stage(book(step("first"), later), first=Part(applies=[NO]))
    skipped.start()
    skipped.order("skip", "first", reason="by hand")
    assert skipped.start() == "failed"
    assert skipped.count("apply later") == 0
    assert "${steps.first.name} has no value" in skipped.step("later").error["what"]


def test_both_points_of_no_return_are_recorded_before_their_effect() -> None:
    sides: dict[str, list[str]] = {}

    def look(name: str) -> Part:
        return Part(applies=[lambda ctx: sides.setdefault(name, []).extend(sorted(stage.state.ponr))])

    stage = Stage(
        book(
            step("early"),
            gate("agree", needs=("early",), ponr=PointOfNoReturn.NEW_WRITES),
            step("cut", "compare_and_set", needs=("agree",)),
            step("remove", "delete", needs=("cut",), ponr=PointOfNoReturn.DELETION),
        ),
        early=look("early"),
        cut=look("cut"),
        remove=look("remove"),
    )
    stage.start()
    stage.order("approve", "agree")
    assert stage.start() == "done"
    assert sides == {"early": [], "cut": ["new_writes"], "remove": ["deletion", "new_writes"]}
    assert stage.kinds("agree").index(Kind.PONR_PASSED) < stage.kinds("agree").index(Kind.DONE)
    assert stage.kinds("remove")[:2] == [Kind.PONR_PASSED, Kind.INTENT]
    assert stage.state.ponr.keys() == {"new_writes", "deletion"}


def test_a_point_of_no_return_is_passed_once_whatever_crashes() -> None:
    points = 0
    while True:
        points += 1
        stage = Stage(book(step("remove", "delete", ponr=PointOfNoReturn.DELETION)))
        try:
            stage.start(crash_at=points)
        except SimulatedCrash:
            if stage.parts["remove"].exists:
                assert stage.state.ponr
            assert stage.start() == "done"
            assert stage.kinds("remove").count(Kind.PONR_PASSED) == 1
        else:
            break
    assert points > 10
