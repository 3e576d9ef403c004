"""Images into ECR: the emulated one behind a small registry that really takes pushes."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from migrator.contracts.action import Verdict
from migrator.errors import InDoubt, Refused
from migrator.tools.aws import BotoAws
from migrator.tools.images import RegistryImages
from phases.ecr_push import ImageParams, PushImage
from tests.phases.world import Step, bad, lifecycle
from tests.tools.aws_servers import ACCOUNT, answering
from tests.tools.tiny_registry import TinyRegistry, certificate, layout, sha256

HOST = f"{ACCOUNT}.dkr.ecr.us-west-2.amazonaws.com"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return certificate(tmp_path_factory.mktemp("tls"), HOST)


class Ecr:
    """The emulated ECR and the registry in front of it, kept in step."""

    def __init__(self, aws: BotoAws, keys: tuple[Path, Path], port: int, registry: TinyRegistry) -> None:
        self.aws = aws
        self.registry = registry
        self.port = port
        registry.password = f"{ACCOUNT}-auth-token"
        registry.on_manifest = self.listed
        registry.lookup = self.digest
        self.images = RegistryImages(self, ca_file=keys[0])

    def route(self, host: str, port: int) -> tuple[str, int]:
        assert (host, port) == (HOST, 443)
        return "127.0.0.1", self.port

    def listed(self, reference: str, content: bytes, media_type: str) -> None:
        """A pushed manifest shows in ECR."""
        tag = {} if reference.startswith("sha256:") else {"imageTag": reference}
        digest, text = sha256(content), content.decode()
        given = {"imageManifest": text, "imageManifestMediaType": media_type, "imageDigest": digest}
        self.aws.call("ecr", "put_image", repositoryName="shop", **given, **tag)

    def digest(self, reference: str) -> str:
        """The digest that ECR has under a tag or digest; empty when there is none."""
        found = self.details()
        return next((digest for digest, tags in found.items() if reference in (digest, *tags)), "")

    def repository(self, mutability: str = "IMMUTABLE") -> None:
        self.aws.call("ecr", "create_repository", repositoryName="shop", imageTagMutability=mutability)

    def details(self) -> dict[str, list[str]]:
        """Digest to tags of all images."""
        found = self.aws.pages("ecr", "describe_images", "imageDetails", repositoryName="shop")
        return {each["imageDigest"]: each.get("imageTags", []) for each in found}

    def step(self, work: Path, folder: str = "image", **more: Any) -> Step:
        params = ImageParams(f"oci:{work}/{folder}", f"{HOST}/shop", "v1", **more)
        return Step(PushImage(), params, work, {"aws": self.aws, "images": self.images})


@pytest.fixture
def ecr(aws: BotoAws, keys: tuple[Path, Path]) -> Iterator[Ecr]:
    registry = TinyRegistry(host=HOST)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*keys)
    with answering(registry.answer, context) as (url, _):
        yield Ecr(aws, keys, int(url.rpartition(":")[2]), registry)


@pytest.mark.parametrize("mutability", ["IMMUTABLE", "MUTABLE"])
@pytest.mark.parametrize("platforms", [(), ("linux/amd64", "linux/arm64")], ids=["image", "index"])
def test_lifecycle(ecr: Ecr, tmp_path: Path, mutability: str, platforms: tuple[str, ...]) -> None:
    ecr.repository(mutability)
    digest = layout(tmp_path / "image", platforms=platforms)
    step = ecr.step(tmp_path)
    done = lifecycle(step)
    assert done.outputs["image"] == f"{HOST}/shop@{digest}"
    assert done.report == {"images": [{"name": "shop", "digest": digest, "verified": True}]}
    step.undo()
    assert ecr.details() == {}


def test_a_tag_of_another_image_in_an_immutable_repository_is_foreign(ecr: Ecr, tmp_path: Path) -> None:
    ecr.repository()
    layout(tmp_path / "old", layers=(b"old",))
    layout(tmp_path / "image")
    ecr.step(tmp_path, "old").apply()
    step = ecr.step(tmp_path)
    assert step.probe().verdict is Verdict.FOREIGN
    with pytest.raises(Refused):
        step.apply()


def test_a_moved_tag_goes_back(ecr: Ecr, tmp_path: Path) -> None:
    ecr.repository("MUTABLE")
    old = layout(tmp_path / "old", layers=(b"old",))
    new = layout(tmp_path / "image")
    ecr.step(tmp_path, "old").apply()
    # The emulator forgets an image whose last tag is moved; ECR keeps it.
    manifest = ecr.registry.manifests[old][0].decode()
    ecr.aws.call("ecr", "put_image", repositoryName="shop", imageManifest=manifest, imageTag="kept")
    step = ecr.step(tmp_path)
    lifecycle(step)
    assert ecr.details()[new] == ["v1"]
    step.undo()
    assert {digest: sorted(tags) for digest, tags in ecr.details().items()} == {old: ["kept", "v1"]}


def test_a_tag_moved_by_someone_else_meanwhile_is_foreign(ecr: Ecr, tmp_path: Path) -> None:
    ecr.repository("MUTABLE")
    layout(tmp_path / "image")
    layout(tmp_path / "other", layers=(b"other",))
    step = ecr.step(tmp_path)
    step.probe()
    step.apply()
    ecr.step(tmp_path, "other").apply()
    assert step.probe().verdict is Verdict.FOREIGN
    before = ecr.details()
    step.undo()
    assert [tags for tags in ecr.details().values() if tags] == [tags for tags in before.values() if tags]


def test_an_image_that_was_there_before_stays(ecr: Ecr, tmp_path: Path) -> None:
    ecr.repository()
    layout(tmp_path / "image")
    ecr.step(tmp_path).apply()
    step = ecr.step(tmp_path)
    assert step.probe().verdict is Verdict.OURS
    assert step.verify().ok
    before = ecr.details()
    step.undo()
    assert ecr.details() == before


def test_half_pushed_is_partial_and_is_completed(ecr: Ecr, tmp_path: Path) -> None:
    ecr.repository()
    digest = layout(tmp_path / "image", platforms=("linux/amd64", "linux/arm64"))
    step = ecr.step(tmp_path)
    assert step.probe().verdict is Verdict.ABSENT
    ecr.registry.cut = lambda method, path: method == "PUT" and path.endswith("/manifests/v1")
    with pytest.raises(InDoubt):
        step.apply()
    assert step.probe().verdict is Verdict.PARTIAL
    assert not step.verify().ok
    ecr.registry.cut = lambda method, path: False
    step.apply()
    assert step.probe().verdict is Verdict.OURS
    assert step.verify().outputs["digest"] == digest


def test_a_lost_answer_is_found_to_have_worked(ecr: Ecr, tmp_path: Path) -> None:
    ecr.repository()
    layout(tmp_path / "image")
    step = ecr.step(tmp_path)
    step.probe()
    ecr.registry.cut_after = lambda method, path: method == "PUT" and path.endswith("/manifests/v1")
    with pytest.raises(InDoubt):
        step.apply()
    assert step.probe().verdict is Verdict.OURS


def test_a_source_that_changed_between_attempts_is_refused(ecr: Ecr, tmp_path: Path) -> None:
    import shutil

    ecr.repository()
    layout(tmp_path / "image")
    step = ecr.step(tmp_path)
    step.probe()
    shutil.rmtree(tmp_path / "image")
    layout(tmp_path / "image", layers=(b"a new build",))
    with pytest.raises(Refused, match="nothing was sent"):
        step.apply()


def test_another_digest_under_the_tag_is_red(ecr: Ecr, tmp_path: Path) -> None:
    ecr.repository("MUTABLE")
    layout(tmp_path / "image")
    layout(tmp_path / "other", layers=(b"other",))
    step = ecr.step(tmp_path)
    step.probe()
    ecr.step(tmp_path, "other").apply()
    assert any("the manifest under the tag" in line for line in bad(step.verify()))


def test_a_missing_repository(ecr: Ecr, tmp_path: Path) -> None:
    layout(tmp_path / "image")
    step = ecr.step(tmp_path)
    assert step.probe().verdict is Verdict.ABSENT
    assert step.preview().changes


def test_undo_without_a_record_is_refused(ecr: Ecr, tmp_path: Path) -> None:
    ecr.repository()
    layout(tmp_path / "image")
    with pytest.raises(Refused, match="not recorded"):
        ecr.step(tmp_path).undo()


def test_not_an_ecr_repository(ecr: Ecr, tmp_path: Path) -> None:
    layout(tmp_path / "image")
    params = ImageParams(f"oci:{tmp_path}/image", "docker.io/library/shop", "v1")
    with pytest.raises(Refused, match="not the URL of an ECR repository"):
        Step(PushImage(), params, tmp_path, {"aws": ecr.aws, "images": ecr.images}).probe()
