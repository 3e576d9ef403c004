"""Two sides of a copy, held against each other: one check a group, each naming what differs."""

from __future__ import annotations

from collections.abc import Mapping

from migrator.contracts.action import Check
from phases.db_migration.fingerprints import LARGE_OBJECTS
from phases.db_migration.snapshot import SequenceValue, Snapshot

_NAMED = 8
_DEFINITION_CHARACTERS = 160


def compare(source: Snapshot, target: Snapshot) -> tuple[Check, ...]:
    """Every check, in a fixed order; a group that a side does not have is not ok."""
    checks = [_comparable(source, target), _rows(source, target), _large_objects(source, target)]
    for group in source.catalogue:
        checks.append(_group(group, source.catalogue[group], target.catalogue.get(group)))
    checks.append(sequence_values(source.sequences, target.sequences))
    return tuple(checks)


def _comparable(source: Snapshot, target: Snapshot) -> Check:
    """Hashes of records may change with a major version; then equal numbers would prove nothing."""
    majors = source.server_version // 10_000, target.server_version // 10_000
    ok = source.method == target.method and (source.method == "text" or majors[0] == majors[1])
    detail = f"versions {majors[0]} and {majors[1]}, method {source.method}"
    return Check("fingerprints comparable", ok, detail if ok else f"{detail}: dump with `fingerprint: text`")


def _rows(source: Snapshot, target: Snapshot) -> Check:
    wrong: list[str] = []
    names = sorted((set(source.tables) | set(target.tables)) - {LARGE_OBJECTS})
    for name in names:
        one, other = source.tables.get(name), target.tables.get(name)
        if one is None or other is None:
            wrong.append(f"{name}: only on the {'target' if one is None else 'source'}")
        elif one.rows != other.rows:
            wrong.append(f"{name}: {one.rows} rows, {other.rows} on the target")
        elif one.hash != other.hash:
            wrong.append(f"{name}: same number of rows, but not the same rows")
    return Check(
        "rows", not wrong and bool(names), _list(wrong) or f"{source.rows} rows in {len(names)} tables"
    )


def _large_objects(source: Snapshot, target: Snapshot) -> Check:
    one, other = source.tables.get(LARGE_OBJECTS), target.tables.get(LARGE_OBJECTS)
    if one is None or other is None:
        return Check("large objects", False, "were not read")
    if one.rows != other.rows:
        return Check("large objects", False, f"{one.rows} on the source, {other.rows} on the target")
    return Check(
        "large objects",
        one.hash == other.hash,
        f"{one.rows}" if one.hash == other.hash else "contents differ",
    )


def _group(group: str, source: Mapping[str, str], target: Mapping[str, str] | None) -> Check:
    if target is None:
        return Check(group, False, "was not read on the target")
    wrong = [f"missing on the target: {name}" for name in sorted(set(source) - set(target))]
    wrong += [f"only on the target: {name}" for name in sorted(set(target) - set(source))]
    wrong += [
        f"{name}: {_short(source[name])} ≠ {_short(target[name])}"
        for name in sorted(set(source) & set(target))
        if source[name] != target[name]
    ]
    return Check(group, not wrong, _list(wrong) or str(len(source)))


def sequence_values(source: Mapping[str, SequenceValue], target: Mapping[str, SequenceValue]) -> Check:
    """On the target no sequence may hand out a value again."""
    wrong = [f"{name}: {problem}" for name, problem in behind(source, target).items()]
    return Check("sequence values", not wrong, _list(wrong) or str(len(source)))


def behind(source: Mapping[str, SequenceValue], target: Mapping[str, SequenceValue]) -> dict[str, str]:
    """Sequences of the source that the target has not, or that stand before the source or their column."""
    found: dict[str, str] = {}
    for name, value in source.items():
        there = target.get(name)
        if there is None:
            found[name] = "missing on the target"
        elif (least := needed(value, there)) is not None and not _at_least(there, least):
            found[name] = f"stands at {there.reached}, must have reached {least}"
    return found


def needed(source: SequenceValue, target: SequenceValue) -> int | None:
    """The value that a sequence must have handed out: the source's, or the column's largest on either side."""
    values = [v for v in (source.reached, source.column_maximum, target.column_maximum) if v is not None]
    if not values:
        return None
    return max(values) if target.increment > 0 else min(values)


def _at_least(there: SequenceValue, least: int) -> bool:
    if there.reached is None:
        return False
    return there.reached >= least if there.increment > 0 else there.reached <= least


def _short(text: str) -> str:
    one_line = " ".join(text.split())
    return (
        one_line if len(one_line) <= _DEFINITION_CHARACTERS else one_line[: _DEFINITION_CHARACTERS - 1] + "…"
    )


def _list(wrong: list[str]) -> str:
    more = f"; and {len(wrong) - _NAMED} more" if len(wrong) > _NAMED else ""
    return "; ".join(wrong[:_NAMED]) + more
