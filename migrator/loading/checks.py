"""Rules that no single value can tell: what a step refers to, gates, points of no return, downtime."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from migrator.loading.drafts import StepDraft, texts
from migrator.loading.problems import Place, Problems, nearest, shown
from migrator.loading.stacks import Stack, Stacks
from migrator.loading.yaml_positions import Node, Table, Text
from migrator.model.expressions import ExpressionError, Reference, references
from migrator.model.runbook import EffectClass, StepKind

RUN_FACTS = ("id", "account", "region")
# Where `${…}` may stand.
_WITH_EXPRESSIONS = (("with",), ("wait", "for"), ("gate", "confirm"), ("manual", "confirm"))


@dataclass
class Checks:
    """Checks of all steps of a runbook, in the order of the file. Notes implied needs on the way."""

    steps: list[StepDraft]
    variables: Collection[str]
    stacks: Stacks | None
    problems: Problems

    def __post_init__(self) -> None:
        self.known = {step.id: step for step in reversed(self.steps) if step.id}
        self._stacks: dict[str, Stack | None] = {}

    def run(self) -> None:
        """Checks everything."""
        for step in self.steps:
            self._references(step)
            self._evidence(step)
            self._point_of_no_return(step)
            self._stack(step)
        self._downtime()

    def _references(self, step: StepDraft) -> None:
        for path in _WITH_EXPRESSIONS:
            for text in texts(step.find(*path)):
                for reference in _parsed(text):
                    self._reference(step, reference, text.place)

    def _reference(self, step: StepDraft, reference: Reference, place: Place) -> None:
        root, *rest = reference.path
        if root == "vars" and rest:
            if rest[0] not in self.variables:
                self._unknown(place, reference, "variable", rest[0], self.variables)
        elif root == "run" and rest:
            if rest[0] not in RUN_FACTS or len(rest) > 1:
                self._unknown(place, reference, "fact of the run", ".".join(rest), RUN_FACTS)
        elif root == "steps" and rest:
            self._step_output(step, reference, place)
        else:
            self.problems.add(
                place, f"{shown(str(reference))}: an expression starts with vars., steps. or run."
            )

    def _step_output(self, step: StepDraft, reference: Reference, place: Place) -> None:
        other = self.known.get(reference.step)
        if other is None:
            self._unknown(place, reference, "step", reference.step, self.known)
            return
        if other.order >= step.order:
            which = "is the step itself" if other is step else "stands later in the file"
            self.problems.add(place, f"{shown(str(reference))}: {shown(other.id)} {which}")
            return
        step.implied.append(other.id)
        if other.kind is not None and other.kind is not StepKind.ACTION:
            self.problems.add(
                place, f"{shown(str(reference))}: {shown(other.id)} is a {other.kind.value} without outputs"
            )
        elif len(reference.path) < 3:
            self.problems.add(
                place, f"{shown(str(reference))}: say which output of {shown(other.id)} is meant"
            )
        elif other.spec is not None:
            outputs = self._outputs(other)
            if outputs is not None and reference.path[2] not in outputs:
                self._unknown(place, reference, f"output of {other.id}", reference.path[2], outputs)

    def _outputs(self, step: StepDraft) -> set[str] | None:
        """The outputs of an action step; None when they cannot be known before it runs."""
        if step.spec is None:
            return None
        fixed = set(step.spec.outputs) - {"*"}
        if "*" not in step.spec.outputs:
            return fixed
        stack = self._stack_of(step)
        return fixed | stack.outputs if stack else None

    def _unknown(
        self,
        place: Place,
        reference: Reference,
        what: str,
        name: str,
        known: Collection[str],
    ) -> None:
        self.problems.add(
            place, f"{shown(str(reference))}: there is no {what} {shown(name)}{nearest(name, known)}"
        )

    def _evidence(self, step: StepDraft) -> None:
        if step.kind not in (StepKind.GATE, StepKind.MANUAL):
            return
        for name, place in step.listed(step.kind.value, "evidence"):
            other = self.known.get(name)
            if other is None:
                self.problems.add(place, f"there is no step {shown(name)}{nearest(name, self.known)}")
            elif other.order >= step.order:
                self.problems.add(
                    place, f"the step {shown(name)} does not come before this {step.kind.value}"
                )
            else:
                step.implied.append(name)
                if other.kind is not None and not _is_read(other):
                    self.problems.add(
                        place, f"the step {shown(name)} cannot be evidence: it is not a read-only action"
                    )

    def _point_of_no_return(self, step: StepDraft) -> None:
        if "ponr" not in step.node.entries or step.kind is None:
            return
        place = step.place("ponr")
        if step.kind not in (StepKind.GATE, StepKind.MANUAL):
            self.problems.add(place, "a point of no return is passed at a gate, where a person confirms it")
            return
        name = step.kind.value
        body = step.find(name)
        if not isinstance(body, Table):
            return
        if "confirm" not in body.entries:
            self.problems.add(place, f"a point of no return needs 'confirm' in its {name}: the text to type")
        if not step.listed(name, "evidence"):
            self.problems.add(place, f"a point of no return needs 'evidence' in its {name}")
        if step.body.get("auto") == "always":
            self.problems.add(step.place(name, "auto"), "a point of no return is never approved by itself")

    def _stack(self, step: StepDraft) -> None:
        """Checks the variables given to a Terraform stack that is named in so many words."""
        node = step.find("with", "stack")
        if step.spec is None or "*" not in step.spec.outputs or self.stacks is None or not _static(node):
            return
        stack = self._stack_of(step)
        if stack is None:
            name = node.value if isinstance(node, Text) else ""
            place = node.place if node else step.node.place
            self.problems.add(place, f"there is no stack {shown(name)}{nearest(name, self.stacks.names())}")
            return
        given = step.find("with", "variables")
        if given is not None and not isinstance(given, Table):
            return
        names = given.entries if given else {}
        for name in names:
            if given and name not in stack.variables:
                hint = nearest(name, stack.variables - set(names))
                self.problems.add(given.key(name), f"the stack has no variable {shown(name)}{hint}")
        for name in sorted(stack.required - set(names)):
            place = given.place if given else step.place("with")
            self.problems.add(place, f"the stack's variable '{name}' is missing")

    def _stack_of(self, step: StepDraft) -> Stack | None:
        node = step.find("with", "stack")
        if self.stacks is None or not isinstance(node, Text) or not _static(node):
            return None
        if node.value not in self._stacks:
            self._stacks[node.value] = self.stacks.get(node.value)
        return self._stacks[node.value]

    def _downtime(self) -> None:
        away: StepDraft | None = None
        for step in self.steps:
            says = step.values.get("downtime")
            if says == "starts":
                if away is not None:
                    self.problems.add(
                        step.place("downtime"), f"the downtime starts already in {shown(away.id)}"
                    )
                away = step
            elif says == "ends":
                if away is None:
                    self.problems.add(step.place("downtime"), "no downtime started before this step")
                away = None
        if away is not None:
            self.problems.add(away.place("downtime"), "this downtime never ends")


def _parsed(text: Text) -> Iterator[Reference]:
    try:
        yield from references(text.value)
    except ExpressionError:
        return  # the reader noted it


def _static(node: Node | None) -> bool:
    return isinstance(node, Text) and "${" not in node.value


def _is_read(step: StepDraft) -> bool:
    return step.kind is StepKind.ACTION and (step.spec is None or step.spec.effect is EffectClass.READ)
