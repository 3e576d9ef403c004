"""Which items of an archive a master user restores, and which are left out and reported."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_ITEM = re.compile(r"^\d+; \d+ \d+ (?P<rest>.+)$")

# An archive's item as `pg_restore --list` writes it, and why it is left out.
_LEFT_OUT = (
    (re.compile(r"^EVENT TRIGGER "), "event triggers need a superuser"),
    (re.compile(r"^PUBLICATION( TABLE| TABLES IN SCHEMA)? "), "publications belong to the old server"),
    (re.compile(r"^SUBSCRIPTION( TABLE)? "), "subscriptions belong to the old server"),
    (re.compile(r"^(COMMENT|ACL) \S+ (EVENT TRIGGER|PUBLICATION|SUBSCRIPTION) "), "its object is left out"),
    (re.compile(r"^SCHEMA - public "), "every new database has it"),
    (re.compile(r"^DEFAULT ACL "), "set by this step for the new owner"),
    (re.compile(r"^DATABASE( PROPERTIES)? "), "set by this step"),
    (re.compile(r"^(COMMENT|ACL) - DATABASE "), "set by this step"),
    (re.compile(r"^(TABLESPACE|SECURITY LABEL) "), "not available to a master user"),
)  # fmt: skip
_EXTENSION = re.compile(r"^(?P<comment>COMMENT - )?EXTENSION (- )?(?P<name>\S+)")

_BY_THIS_STEP = ("set by this step", "every new database has it", "set by this step for the new owner")


@dataclass(frozen=True)
class Contents:
    """`lines` for --use-list; `left_out` as "item: reason", without what this step itself sets."""

    lines: tuple[str, ...]
    left_out: tuple[str, ...]


def choose(listed: Sequence[str], present_extensions: Sequence[str]) -> Contents:
    """Leaves out what a master user cannot or must not restore; extensions that the server made stay as they are."""
    lines: list[str] = []
    left_out: list[str] = []
    for line in listed:
        found = _ITEM.match(line)
        reason = _reason(found["rest"], present_extensions) if found else ""
        lines.append(f";{line}" if reason else line)
        if found and reason and reason not in _BY_THIS_STEP:
            left_out.append(f"{found['rest']}: {reason}")
    return Contents(tuple(lines), tuple(left_out))


def _reason(item: str, present_extensions: Sequence[str]) -> str:
    for pattern, reason in _LEFT_OUT:
        if pattern.match(item):
            return reason
    extension = _EXTENSION.match(item)
    if extension and extension["name"] in present_extensions:
        return "the server already has it"
    return ""


def write_list(contents: Contents, path: Path) -> Path:
    """The list file for pg_restore."""
    path.write_text("\n".join(contents.lines) + "\n", encoding="utf-8")
    path.chmod(0o600)
    return path
