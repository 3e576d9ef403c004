"""The shipped habitcraft runbook: it loads clean, and keeps the promises that a table can tell."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from migrator.lab.spec import spec_from
from migrator.loading.graph import reach
from migrator.loading.migration import find_runbook, resolve_values
from migrator.loading.runbook import load_runbook
from migrator.model.expressions import references
from migrator.model.runbook import AutoApprove, EffectClass, PointOfNoReturn, Runbook, StepKind
from migrator.resources import shipped
from tests.loading.shipped_actions import CATALOGUE

ORDER = (
    *("approve_start", "state_backend", "compute", "instances_healthy", "check_api", "open_window"),
    *("fence", "dump", "restore", "sequences", "compare", "swap", "check_session", "approve_cutover"),
    *("cutover", "watch", "user_flow", "wait_soak", "silence", "export_services", "approve_deletion"),
    *("delete_backend_service", "unpeer", "update_documentation"),
)


@pytest.fixture(scope="module")
def runbook() -> Runbook:
    return load_runbook(find_runbook("habitcraft"), CATALOGUE, shipped("terraform") / "stacks")


def before(runbook: Runbook, step: str) -> set[str]:
    return reach({each.id: each.needs for each in runbook.steps()}, step)


def test_every_stack_of_the_system_is_applied(runbook: Runbook) -> None:
    applied = {str(step.params["stack"]) for step in runbook.steps() if step.action == "parallel_infra.stack"}
    folder: Path = shipped("terraform") / "stacks"
    assert applied == {
        f"habitcraft/{stack.name}" for stack in (folder / "habitcraft").iterdir() if stack.is_dir()
    }


def test_independent_stacks_run_side_by_side(runbook: Runbook) -> None:
    for stack in ("network", "registry", "certificate", "secrets"):
        assert not before(runbook, stack) & {"network", "registry", "certificate", "secrets", "wait_ttl"}
    assert "wait_ttl" not in before(runbook, "instances_healthy")


@pytest.mark.parametrize(
    ("earlier", "later"),
    pairwise(ORDER),
)
def test_order_that_safety_needs(runbook: Runbook, earlier: str, later: str) -> None:
    assert earlier in before(runbook, later)


def test_the_long_ttl_is_waited_out_before_the_window(runbook: Runbook) -> None:
    wait = runbook.step("wait_ttl").wait
    assert wait is not None
    assert wait.at_least_seconds == 86_400
    assert "wait_ttl" in before(runbook, "open_window")


def test_points_of_no_return_are_typed_and_never_automatic(runbook: Runbook) -> None:
    gates = {step.ponr: step for step in runbook.steps() if step.ponr}
    assert set(gates) == set(PointOfNoReturn)
    for step in gates.values():
        assert step.gate is not None
        assert step.gate.confirm
        assert step.gate.auto is not AutoApprove.ALWAYS
        assert step.gate.max_age_seconds <= 60


def test_nothing_is_written_to_the_new_side_before_its_gate(runbook: Runbook) -> None:
    for step in runbook.steps():
        if step.action == "verify.flow":
            assert "approve_cutover" in before(runbook, step.id)


def test_nothing_is_deleted_before_its_gate(runbook: Runbook) -> None:
    deletions = [
        step.id
        for step in runbook.steps()
        if step.kind is StepKind.ACTION and CATALOGUE[step.action].effect is EffectClass.DELETE
    ]
    assert len(deletions) == 4
    for step_id in deletions:
        assert "approve_deletion" in before(runbook, step_id)


def test_every_decision_can_be_rehearsed_without_a_person(runbook: Runbook) -> None:
    for step in runbook.steps():
        if step.gate is not None:
            assert step.gate.auto is AutoApprove.REHEARSAL, step.id
        if step.wait is not None:
            assert step.wait.rehearsal_seconds is not None, step.id


def test_a_rehearsal_asks_only_the_twin(runbook: Runbook) -> None:
    values, provenance = resolve_values(runbook, {}, "rehearse")
    assert values["domain"] == "example.com"
    assert set(provenance.values()) <= {"default", "rehearsal", "none"}


def test_costs_add_up_to_the_documents_sum(runbook: Runbook) -> None:
    assert sum(line.old_usd for line in runbook.cost) == 27
    assert sum(line.new_usd for line in runbook.cost) == 52.5


def test_the_lab_can_be_built_from_it(runbook: Runbook) -> None:
    spec = spec_from(dict(runbook.lab))
    assert spec.database.rows >= 200_000
    services = {variable.name: variable.default for variable in runbook.variables}
    assert (spec.backend_service, spec.frontend_service) == (
        services["backend_service"],
        services["frontend_service"],
    )


def test_every_variable_is_used(runbook: Runbook) -> None:
    used = {
        reference.variable
        for step in runbook.steps()
        for reference in references([step.params, step.gate.confirm if step.gate else ""])
    }
    assert {variable.name for variable in runbook.variables} <= used


def test_the_example_in_the_readme_loads(tmp_path: Path) -> None:
    text = (shipped("runbooks") / "README.md").read_text(encoding="utf-8")
    file = tmp_path / "small.yaml"
    file.write_text(text.split("```yaml\n")[2].split("```")[0], encoding="utf-8")
    assert load_runbook(file, CATALOGUE, None).name == "small"
