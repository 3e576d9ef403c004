"""A stack's sources, copied into a step's own folder so that an upgrade in mid-run changes nothing."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from migrator.contracts.terraform import GENERATED, Backend, Stack
from migrator.errors import Refused

_LEFT_OUT = (".terraform", "*.tfstate", "*.tfstate.*", "*.tfplan", ".terraform.lock.hcl", GENERATED)

_LOCAL = "migrator_backend_override.tf.json"
_ADOPT = "migrator_adopt.tf.json"


def digest(root: Path) -> str:
    """SHA-256 over names and bytes of all files below `root`, but those that Terraform leaves there."""
    total = hashlib.sha256()
    for file in sorted(root.rglob("*")):
        if file.is_file() and not _left_out(file.relative_to(root)):
            content = file.read_bytes()
            total.update(f"{file.relative_to(root).as_posix()}\0{len(content)}\0".encode())
            total.update(content)
    return total.hexdigest()


def _left_out(path: Path) -> bool:
    return any(Path(part).match(pattern) for part in path.parts for pattern in _LEFT_OUT)


def copy(
    shipped: Path, work: Path, name: str, backend: Backend | None, variables: Mapping[str, Any]
) -> Stack:
    """Copies the stack and all modules; a copy that is already there stays as it is."""
    parts = name.split("/")
    stack = shipped / "terraform" / "stacks" / name
    if any(part in ("", ".", "..") for part in parts) or not stack.is_dir():
        raise Refused("there is no such stack", where=name, next="name a folder under terraform/stacks")
    copied = work / "source"
    if not copied.is_dir():
        draft = work / "source.new"
        shutil.rmtree(draft, ignore_errors=True)
        for part in (Path("stacks") / name, Path("modules")):
            if (shipped / "terraform" / part).is_dir():
                shutil.copytree(
                    shipped / "terraform" / part, draft / part, ignore=shutil.ignore_patterns(*_LEFT_OUT)
                )
        _make_private(draft)
        draft.replace(copied)
    found = Stack(name=name, root=copied / "stacks" / name, work=work, backend=backend, digest=digest(copied))
    point(found)
    text = json.dumps(variables, indent=1, sort_keys=True, default=_plain)
    if not found.variables.exists() or found.variables.read_text("utf-8") != text:
        found.variables.touch(mode=0o600)
        found.variables.write_text(text, "utf-8")
    return found


def _make_private(folder: Path) -> None:
    """Folders 0700, files 0600: a copy keeps the modes of what was shipped."""
    folder.chmod(0o700)
    for path in folder.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)


def point(stack: Stack) -> None:
    """Points the copy to its backend: to a local state by an override when it has none."""
    override = stack.root / _LOCAL
    if stack.backend is None:
        override.write_text(json.dumps({"terraform": {"backend": {"local": {}}}}), "utf-8")
    else:
        override.unlink(missing_ok=True)


def adopt(stack: Stack, imports: Mapping[str, str]) -> None:
    """Import blocks for these addresses and ids; none removes the file."""
    file = stack.root / _ADOPT
    if not imports:
        file.unlink(missing_ok=True)
        return
    # In JSON an address is an expression without quotes of its own, an id a template: `${` is escaped.
    blocks = [
        {"to": address, "id": found.replace("${", "$${").replace("%{", "%%{")}
        for address, found in sorted(imports.items())
    ]
    file.write_text(json.dumps({"import": blocks}, indent=1), "utf-8")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, tuple | set | frozenset):
        return list(value)
    raise TypeError(f"{type(value).__name__} is not a Terraform value")
