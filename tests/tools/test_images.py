"""Images from every source to a registry, with their digests kept."""

from __future__ import annotations

import json
import ssl
import tarfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from io import BytesIO
from pathlib import Path

import pytest

from migrator.contracts.images import PushProgress
from migrator.errors import CredentialsError, InDoubt, Interrupted, Refused, StepError
from migrator.tools.images import RegistryImages
from tests.tools.aws_servers import Direct, answering
from tests.tools.tiny_registry import TinyRegistry, certificate, layout, sha256, tiny_registry


@pytest.fixture
def registry() -> Iterator[TinyRegistry]:
    with tiny_registry() as each:
        yield each


@pytest.fixture
def images() -> RegistryImages:
    return RegistryImages(Direct())


def silent(progress: PushProgress) -> None:
    """Progress that nobody looks at."""


def puts(registry: TinyRegistry) -> list[str]:
    return [line for line in registry.seen if line.startswith("PUT")]


def test_a_layout_keeps_its_digest(images: RegistryImages, registry: TinyRegistry, tmp_path: Path) -> None:
    digest = layout(tmp_path / "image")
    source = f"oci:{tmp_path}/image"
    found = images.resolve(source, tmp_path)
    assert (found.digest, found.platforms) == (digest, ("linux/amd64",))
    pushed = images.push(source, tmp_path, registry.repository(), "v1", silent)
    assert pushed == found
    assert images.digest_in(registry.repository(), "v1") == digest
    assert images.digest_in(registry.repository(), digest) == digest
    assert images.digest_in(registry.repository(), "v2") is None


def test_an_index_is_pushed_whole_or_for_one_platform(
    images: RegistryImages, registry: TinyRegistry, tmp_path: Path
) -> None:
    digest = layout(tmp_path / "image", platforms=("linux/amd64", "linux/arm64"))
    source = f"oci:{tmp_path}/image"
    whole = images.push(source, tmp_path, registry.repository(), "whole", silent)
    assert whole.digest == registry.tags["whole"] == digest
    assert len(whole.manifests) == 3
    assert whole.platforms == ("linux/amd64", "linux/arm64")
    one = images.push(source, tmp_path, registry.repository(), "one", silent, "linux/arm64")
    assert one.digest in whole.manifests
    assert registry.tags["one"] == one.digest != digest
    with pytest.raises(Refused, match=r"not for linux/s390x\s+platforms: linux/amd64, linux/arm64"):
        images.resolve(source, tmp_path, "linux/s390x")


def test_an_image_of_another_platform_is_refused(images: RegistryImages, tmp_path: Path) -> None:
    layout(tmp_path / "image")
    assert images.resolve(f"oci:{tmp_path}/image", tmp_path, "linux/amd64")
    with pytest.raises(Refused, match="for linux/amd64, not for linux/arm64"):
        images.resolve(f"oci:{tmp_path}/image", tmp_path, "linux/arm64")


def test_a_tar_of_a_layout(images: RegistryImages, registry: TinyRegistry, tmp_path: Path) -> None:
    digest = layout(tmp_path / "image")
    with tarfile.open(tmp_path / "image.tar", "w") as archive:
        archive.add(tmp_path / "image", arcname=".")
    pushed = images.push(f"archive:{tmp_path}/image.tar", tmp_path, registry.repository(), "v1", silent)
    assert pushed.digest == digest == registry.tags["v1"]


def test_a_tar_of_an_old_docker_save(images: RegistryImages, registry: TinyRegistry, tmp_path: Path) -> None:
    config = json.dumps({"os": "linux", "architecture": "amd64"}).encode()
    listing = [{"Config": "c.json", "RepoTags": ["shop:1"], "Layers": ["a/layer.tar"]}]
    members = {"c.json": config, "a/layer.tar": b"a layer", "manifest.json": json.dumps(listing).encode()}
    with tarfile.open(tmp_path / "image.tar", "w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, BytesIO(content))
    source = f"archive:{tmp_path}/image.tar"
    pushed = images.push(source, tmp_path, registry.repository(), "v1", silent, "linux/amd64")
    assert pushed.digest == images.resolve(source, tmp_path).digest == registry.tags["v1"]
    assert registry.blobs == {sha256(config): config, sha256(b"a layer"): b"a layer"}


def test_from_a_registry(images: RegistryImages, registry: TinyRegistry, tmp_path: Path) -> None:
    digest = layout(tmp_path / "image")
    store = tmp_path / "image" / "blobs" / "sha256"

    def answer(handler: BaseHTTPRequestHandler, body: bytes) -> tuple[int, dict[str, str], bytes]:
        """A source that asks for a bearer token and hands blobs out from another place."""
        place, host = handler.path, handler.headers["Host"]
        if place.startswith("/token"):
            return 200, {}, b'{"token": "reading-token"}'
        if place.startswith("/storage/"):
            return 200, {}, (store / place.rpartition("/")[2]).read_bytes()
        if handler.headers["Authorization"] != "Bearer reading-token":
            return 401, {"WWW-Authenticate": f'Bearer realm="http://{host}/token",service="s"'}, b""
        if "/blobs/" in place:
            return 307, {"Location": f"/storage/{place.rpartition(':')[2]}"}, b""
        wanted = digest if place.endswith("/v9") else place.rpartition("/")[2]
        return 200, {}, (store / wanted.removeprefix("sha256:")).read_bytes()

    with answering(answer) as (url, _):
        source = f"registry:{url.removeprefix('http://')}/team/shop:v9"
        pushed = images.push(source, tmp_path, registry.repository(), "v1", silent)
    assert pushed.digest == digest == registry.tags["v1"]


def test_a_second_push_sends_nothing(images: RegistryImages, registry: TinyRegistry, tmp_path: Path) -> None:
    layout(tmp_path / "image")
    source = f"oci:{tmp_path}/image"
    images.push(source, tmp_path, registry.repository(), "v1", silent)
    registry.seen.clear()
    reports: list[PushProgress] = []
    images.push(source, tmp_path, registry.repository(), "v1", reports.append)
    assert puts(registry) == []
    last_of_blobs = reports[-2]
    assert last_of_blobs.done_bytes == last_of_blobs.total_bytes == last_of_blobs.reused_bytes


def test_progress_counts_bytes(images: RegistryImages, registry: TinyRegistry, tmp_path: Path) -> None:
    layout(tmp_path / "image", layers=(b"x" * 3_000_000, b"y" * 10))
    reports: list[PushProgress] = []
    images.push(f"oci:{tmp_path}/image", tmp_path, registry.repository(), "v1", reports.append)
    done = [report.done_bytes for report in reports]
    assert done == sorted(done)
    assert done[-1] == reports[-1].total_bytes > 3_000_000


def test_a_cut_upload_is_sent_again(images: RegistryImages, registry: TinyRegistry, tmp_path: Path) -> None:
    layout(tmp_path / "image")
    cuts = iter([True, True])

    def cut(method: str, path: str) -> bool:
        return method == "PUT" and "/blobs/" in path and next(cuts, False)

    registry.cut = cut
    pushed = images.push(f"oci:{tmp_path}/image", tmp_path, registry.repository(), "v1", silent)
    assert registry.tags["v1"] == pushed.digest


def test_layers_that_never_arrive_are_a_refusal(
    images: RegistryImages, registry: TinyRegistry, tmp_path: Path
) -> None:
    layout(tmp_path / "image")
    registry.cut = lambda method, path: method == "PUT"
    with pytest.raises(Refused, match="no image was made"):
        images.push(f"oci:{tmp_path}/image", tmp_path, registry.repository(), "v1", silent)


def test_a_manifest_whose_answer_is_lost_is_in_doubt(
    images: RegistryImages, registry: TinyRegistry, tmp_path: Path
) -> None:
    digest = layout(tmp_path / "image")
    registry.cut_after = lambda method, path: method == "PUT" and "/manifests/" in path
    with pytest.raises(InDoubt):
        images.push(f"oci:{tmp_path}/image", tmp_path, registry.repository(), "v1", silent)
    assert images.digest_in(registry.repository(), "v1") == digest


def test_a_taken_tag_after_the_children_is_not_a_proven_refusal(
    images: RegistryImages, registry: TinyRegistry, tmp_path: Path
) -> None:
    layout(tmp_path / "image", platforms=("linux/amd64",))
    registry.immutable = True
    registry.tags["v1"] = sha256(b"another")
    with pytest.raises(StepError) as caught:
        images.push(f"oci:{tmp_path}/image", tmp_path, registry.repository(), "v1", silent)
    assert not isinstance(caught.value, Refused)


def test_cancelling_in_the_middle(images: RegistryImages, registry: TinyRegistry, tmp_path: Path) -> None:
    layout(tmp_path / "image")

    def cancel(progress: PushProgress) -> None:
        if progress.done_bytes:
            raise Interrupted("interrupted")

    with pytest.raises(Interrupted):
        images.push(f"oci:{tmp_path}/image", tmp_path, registry.repository(), "v1", cancel)
    assert not registry.tags


@pytest.mark.parametrize("damage", [b"layer onX", b"layer one and more", b""])
def test_a_damaged_layer_is_never_sent(
    images: RegistryImages, registry: TinyRegistry, tmp_path: Path, damage: bytes
) -> None:
    layout(tmp_path / "image")
    path = tmp_path / "image" / "blobs" / "sha256" / sha256(b"layer one").removeprefix("sha256:")
    path.write_bytes(damage)
    with pytest.raises(Refused, match="damaged"):
        images.push(f"oci:{tmp_path}/image", tmp_path, registry.repository(), "v1", silent)
    assert not puts(registry)


def test_a_source_that_changed_is_not_pushed(
    images: RegistryImages, registry: TinyRegistry, tmp_path: Path
) -> None:
    digest = layout(tmp_path / "image")
    source, target = f"oci:{tmp_path}/image", registry.repository()
    with pytest.raises(Refused, match="nothing was sent"):
        images.push(source, tmp_path, target, "v1", silent, expected_digest=sha256(b"another"))
    assert not registry.seen
    assert images.push(source, tmp_path, target, "v1", silent, expected_digest=digest).digest == digest


def test_a_damaged_manifest_is_refused(images: RegistryImages, tmp_path: Path) -> None:
    digest = layout(tmp_path / "image")
    path = tmp_path / "image" / "blobs" / "sha256" / digest.removeprefix("sha256:")
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(Refused, match="damaged"):
        images.resolve(f"oci:{tmp_path}/image", tmp_path)


def test_wrong_credentials(images: RegistryImages, registry: TinyRegistry, tmp_path: Path) -> None:
    layout(tmp_path / "image")
    with pytest.raises(CredentialsError):
        images.push(
            f"oci:{tmp_path}/image", tmp_path, registry.repository(password="expired-one"), "v1", silent
        )


@pytest.mark.parametrize(
    "source", ["oci:/nowhere", "archive:/nowhere", "docker:shop", "registry:", "shop:latest", "oci:", ""]
)
def test_sources_that_are_refused(images: RegistryImages, tmp_path: Path, source: str) -> None:
    with pytest.raises(Refused):
        images.resolve(source, tmp_path)


def test_over_tls_by_a_route_with_the_name_kept(tmp_path: Path) -> None:
    host = "111122223333.dkr.ecr.us-west-2.amazonaws.com"
    public, key = certificate(tmp_path, host)
    digest = layout(tmp_path / "image")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, key)
    registry, hosts = TinyRegistry(host=host), set()

    def answer(handler: BaseHTTPRequestHandler, body: bytes) -> tuple[int, dict[str, str], bytes] | None:
        hosts.add(handler.headers["Host"])
        return registry.answer(handler, body)

    with answering(answer, context) as (url, _):

        class Routed:
            def route(self, asked: str, port: int) -> tuple[str, int]:
                assert (asked, port) == (host, 443)
                return "127.0.0.1", int(url.rpartition(":")[2])

        RegistryImages(Routed(), ca_file=public).push(
            f"oci:{tmp_path}/image", tmp_path, registry.repository(), "v1", silent
        )
        with pytest.raises(Refused, match="does not answer"):
            RegistryImages(Routed()).digest_in(registry.repository(), "v1")
    assert registry.tags["v1"] == digest
    assert hosts == {host}
