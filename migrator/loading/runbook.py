"""Loads a runbook: YAML to checked, frozen data, with every problem told at once."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from migrator.contracts.action import ActionSpec
from migrator.errors import InvalidRunbook
from migrator.loading.checks import Checks
from migrator.loading.drafts import PhaseDraft, StepDraft
from migrator.loading.files import read_document
from migrator.loading.format import PHASE, RUNBOOK, STEP, STEP_KINDS, VARIABLE
from migrator.loading.kinds import record_of
from migrator.loading.order import check_order, needs_of, phases_before
from migrator.loading.problems import Problems, nearest, shown
from migrator.loading.reader import UNREAD, Reader
from migrator.loading.stacks import Stacks
from migrator.loading.values import is_null, read_value
from migrator.loading.yaml_positions import Items, Node, Table, Text
from migrator.model.runbook import (
    AutoApprove,
    CostLine,
    Gate,
    Phase,
    PointOfNoReturn,
    Runbook,
    Step,
    StepKind,
    Variable,
    Wait,
)

__all__ = ["InvalidRunbook", "load_runbook"]


def load_runbook(path: Path, catalogue: Mapping[str, ActionSpec], stacks: Path | None) -> Runbook:
    """The runbook in `path`, checked against the known actions and the Terraform stacks below `stacks`.

    `InvalidRunbook` lists every problem. Without `stacks`, their variables and outputs are not checked.
    """
    problems = Problems(str(path))
    data, node = read_document(path, problems)
    loader = _Loader(problems, Reader(problems), catalogue, Stacks(stacks) if stacks else None)
    runbook = loader.load(node, hashlib.sha256(data).hexdigest()) if node is not None else None
    problems.raise_if_any()
    if runbook is None:
        raise AssertionError("no runbook and no problem")
    return runbook


class _Loader:
    def __init__(
        self,
        problems: Problems,
        reader: Reader,
        catalogue: Mapping[str, ActionSpec],
        stacks: Stacks | None,
    ) -> None:
        self.problems = problems
        self.reader = reader
        self.catalogue = catalogue
        self.stacks = stacks

    def load(self, node: Node, digest: str) -> Runbook | None:
        top = self.reader.record(RUNBOOK, node, ignore=("variables", "phases"))
        if top is UNREAD or not isinstance(node, Table):
            return None
        variables = self._variables(node.entries.get("variables"))
        phases = self._phases(node.entries.get("phases"))
        steps = [step for phase in phases for step in phase.steps]
        entry = node.entries.get("variables")
        names = set(entry.entries) if isinstance(entry, Table) else set()
        Checks(steps, names, self.stacks, self.problems).run()
        check_order(phases, self.problems)
        needs, after = needs_of(phases), phases_before(phases)
        if self.problems.found:
            return None
        return Runbook(
            name=top["name"],
            title=top["title"],
            summary=top["summary"],
            variables=tuple(variables.values()),
            phases=tuple(_phase(phase, after[phase.id], needs) for phase in phases),
            lab=top.get("lab", {}),
            cost=tuple(CostLine(**line) for line in top.get("cost", [])),
            digest=digest,
            file=self.problems.file,
        )

    def _variables(self, node: Node | None) -> dict[str, Variable]:
        variables: dict[str, Variable] = {}
        if node is None or self.reader.read(RUNBOOK.keys["variables"].kind, node) is UNREAD:
            return variables
        for name, entry in node.entries.items() if isinstance(node, Table) else ():
            values = self.reader.record(VARIABLE, entry)
            if isinstance(values, dict) and isinstance(entry, Table):
                variables[name] = self._variable(name, values, entry)
        return variables

    def _variable(self, name: str, values: dict[str, Any], node: Table) -> Variable:
        type_name, pattern = values.get("type", ""), values.get("pattern", "")
        choices = tuple(values.get("choices", ()))
        if (type_name == "choice") != bool(choices):
            self.problems.add(node.key("choices"), "'choices' and the type 'choice' go together")
        if "rehearsal" in node.entries and "rehearsal_from" in node.entries:
            self.problems.add(node.key("rehearsal_from"), "give either 'rehearsal' or 'rehearsal_from'")
        try:
            re.compile(pattern)
        except (re.error, OverflowError, RecursionError) as error:
            self.problems.add(node.entries["pattern"].place, f"not a regular expression: {error}")
            pattern = ""
        read: dict[str, Any] = {}
        for key in ("default", "rehearsal"):
            entry = node.entries.get(key)
            readable = bool(choices) if type_name == "choice" else bool(type_name)
            if entry is not None and readable and not is_null(entry):
                value = read_value(self.reader, type_name, entry, choices, pattern)
                read[key] = None if value is UNREAD else value
        return Variable(
            name=name,
            type=type_name,
            description=values.get("description", ""),
            required=values.get("required", True),
            pattern=pattern,
            choices=choices,
            from_lab="rehearsal_from" in values,
            **read,
        )

    def _phases(self, node: Node | None) -> list[PhaseDraft]:
        phases: list[PhaseDraft] = []
        if node is None:
            return phases
        if not isinstance(node, Items):
            self.reader.read(RUNBOOK.keys["phases"].kind, node)
            return phases
        if not node.items:
            self.problems.add(node.place, "the list is empty")
        order = 0
        for entry in node.items:
            values = self.reader.record(PHASE, entry, ignore=("steps",))
            if not isinstance(values, dict) or not isinstance(entry, Table):
                continue
            phase_id = values.get("id", "")
            steps = self._steps(entry.entries.get("steps"), phase_id, order)
            order += len(steps)
            after = entry.entries.get("after")
            named = None
            if isinstance(after, Items):
                named = [(item.value, item.place) for item in after.items if isinstance(item, Text)]
            phases.append(PhaseDraft(phase_id, entry, values, named, steps))
        return phases

    def _steps(self, node: Node | None, phase: str, order: int) -> list[StepDraft]:
        if not isinstance(node, Items):
            if node is not None:
                self.reader.read(PHASE.keys["steps"].kind, node)
            return []
        if not node.items:
            self.problems.add(node.place, "the list is empty")
        drafts: list[StepDraft] = []
        for entry in node.items:
            values = self.reader.record(STEP, entry, ignore=("with",))
            if isinstance(values, dict) and isinstance(entry, Table):
                drafts.append(self._step(entry, values, phase, order + len(drafts)))
        return drafts

    def _step(self, node: Table, values: dict[str, Any], phase: str, order: int) -> StepDraft:
        present = [name for name in STEP_KINDS if name in node.entries]
        kind = StepKind(present[0]) if len(present) == 1 else None
        draft = StepDraft(values.get("id", ""), phase, order, node, values, kind)
        parameters = node.entries.get("with")
        if kind is StepKind.ACTION and "action" in values:
            self._action(draft, values["action"], parameters)
        elif parameters is not None and kind not in (None, StepKind.ACTION):
            self.problems.add(node.key("with"), "only an action has parameters")
        return draft

    def _action(self, draft: StepDraft, name: str, parameters: Node | None) -> None:
        spec = self.catalogue.get(name)
        if spec is None:
            place = draft.node.entries["action"].place
            self.problems.add(place, f"there is no action {shown(name)}{nearest(name, self.catalogue)}")
            if parameters is not None:
                self.reader.read(STEP.keys["with"].kind, parameters, expressions=True)
            return
        draft.spec = spec
        record = record_of(spec.params)
        if parameters is None:
            missing = [key for key, value in record.keys.items() if value.required]
            if missing:
                self.problems.add(
                    draft.place("action"), f"{name} needs parameters under 'with': {', '.join(missing)}"
                )
            return
        read = self.reader.record(record, parameters, expressions=True)
        draft.values["with"] = read if isinstance(read, dict) else {}


def _phase(draft: PhaseDraft, after: list[str], needs: Mapping[str, list[str]]) -> Phase:
    return Phase(
        id=draft.id,
        title=draft.values["title"],
        summary=draft.values["summary"],
        steps=tuple(_step(step, needs[step.id]) for step in draft.steps),
        after=tuple(after),
    )


def _step(draft: StepDraft, needs: list[str]) -> Step:
    values = draft.values
    if draft.kind is None:
        raise AssertionError(f"step {draft.id} has no kind and no problem")
    return Step(
        id=draft.id,
        phase=draft.phase,
        kind=draft.kind,
        title=values["title"],
        why=values["why"],
        proof=values["proof"],
        back=values["back"],
        needs=tuple(needs),
        action=values.get("action", ""),
        params=values.get("with", {}),
        gate=_gate(draft) if draft.kind in (StepKind.GATE, StepKind.MANUAL) else None,
        wait=_wait(draft.body) if draft.kind is StepKind.WAIT else None,
        ponr=PointOfNoReturn(values["ponr"]) if "ponr" in values else None,
        downtime=values.get("downtime", ""),
        deadline_seconds=values.get("deadline", 1_800.0),
        expected_seconds=values.get("expected"),
        holds_until=values.get("holds_until", ""),
        line=draft.node.place.line,
    )


def _gate(draft: StepDraft) -> Gate:
    body = draft.body
    return Gate(
        question=body["question" if draft.kind is StepKind.GATE else "instructions"],
        yes=body["yes"],
        no=body["no"],
        evidence=tuple(body.get("evidence", ())),
        confirm=body.get("confirm", ""),
        auto=AutoApprove(body.get("auto", AutoApprove.NEVER)),
        max_age_seconds=body.get("max_age", 60.0),
    )


def _wait(body: dict[str, Any]) -> Wait:
    return Wait(
        seconds=body["for"],
        reason=body["reason"],
        rehearsal_seconds=body.get("rehearsal"),
        at_least_seconds=body.get("at_least", 0.0),
    )
