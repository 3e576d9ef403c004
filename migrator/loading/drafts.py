"""Steps and phases while they are checked: what could be read, beside the nodes it was read from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from migrator.contracts.action import ActionSpec
from migrator.loading.problems import Place
from migrator.loading.yaml_positions import Items, Node, Table, Text
from migrator.model.runbook import StepKind


@dataclass
class StepDraft:
    """One step. `kind` and `spec` are None where they could not be told; `implied` are needs nobody wrote."""

    id: str
    phase: str
    order: int
    node: Table
    values: dict[str, Any]
    kind: StepKind | None
    spec: ActionSpec | None = None
    implied: list[str] = field(default_factory=list)

    @property
    def body(self) -> dict[str, Any]:
        """The values under `gate`, `manual` or `wait`."""
        body = self.values.get(self.kind.value, {}) if self.kind else {}
        return body if isinstance(body, dict) else {}

    def find(self, *path: str) -> Node | None:
        """The node below the step at this path of keys."""
        node: Node | None = self.node
        for name in path:
            node = node.entries.get(name) if isinstance(node, Table) else None
        return node

    def place(self, *path: str) -> Place:
        """Where this key of the step stands; the nearest place above it when it is missing."""
        node, place = self.node, self.node.place
        for name in path:
            place = node.key(name)
            child = node.entries.get(name)
            if not isinstance(child, Table):
                break
            node = child
        return place

    def listed(self, *path: str) -> list[tuple[str, Place]]:
        """The texts of a list below the step, each with its place."""
        node = self.find(*path)
        items = node.items if isinstance(node, Items) else ()
        return [(item.value, item.place) for item in items if isinstance(item, Text) and item.value]


@dataclass
class PhaseDraft:
    """One phase. `after` is None where the author did not say; the phase above is meant then."""

    id: str
    node: Table
    values: dict[str, Any]
    after: list[tuple[str, Place]] | None
    steps: list[StepDraft]


def texts(node: Node | None) -> Iterator[Text]:
    """Every scalar in and below a node."""
    if isinstance(node, Text):
        yield node
    elif isinstance(node, Items):
        for item in node.items:
            yield from texts(item)
    elif isinstance(node, Table):
        for item in node.entries.values():
            yield from texts(item)
