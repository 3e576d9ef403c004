"""Secrets from the old platform's container environment into Secrets Manager, without a stop in between."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from migrator.contracts.action import ActionSpec, Check, Preview, Probe, Verdict, Verification
from migrator.contracts.aws import AwsRefused
from migrator.contracts.context import StepContext
from migrator.errors import Refused
from migrator.model.runbook import EffectClass
from migrator.secrets import Secret

_CURRENT = "AWSCURRENT"
_PREVIOUS = "AWSPREVIOUS"


@dataclass(frozen=True)
class HandoverParams:
    """`keys` are names of environment variables of the service's containers; each becomes a key of the secret."""

    service: str
    keys: tuple[str, ...]
    secret_arn: str


class HandOver:
    """`secrets_handover.from_lightsail`: named values of a container service become one JSON secret.

    The secret itself is Terraform's; this step makes one version of it, whose id follows from the step's key.
    Secrets Manager cannot make a secret empty again: `undo` makes the version of before current again, or,
    where there was none, an empty JSON object, and takes every stage off the version with the values, which
    Secrets Manager then deletes.
    """

    spec = ActionSpec(
        name="secrets_handover.from_lightsail",
        summary="Copies named secrets of a Lightsail container service into Secrets Manager",
        effect=EffectClass.TOKEN,
        params=HandoverParams,
        outputs={
            "secret_arn": "ARN of the secret",
            "version_id": "the version that holds the values",
            "keys": "the keys in the secret's JSON",
        },
    )

    def preview(self, ctx: StepContext[HandoverParams]) -> Preview:
        """Which keys would be written; values are not shown."""
        found = self.probe(ctx)
        if found.verdict is Verdict.OURS:
            return Preview(())
        names = ", ".join(ctx.params.keys)
        return Preview((f"a new version of {ctx.params.secret_arn} with {names}", found.evidence))

    def probe(self, ctx: StepContext[HandoverParams]) -> Probe:
        """Which version is current."""
        stages = _stages(ctx)
        current = _with_stage(stages, _CURRENT)
        facts = {"current": current}
        if current == _version(ctx):
            return Probe(Verdict.OURS, "the version of this step is current", facts)
        if not current:
            return Probe(Verdict.ABSENT, "the secret has no value", facts)
        if current == _emptied_version(ctx):
            return Probe(Verdict.ABSENT, "the secret was emptied again by this step's undo", facts)
        if ctx.baseline and current != ctx.baseline.get("current"):
            return Probe(Verdict.FOREIGN, f"the version {current} was made by someone else", facts)
        return Probe(
            Verdict.ABSENT, f"the version {current} is current and would become the previous one", facts
        )

    def apply(self, ctx: StepContext[HandoverParams]) -> None:
        """Reads the environment and puts the version; the same version again changes nothing."""
        text = _text(_values(ctx))
        version = _version(ctx)
        stages = _stages(ctx)
        if version not in stages:
            _put(ctx, version, text)
        elif _read(ctx, VersionId=version) != text:
            raise Refused(
                "the values of the container service changed since they were first handed over",
                where=ctx.params.service,
                next="start a new run, or deploy the service with its former values",
            )
        else:
            _make_current(ctx, version, _with_stage(stages, _CURRENT))

    def verify(self, ctx: StepContext[HandoverParams]) -> Verification:
        """Compares the current version with the service's environment, in memory."""
        values = _values(ctx)
        version = _version(ctx)
        current = _with_stage(_stages(ctx), _CURRENT)
        held = _members(_read(ctx, VersionStage=_CURRENT))
        checks = [Check("this step's version is current", current == version, current or "none is")]
        checks += [
            Check(f"{key} is equal on both sides", held.get(key) == value) for key, value in values.items()
        ]
        checks.append(Check("the secret has no other key", set(held) == set(values)))
        return Verification(
            tuple(checks),
            {"secret_arn": ctx.params.secret_arn, "version_id": version, "keys": list(ctx.params.keys)},
        )

    def undo(self, ctx: StepContext[HandoverParams]) -> None:
        """Makes the version of before current, or an empty one, and withdraws ours from every stage."""
        version, emptied = _version(ctx), _emptied_version(ctx)
        before = str(ctx.baseline.get("current", ""))
        if before == version:
            return
        if before == emptied:
            before = ""
        stages = _stages(ctx)
        if _CURRENT in stages.get(version, ()):
            if before and before not in stages:
                raise Refused(
                    f"the version {before} that was current before is gone", where=ctx.params.secret_arn
                )
            target = before or emptied
            if target not in stages:
                _put(ctx, target, _text({}))
            else:
                _make_current(ctx, target, version)
        if _PREVIOUS in _stages(ctx).get(version, ()):
            ctx.tools.aws.call(
                "secretsmanager",
                "update_secret_version_stage",
                SecretId=ctx.params.secret_arn,
                VersionStage=_PREVIOUS,
                RemoveFromVersionId=version,
            )


def _version(ctx: StepContext[Any]) -> str:
    """The version's id, which is also the request's token: the same in every attempt."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"migrator:{ctx.key}"))


def _emptied_version(ctx: StepContext[Any]) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"migrator:{ctx.key}:undo"))


def _values(ctx: StepContext[HandoverParams]) -> dict[str, Secret]:
    """The named values of the service's current deployment; `Refused` names those that are missing."""
    where = f"Lightsail container service {ctx.params.service}"
    found = ctx.tools.aws.call("lightsail", "get_container_services", serviceName=ctx.params.service)
    containers = found["containerServices"][0].get("currentDeployment", {}).get("containers", {})
    environments: list[Mapping[str, str]] = [each.get("environment", {}) for each in containers.values()]
    values: dict[str, Secret] = {}
    for key in ctx.params.keys:
        candidates = {environment[key] for environment in environments if environment.get(key)}
        if len(candidates) > 1:
            raise Refused(f"two containers have different values for {key}", where=where)
        if candidates:
            values[key] = Secret(candidates.pop())
    missing = [key for key in ctx.params.keys if key not in values]
    if missing or not ctx.params.keys:
        raise Refused(
            f"the current deployment has no value for {', '.join(missing) or 'any key'}",
            where=where,
            next="correct the step's `keys`: they are names of environment variables",
        )
    return values


def _text(values: Mapping[str, Secret]) -> Secret:
    """One JSON object, always the same for the same values."""
    return Secret(json.dumps({key: value.reveal() for key, value in values.items()}, sort_keys=True))


def _members(text: Secret | None) -> dict[str, Secret]:
    try:
        value = json.loads(text.reveal()) if text is not None else {}
    except ValueError:
        return {}
    if not isinstance(value, dict):
        return {}
    return {key: Secret(each) for key, each in value.items() if isinstance(each, str)}


def _stages(ctx: StepContext[HandoverParams]) -> dict[str, list[str]]:
    """Version id to its stages, deprecated versions included."""
    found: dict[str, list[str]] = {}
    for each in ctx.tools.aws.pages(
        "secretsmanager",
        "list_secret_version_ids",
        "Versions",
        SecretId=ctx.params.secret_arn,
        IncludeDeprecated=True,
    ):
        found[str(each["VersionId"])] = list(each.get("VersionStages", ()))
    return found


def _with_stage(stages: Mapping[str, list[str]], stage: str) -> str:
    return next((version for version, held in stages.items() if stage in held), "")


def _read(ctx: StepContext[HandoverParams], **which: str) -> Secret | None:
    try:
        found = ctx.tools.aws.call(
            "secretsmanager", "get_secret_value", SecretId=ctx.params.secret_arn, **which
        )
    except AwsRefused as error:
        if error.code == "ResourceNotFoundException":
            return None
        raise
    return Secret(found["SecretString"]) if found.get("SecretString") else None


def _put(ctx: StepContext[HandoverParams], version: str, text: Secret) -> None:
    ctx.tools.aws.call(
        "secretsmanager",
        "put_secret_value",
        SecretId=ctx.params.secret_arn,
        ClientRequestToken=version,
        SecretString=text.reveal(),
    )


def _make_current(ctx: StepContext[HandoverParams], version: str, current: str) -> None:
    if version == current:
        return
    given = {"RemoveFromVersionId": current} if current else {}
    ctx.tools.aws.call(
        "secretsmanager",
        "update_secret_version_stage",
        SecretId=ctx.params.secret_arn,
        VersionStage=_CURRENT,
        MoveToVersionId=version,
        **given,
    )


ACTIONS = (HandOver(),)
