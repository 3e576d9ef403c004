"""What the Lightsail platform was, written to one file before any of it is deleted."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from migrator.contracts.action import ActionSpec, Check, Preview, Probe, Verdict, Verification
from migrator.contracts.aws import Aws, AwsRefused
from migrator.contracts.context import StepContext
from migrator.errors import Refused
from migrator.model.runbook import EffectClass
from migrator.secrets import MASK

FILE_NAME = "lightsail.json"
_FORMAT = 1
_PRIVATE = 0o600


@dataclass(frozen=True)
class ExportParams:
    """Names of the container services to describe."""

    services: tuple[str, ...]


class ExportLightsail:
    """`cleanup.export_lightsail`: services, deployments, images, certificates and peering as JSON.

    Values of environment variables are masked: the file says which there were, not what they held.
    """

    spec = ActionSpec(
        name="cleanup.export_lightsail",
        summary="Writes down what the Lightsail services are, with secrets masked",
        effect=EffectClass.NAMED,
        params=ExportParams,
        outputs={"file": "path of the export", "sha256": "SHA-256 of its bytes"},
    )

    def preview(self, ctx: StepContext[ExportParams]) -> Preview:
        """The file that would be written."""
        if self.probe(ctx).verdict is Verdict.OURS:
            return Preview(())
        return Preview((f"write {_path(ctx)}: {', '.join(ctx.params.services)}",))

    def probe(self, ctx: StepContext[ExportParams]) -> Probe:
        """Whether the file is there and is the one that this step wrote."""
        found, written = file_sha256(_path(ctx)), ctx.memory.get("sha256")
        if not found:
            return Probe(Verdict.ABSENT, "there is no export yet")
        if found == written:
            return Probe(Verdict.OURS, f"the export is there, SHA-256 {found}")
        return Probe(Verdict.PARTIAL, "the export is not the one that was recorded; it is written anew")

    def apply(self, ctx: StepContext[ExportParams]) -> None:
        """Reads Lightsail and writes the file whole or not at all."""
        content = json.dumps(_described(ctx), indent=2, sort_keys=True, default=_plain).encode() + b"\n"
        _write_private(_path(ctx), content)
        ctx.channel.remember({"sha256": hashlib.sha256(content).hexdigest()})

    def verify(self, ctx: StepContext[ExportParams]) -> Verification:
        """Reads the file again."""
        path = _path(ctx)
        sha256 = file_sha256(path)
        content = _content(path)
        named = sorted(each["containerServiceName"] for each in content.get("services", ()))
        mode = path.stat().st_mode & 0o777 if sha256 else 0
        shown = [key for key, value in _environments(content) if value != MASK]
        checks = (
            Check("the file is the one that was written", sha256 == ctx.memory.get("sha256"), sha256),
            Check("it describes every service", named == sorted(ctx.params.services), ", ".join(named)),
            Check("only its owner can read it", mode == _PRIVATE, f"{mode:04o}"),
            Check("no environment value is in it", not shown, ", ".join(shown)),
        )
        return Verification(checks, {"file": str(path), "sha256": sha256})

    def undo(self, ctx: StepContext[ExportParams]) -> None:
        """Removes the file."""
        _path(ctx).unlink(missing_ok=True)


def read_export(file: str, sha256: str) -> dict[str, Any]:
    """An export that is still the one whose hash was recorded; `Refused` otherwise."""
    found = file_sha256(Path(file))
    if not found:
        raise Refused("the export is not there; nothing was deleted", where=file, next="export again")
    if found != sha256:
        raise Refused(
            f"the export was changed (SHA-256 {found}, expected {sha256}); nothing was deleted", where=file
        )
    content = _content(Path(file))
    if content.get("format") != _FORMAT:
        raise Refused("the export has another format; nothing was deleted", where=file)
    return content


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes; empty when there is no such file."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return ""


def find_service(aws: Aws, name: str) -> dict[str, Any] | None:
    """A container service by name, or None."""
    try:
        found = aws.call("lightsail", "get_container_services", serviceName=name)["containerServices"]
    except AwsRefused as error:
        if error.code == "NotFoundException":
            return None
        raise
    return dict(found[0]) if found else None


def _path(ctx: StepContext[Any]) -> Path:
    return ctx.work / FILE_NAME


def _described(ctx: StepContext[ExportParams]) -> dict[str, Any]:
    aws = ctx.tools.aws
    services, deployments, images = [], {}, {}
    for name in ctx.params.services:
        service = find_service(aws, name)
        if service is None:
            raise Refused(
                f"there is no container service {name} to export", where=f"Lightsail in {ctx.region}"
            )
        services.append(service)
        deployments[name] = aws.call("lightsail", "get_container_service_deployments", serviceName=name)[
            "deployments"
        ]
        images[name] = aws.call("lightsail", "get_container_images", serviceName=name)["containerImages"]
    certificates = list(
        aws.pages("lightsail", "get_certificates", "certificates", includeCertificateDetails=True)
    )
    peered = aws.call("lightsail", "is_vpc_peered")["isPeered"]
    described = {
        "format": _FORMAT,
        "account": ctx.account,
        "region": ctx.region,
        "exported_at": ctx.tools.clock.now().isoformat(),
        "services": services,
        "deployments": deployments,
        "images": images,
        "certificates": certificates,
        "vpc_peered": bool(peered),
    }
    return {key: _masked(value) for key, value in described.items()}


def _masked(value: Any) -> Any:
    """The same data with every value of an `environment` masked."""
    if isinstance(value, Mapping):
        return {
            key: dict.fromkeys(each, MASK) if key == "environment" else _masked(each)
            for key, each in value.items()
            if key != "ResponseMetadata"
        }
    if isinstance(value, list | tuple):
        return [_masked(each) for each in value]
    return value


def _environments(content: Any) -> list[tuple[str, Any]]:
    """Every environment variable in the export with what stands as its value."""
    if isinstance(content, Mapping):
        found: list[tuple[str, Any]] = []
        for key, value in content.items():
            if key == "environment" and isinstance(value, Mapping):
                found += value.items()
            else:
                found += _environments(value)
        return found
    if isinstance(content, list):
        return [each for member in content for each in _environments(member)]
    return []


def _content(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _write_private(path: Path, content: bytes) -> None:
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _plain(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
