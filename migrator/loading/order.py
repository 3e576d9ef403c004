"""What each step needs: declared, implied by what it uses, the phases before, gates above; and cycles in that."""

from __future__ import annotations

from collections.abc import Mapping

from migrator.loading.drafts import PhaseDraft, StepDraft
from migrator.loading.graph import blocked_by, cycles
from migrator.loading.problems import Problems, nearest, shown
from migrator.model.runbook import StepKind


def needs_of(phases: list[PhaseDraft]) -> dict[str, list[str]]:
    """Step id to the ids it needs, in the order of the file, each once; unknown names are left out."""
    steps = [step for phase in phases for step in phase.steps if step.id]
    rank = {step.id: step.order for step in reversed(steps)}
    inherited, barriers = _inherited(phases), _barriers(phases)
    needs = {}
    for step in steps:
        declared = [name for name, _ in step.listed("needs")]
        above = barriers.get(step.id, ())
        names = {*declared, *step.implied, *above, *inherited.get(step.phase, ())} & rank.keys()
        needs[step.id] = sorted(names - ({step.id} - set(declared)), key=rank.__getitem__)
    return needs


def phases_before(phases: list[PhaseDraft]) -> dict[str, list[str]]:
    """Phase id to the phases it comes after: as declared, else the one above."""
    before: dict[str, list[str]] = {}
    above = ""
    for phase in phases:
        declared = None if phase.after is None else [name for name, _ in phase.after]
        before[phase.id] = declared if declared is not None else [above] if above else []
        above = phase.id
    return before


def _inherited(phases: list[PhaseDraft]) -> Mapping[str, list[str]]:
    """Phase id to the steps of the phases it comes after; nothing while these wait for each other."""
    before = phases_before(phases)
    if cycles(before):
        return {}
    steps = {phase.id: [step.id for step in phase.steps] for phase in phases}
    return {
        name: [step for other in others for step in steps.get(other, [])] for name, others in before.items()
    }


def _barriers(phases: list[PhaseDraft]) -> Mapping[str, list[str]]:
    """Step id to the gates, waits and manual steps above it in its phase: nothing slips past them."""
    barriers: dict[str, list[str]] = {}
    for phase in phases:
        above: list[str] = []
        for step in phase.steps:
            barriers[step.id] = list(above)
            if step.kind not in (None, StepKind.ACTION):
                above.append(step.id)
    return barriers


def check_order(phases: list[PhaseDraft], problems: Problems) -> None:
    """Notes names that do not exist, names used twice, and cycles."""
    _check_phase_names(phases, problems)
    steps = [step for phase in phases for step in phase.steps]
    _check_step_names(steps, problems)
    graph = needs_of(phases)
    for cycle in cycles(graph):
        first = next(step for step in steps if step.id == cycle[0])
        place = next((place for name, place in first.listed("needs") if name == cycle[1]), first.node.place)
        stuck = len(blocked_by(graph, cycle))
        more = f"; {stuck} other step{'s' if stuck != 1 else ''} could never start" if stuck else ""
        problems.add(place, f"steps need each other: {' → '.join(cycle)}{more}")


def _check_phase_names(phases: list[PhaseDraft], problems: Problems) -> None:
    known: dict[str, PhaseDraft] = {}
    for phase in phases:
        if phase.id in known:
            first = known[phase.id].node.place.line
            problems.add(
                phase.node.entries["id"].place,
                f"the phase {shown(phase.id)} is there already, in line {first}",
            )
        elif phase.id:
            known[phase.id] = phase
    for phase in phases:
        for name, place in phase.after or []:
            if name not in known:
                problems.add(place, f"there is no phase {shown(name)}{nearest(name, known)}")
    for cycle in cycles(phases_before(phases)) if len(known) == len(phases) else ():
        first_phase = known.get(cycle[0])
        if first_phase is not None:
            place = first_phase.node.key("after")
            problems.add(place, f"phases wait for each other: {' → '.join(cycle)}")


def _check_step_names(steps: list[StepDraft], problems: Problems) -> None:
    known: dict[str, StepDraft] = {}
    for step in steps:
        if step.id in known:
            first = known[step.id].node.place.line
            problems.add(
                step.node.entries["id"].place, f"the step {shown(step.id)} is there already, in line {first}"
            )
        elif step.id:
            known[step.id] = step
    for step in steps:
        for name, place in step.listed("needs"):
            if name not in known:
                problems.add(place, f"there is no step {shown(name)}{nearest(name, known)}")
        _check_holds_until(step, known, problems)


def _check_holds_until(step: StepDraft, known: Mapping[str, StepDraft], problems: Problems) -> None:
    name = step.values.get("holds_until")
    if name is None:
        return
    place = step.node.entries["holds_until"].place
    if name not in known:
        problems.add(place, f"there is no step {shown(name)}{nearest(name, known)}")
    elif known[name].order <= step.order:
        problems.add(place, f"the step {shown(name)} does not come after this one")
