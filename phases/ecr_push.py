"""Images into ECR by digest: pushed once, proven equal, taken back without harm to others."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from migrator.contracts.action import ActionSpec, Check, Confidence, Preview, Probe, Verdict, Verification
from migrator.contracts.aws import AwsRefused
from migrator.contracts.context import StepContext
from migrator.contracts.images import PushProgress, Repository
from migrator.errors import CredentialsError, Refused, StepError
from migrator.model.runbook import EffectClass
from migrator.secrets import Secret

_URL = re.compile(
    r"(?P<host>(?P<account>\d{12})\.dkr\.ecr(?:-fips)?\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?)"
    r"/(?P<name>[a-z0-9][a-z0-9._/-]*)"
)
_NOT_THERE = frozenset({"ImageNotFoundException", "RepositoryNotFoundException"})


@dataclass(frozen=True)
class ImageParams:
    """`source` is one of `contracts.images.Images`; `repository_url` is ECR's, without a tag.

    An empty `platform` pushes an index whole; `linux/amd64` picks that image out of it.
    """

    source: str
    repository_url: str
    tag: str
    platform: str = ""


@dataclass(frozen=True)
class _Wanted:
    """What must be in ECR: the digest under the tag, and every manifest below it, children first."""

    digest: str
    manifests: tuple[str, ...]


class PushImage:
    """`ecr_push.image`: an image from where it is into an ECR repository, under the same digest."""

    spec = ActionSpec(
        name="ecr_push.image",
        summary="Pushes an image to ECR and proves that its digest is the source's",
        effect=EffectClass.NAMED,
        params=ImageParams,
        outputs={
            "image": "the image by digest, as an instance pulls it",
            "digest": "SHA-256 digest of the image's manifest or index",
            "scan": "state of ECR's scan: for people, nothing waits for it",
        },
    )

    def preview(self, ctx: StepContext[ImageParams]) -> Preview:
        """What would be pushed."""
        found = self.probe(ctx)
        if found.verdict is Verdict.OURS:
            return Preview(())
        image = ctx.tools.images.resolve(ctx.params.source, ctx.work, ctx.params.platform)
        size = f"{image.size_bytes / 1_000_000:.1f} MB at most"
        place = f"{ctx.params.repository_url}:{ctx.params.tag}"
        return Preview((f"push {image.digest} ({size}) to {place}", found.evidence), Confidence.CHECKED)

    def probe(self, ctx: StepContext[ImageParams]) -> Probe:
        """Which of the image's manifests ECR holds, and what the tag names."""
        wanted, ecr = _wanted(ctx), _Ecr(ctx)
        held = ecr.digest_under(ctx.params.tag)
        there = [digest for digest in wanted.manifests if ecr.describe({"imageDigest": digest})]
        facts = {
            "digest": wanted.digest,
            "manifests": list(wanted.manifests),
            "there": there,
            "tag_held": held,
        }
        tag = f"the tag {ctx.params.tag}"
        if held == wanted.digest and set(there) == set(wanted.manifests):
            return Probe(Verdict.OURS, f"{tag} names {held}, the source's digest", facts)
        if held and held != wanted.digest:
            if ecr.tags_are_fixed():
                return Probe(Verdict.FOREIGN, f"{tag} names {held}, and the repository is immutable", facts)
            if ctx.baseline and held != ctx.baseline.get("tag_held"):
                return Probe(Verdict.FOREIGN, f"{tag} was moved to {held} by someone else", facts)
            return Probe(Verdict.ABSENT, f"{tag} names {held}; it will be moved", facts)
        if set(there) - set(ctx.baseline.get("there", ())):
            return Probe(Verdict.PARTIAL, f"{len(there)} of {len(wanted.manifests)} manifests, no tag", facts)
        return Probe(Verdict.ABSENT, f"{tag} is free", facts)

    def apply(self, ctx: StepContext[ImageParams]) -> None:
        """Pushes what ECR lacks."""

        def report(progress: PushProgress) -> None:
            ctx.channel.check_cancelled()
            ctx.channel.progress(progress.message, progress.done_bytes, progress.total_bytes, "bytes")

        image = ctx.tools.images.push(
            ctx.params.source,
            ctx.work,
            _Ecr(ctx).repository(),
            ctx.params.tag,
            report,
            ctx.params.platform,
            expected_digest=str(ctx.baseline.get("digest", "")),
        )
        ctx.channel.log(f"pushed {image.digest} as {ctx.params.repository_url}:{ctx.params.tag}")

    def verify(self, ctx: StepContext[ImageParams]) -> Verification:
        """Reads the manifest back, hashes it, and looks the digest up in ECR."""
        wanted, ecr = _wanted(ctx), _Ecr(ctx)
        read = ctx.tools.images.digest_in(ecr.repository(), ctx.params.tag)
        described = ecr.describe({"imageDigest": wanted.digest}) or {}
        same = read == wanted.digest
        listed = ctx.params.tag in described.get("imageTags", ())
        checks = (
            Check("the manifest under the tag has the source's digest", same, read or "there is none"),
            Check("ECR lists the digest under the tag", listed, f"tags: {described.get('imageTags', [])}"),
        )
        image = f"{ctx.params.repository_url}@{wanted.digest}"
        return Verification(
            checks,
            {"image": image, "digest": wanted.digest, "scan": _scan(described)},
            {"images": [{"name": ecr.name, "digest": wanted.digest, "verified": same and listed}]},
        )

    def undo(self, ctx: StepContext[ImageParams]) -> None:
        """Gives the tag back and deletes the manifests that this run added, if no other tag names them."""
        if "there" not in ctx.baseline:
            raise Refused("it is not recorded what the repository held before this run", where=ctx.step_id)
        wanted, ecr = _wanted(ctx), _Ecr(ctx)
        before = str(ctx.baseline.get("tag_held", ""))
        if ecr.digest_under(ctx.params.tag) == wanted.digest != before:
            if before:
                ecr.move_tag(ctx.params.tag, before)
            elif wanted.digest in ctx.baseline["there"]:
                # Taking its last tag would delete an image that was there before this run.
                ctx.channel.log(f"the tag {ctx.params.tag} stays on {wanted.digest}, which was there before")
            else:
                ecr.delete({"imageTag": ctx.params.tag})
        for digest in reversed(wanted.manifests):
            found = ecr.describe({"imageDigest": digest})
            if found and not found.get("imageTags") and digest not in ctx.baseline["there"]:
                ecr.delete({"imageDigest": digest})


class _Ecr:
    """The repository's side of the questions."""

    def __init__(self, ctx: StepContext[ImageParams]) -> None:
        match = _URL.fullmatch(ctx.params.repository_url)
        if match is None:
            raise Refused(
                "this is not the URL of an ECR repository",
                where=ctx.params.repository_url,
                next="give it as 111122223333.dkr.ecr.us-west-2.amazonaws.com/name, without a tag",
            )
        self.name = match["name"]
        self._aws = ctx.tools.aws
        self._host = match["host"]
        self._region = match["region"]
        self._where = {"registryId": match["account"], "repositoryName": match["name"]}

    def describe(self, image: Mapping[str, str]) -> dict[str, Any] | None:
        """What ECR says of one image, by tag or digest; None when it is not there."""
        try:
            found = self._call("describe_images", imageIds=[image])["imageDetails"]
        except AwsRefused as error:
            if error.code in _NOT_THERE:
                return None
            raise
        return dict(found[0]) if found else None

    def digest_under(self, tag: str) -> str:
        """The digest that a tag names; empty when there is none."""
        return str((self.describe({"imageTag": tag}) or {}).get("imageDigest", ""))

    def tags_are_fixed(self) -> bool:
        """Whether a tag, once given, cannot be moved."""
        name = self._where["repositoryName"]
        account = self._where["registryId"]
        found = self._aws.call(
            "ecr", "describe_repositories", region=self._region, registryId=account, repositoryNames=[name]
        )
        return str(found["repositories"][0].get("imageTagMutability", "")).startswith("IMMUTABLE")

    def repository(self) -> Repository:
        """The repository with a fresh login."""
        answer = self._aws.call("ecr", "get_authorization_token", region=self._region)
        try:
            token = base64.b64decode(answer["authorizationData"][0]["authorizationToken"]).decode()
        except (ValueError, LookupError) as error:
            raise CredentialsError("ECR gave no usable login", where=self._host) from error
        username, _, password = token.partition(":")
        return Repository(self._host, self.name, username, Secret(password))

    def move_tag(self, tag: str, digest: str) -> None:
        """Puts a tag on an image that is there."""
        found = self._call("batch_get_image", imageIds=[{"imageDigest": digest}])["images"]
        if not found:
            raise Refused(f"the tag {tag} named {digest} before, and that image is gone", where=self.name)
        image = found[0]
        given = (
            {"imageManifestMediaType": image["imageManifestMediaType"]}
            if "imageManifestMediaType" in image
            else {}
        )
        self._call(
            "put_image", imageManifest=image["imageManifest"], imageTag=tag, imageDigest=digest, **given
        )

    def delete(self, image: Mapping[str, str]) -> None:
        """Removes a tag or an image; one that is not there is no failure."""
        failures: Sequence[Mapping[str, Any]] = self._call("batch_delete_image", imageIds=[image]).get(
            "failures", ()
        )
        left = [each for each in failures if each.get("failureCode") != "ImageNotFound"]
        if left:
            reason = left[0].get("failureReason", left[0].get("failureCode", ""))
            raise StepError("ECR did not delete an image", where=self.name, detail=str(reason))

    def _call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        return self._aws.call("ecr", operation, region=self._region, **self._where, **parameters)


def _wanted(ctx: StepContext[ImageParams]) -> _Wanted:
    """From the step's first look, so that a source that changes meanwhile is noticed, not followed."""
    if "digest" in ctx.baseline:
        return _Wanted(str(ctx.baseline["digest"]), tuple(map(str, ctx.baseline["manifests"])))
    image = ctx.tools.images.resolve(ctx.params.source, ctx.work, ctx.params.platform)
    return _Wanted(image.digest, image.manifests)


def _scan(described: Mapping[str, Any]) -> str:
    status = str(described.get("imageScanStatus", {}).get("status", "not scanned"))
    counts = described.get("imageScanFindingsSummary", {}).get("findingSeverityCounts", {})
    return f"{status} {', '.join(f'{n} {severity}' for severity, n in counts.items())}".strip()


ACTIONS = (PushImage(),)
