"""Order among steps or phases: what needs what, and cycles in it."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

Graph = Mapping[str, Sequence[str]]
"""Each name with those it needs; names that are not keys are passed over."""


def cycles(graph: Graph) -> list[tuple[str, ...]]:
    """One shortest cycle for each group of names that need each other, its first name repeated at the end."""
    rank = {name: order for order, name in enumerate(graph)}
    seen: set[str] = set()
    found = []
    for name in graph:
        if name in seen:
            continue
        path = _way_back(graph, name)
        if path:
            found.append(path)
            # Everything in the same group is told by this one cycle.
            seen |= {other for other in rank if other in reach(graph, name) and name in reach(graph, other)}
    return found


def _way_back(graph: Graph, start: str) -> tuple[str, ...]:
    came_from: dict[str, str] = {}
    queue = deque([start])
    while queue:
        name = queue.popleft()
        for need in graph[name]:
            if need == start:
                path = [name]
                while path[-1] != start:
                    path.append(came_from[path[-1]])
                return (*reversed(path), start)
            if need in graph and need not in came_from:
                came_from[need] = name
                queue.append(need)
    return ()


def reach(graph: Graph, start: str) -> set[str]:
    """Everything that `start` needs, directly or through others."""
    reached: set[str] = set()
    queue = deque([start])
    while queue:
        for need in graph[queue.popleft()]:
            if need in graph and need not in reached:
                reached.add(need)
                queue.append(need)
    return reached


def blocked_by(graph: Graph, cycle: Sequence[str]) -> set[str]:
    """Names outside a cycle that could never start because of it."""
    inside = set(cycle)
    return {name for name in graph if name not in inside and reach(graph, name) & inside}
