"""The image tool: finds an image at its source and pushes it by digest."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import re
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from migrator.contracts.images import Image, OnProgress, PushProgress, Repository
from migrator.contracts.process import Command, Processes
from migrator.contracts.surroundings import Reach
from migrator.errors import InDoubt, Refused, StepError
from migrator.sanitize import clean_line
from migrator.secrets import Secret
from migrator.tools.images.manifests import Descriptor, Manifest, config_platform, digest_of, pick, tree
from migrator.tools.images.registry import Connections, RegistryClient
from migrator.tools.images.sources import ArchiveSource, LayoutSource, RegistrySource, Source

_PIECE_BYTES = 256 * 1024
_BLOB_ATTEMPTS = 3
_REPORT_SECONDS = 0.2
_SAVE_SECONDS = 1_800.0
_DEFAULT_REGISTRY = "registry-1.docker.io"
_REFERENCE = re.compile(
    r"(?:(?P<host>[^/]*[.:][^/]*|localhost)/)?(?P<name>[^:@]+)(?::(?P<tag>[^@]+))?(?:@(?P<digest>.+))?"
)


class RegistryImages:
    """`contracts.images.Images` by a built-in pusher; needs no container engine but for `docker:` sources."""

    def __init__(self, reach: Reach, processes: Processes | None = None, ca_file: Path | None = None) -> None:
        self._connections = Connections(reach, ca_file)
        self._processes = processes

    def resolve(self, source: str, work: Path, platform: str = "") -> Image:
        """What the source holds now; `Refused` when there is none, it is damaged or of another platform."""
        with self._opened(source, work) as opened:
            manifests = _manifests(opened, platform)
            return _image(source, opened, manifests)

    def push(
        self,
        source: str,
        work: Path,
        repository: Repository,
        tag: str,
        on_progress: OnProgress,
        platform: str = "",
        expected_digest: str = "",
    ) -> Image:
        """Sends what the registry lacks, then the manifests, the tagged one last."""
        client = self._client(repository)
        with self._opened(source, work) as opened:
            manifests = _manifests(opened, platform)
            image = _image(source, opened, manifests)
            if expected_digest and image.digest != expected_digest:
                raise Refused(
                    f"the source is now {image.digest}, it was {expected_digest}; nothing was sent",
                    where=opened.where,
                    next="start a new run for the new image, or put the old one back",
                )
            _Blobs(client, opened, _blobs(manifests), on_progress).send()
            on_progress(PushProgress(image.size_bytes, image.size_bytes, 0, "manifests"))
            _put_manifests(client, manifests, tag)
            return image

    def digest_in(self, repository: Repository, reference: str) -> str | None:
        """The digest of the manifest under a tag or digest, by reading and hashing it; None: absent."""
        found = self._client(repository).manifest(reference)
        return digest_of(found[0]) if found is not None else None

    def _client(self, repository: Repository) -> RegistryClient:
        return RegistryClient(
            self._connections, repository.host, repository.name, repository.username, repository.password
        )

    @contextlib.contextmanager
    def _opened(self, source: str, work: Path) -> Iterator[Source]:
        kind, _, place = source.partition(":")
        if kind == "oci" and place:
            yield LayoutSource(*_path_and_name(place))
        elif kind == "archive" and place:
            with contextlib.closing(ArchiveSource(*_path_and_name(place))) as archive:
                yield archive
        elif kind == "docker" and place:
            with self._saved(place, work) as path, contextlib.closing(ArchiveSource(path)) as archive:
                yield archive
        elif kind == "registry" and place:
            yield self._in_registry(place)
        else:
            raise Refused(
                f"{clean_line(source, 200)!r} is not a source of images",
                next="use oci:PATH, archive:PATH, docker:NAME or registry:HOST/REPOSITORY:TAG",
            )

    @contextlib.contextmanager
    def _saved(self, name: str, work: Path) -> Iterator[Path]:
        """The image of the local engine, written to a file of ours that is removed again."""
        docker = self._processes.find("docker") if self._processes is not None else None
        if docker is None or self._processes is None:
            raise Refused("docker is not on this machine's PATH", where=f"docker:{clean_line(name, 200)}")
        if name.startswith("-"):
            raise Refused("this is not the name of an image", where=f"docker:{clean_line(name, 200)}")
        with tempfile.TemporaryDirectory(dir=work, prefix="image-") as folder:
            path = Path(folder) / "image.tar"
            kept = {n: v for n, v in os.environ.items() if n in {"PATH", "HOME"} or n.startswith("DOCKER_")}
            command = Command(
                argv=(str(docker), "image", "save", "--output", str(path), name),
                label="docker image save",
                cwd=Path(folder),
                environment=kept,
                deadline_seconds=_SAVE_SECONDS,
            )
            ended, _, stderr = self._processes.run(command)
            if not ended.ok:
                raise Refused(
                    "docker could not save the image",
                    where=f"docker:{clean_line(name, 200)}",
                    detail=clean_line(stderr.strip(), 500),
                )
            yield path

    def _in_registry(self, place: str) -> RegistrySource:
        match = _REFERENCE.fullmatch(place)
        if match is None:
            raise Refused(f"{clean_line(place, 200)!r} is not the name of an image in a registry")
        host, name = match["host"] or _DEFAULT_REGISTRY, match["name"]
        if host == _DEFAULT_REGISTRY and "/" not in name:
            name = f"library/{name}"
        username, password = _engine_login(host)
        client = RegistryClient(self._connections, host, name, username, password)
        return RegistrySource(client, match["digest"] or match["tag"] or "latest")


class _Blobs:
    """Sends the blobs that the registry lacks, and counts bytes."""

    def __init__(
        self, client: RegistryClient, source: Source, blobs: Sequence[Descriptor], on_progress: OnProgress
    ) -> None:
        self._client = client
        self._source = source
        self._blobs = blobs
        self._on_progress = on_progress
        self._total = sum(blob.size for blob in blobs)
        self._done = 0
        self._reused = 0
        self._reported = 0.0

    def send(self) -> None:
        """Every blob, each at most a few times; one that is there is not sent again."""
        for number, blob in enumerate(self._blobs, 1):
            message = f"blob {number} of {len(self._blobs)} {blob.digest[:19]}"
            self._report(message)
            if self._client.has(blob):
                self._done += blob.size
                self._reused += blob.size
            else:
                self._check(blob)
                self._upload(blob, message)
            self._report(message)

    def _check(self, blob: Descriptor) -> None:
        """A blob that is damaged at its source is never sent."""
        hashed, size = hashlib.sha256(), 0
        with self._source.open(blob.digest) as stream:
            while piece := stream.read(_PIECE_BYTES):
                hashed.update(piece)
                size += len(piece)
        if f"sha256:{hashed.hexdigest()}" != blob.digest or size != blob.size:
            raise Refused(f"the blob {blob.digest} is damaged at its source", where=self._source.where)

    def _upload(self, blob: Descriptor, message: str) -> None:
        for attempt in range(1, _BLOB_ATTEMPTS + 1):
            before = self._done
            try:
                with self._source.open(blob.digest) as stream:
                    self._client.put_blob(blob, _Counted(stream, blob.size, self, message))
                return
            except InDoubt as error:
                # A blob is named by its content: sending it again cannot make a second one.
                self._done = before
                if self._client.has(blob):
                    self._done += blob.size
                    return
                if attempt == _BLOB_ATTEMPTS:
                    raise Refused(
                        "a layer could not be sent; no image was made",
                        where=self._client.where,
                        detail=str(error),
                        next="`migrator retry`: layers that arrived are not sent again",
                    ) from error

    def advance(self, size: int, message: str) -> None:
        """So many more bytes were handed to the connection."""
        self._done += size
        if time.monotonic() - self._reported >= _REPORT_SECONDS:
            self._report(message)

    def _report(self, message: str) -> None:
        self._reported = time.monotonic()
        self._on_progress(PushProgress(self._done, self._total, self._reused, message))


class _Counted:
    """A stream that reports what is read from it, and never gives more than `size` bytes."""

    def __init__(self, stream: IO[bytes], size: int, blobs: _Blobs, message: str) -> None:
        self._stream = stream
        self._left = size
        self._blobs = blobs
        self._message = message

    def read(self, size: int = -1) -> bytes:
        """The next piece."""
        wanted = min(self._left, _PIECE_BYTES if size < 0 else max(size, _PIECE_BYTES))
        piece = self._stream.read(wanted) if wanted else b""
        self._left -= len(piece)
        self._blobs.advance(len(piece), self._message)
        return piece


def _manifests(source: Source, platform: str) -> tuple[Manifest, ...]:
    """The manifests to send, children first; of one platform where one is asked for."""
    manifests = tree(source.root(), source.manifest, source.where)
    top = manifests[-1]
    if not platform:
        return manifests
    if top.children:
        return tree(pick(top, platform, source.where), source.manifest, source.where)
    found = _config_platform(source, top)
    if found and not (found == platform or found.startswith(f"{platform}/")):
        raise Refused(f"the image is for {found}, not for {platform}", where=source.where)
    return manifests


def _image(source: str, opened: Source, manifests: Sequence[Manifest]) -> Image:
    top = manifests[-1]
    platforms = [child.platform for child in top.children] or [_config_platform(opened, top)]
    return Image(
        source=source,
        digest=top.descriptor.digest,
        media_type=top.descriptor.media_type,
        manifests=tuple(each.descriptor.digest for each in manifests),
        platforms=tuple(each for each in platforms if each and not each.startswith("unknown")),
        size_bytes=sum(blob.size for blob in _blobs(manifests)),
    )


def _config_platform(source: Source, manifest: Manifest) -> str:
    if not manifest.blobs:
        return ""
    with source.open(manifest.blobs[-1].digest) as stream:
        return config_platform(stream.read(_PIECE_BYTES * 16))


def _blobs(manifests: Sequence[Manifest]) -> tuple[Descriptor, ...]:
    return tuple({blob.digest: blob for each in manifests for blob in each.blobs}.values())


def _put_manifests(client: RegistryClient, manifests: Sequence[Manifest], tag: str) -> None:
    """Children by digest, the last one by tag; those that are there already are not put again.

    After the first that was put, no failure is a proven refusal.
    """
    put = 0
    for number, each in enumerate(manifests):
        reference = tag if number == len(manifests) - 1 else each.descriptor.digest
        there = client.manifest(reference)
        if there is not None and digest_of(there[0]) == each.descriptor.digest:
            continue
        try:
            client.put_manifest(reference, each.content, each.descriptor.media_type)
        except Refused as error:
            if not put:
                raise
            raise StepError(
                "only a part of the image's manifests was accepted", where=client.where, detail=str(error)
            ) from error
        put += 1


def _path_and_name(place: str) -> tuple[Path, str]:
    """`PATH` or `PATH:NAME`; a path that exists as it is written wins."""
    if Path(place).exists() or ":" not in place:
        return Path(place), ""
    path, _, name = place.partition(":")
    return Path(path), name


def _engine_login(host: str) -> tuple[str, Secret | None]:
    """Name and password that `docker login` left in its file, if it did; keyrings are not asked."""
    folder = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    try:
        logins = json.loads((folder / "config.json").read_bytes()).get("auths", {})
        encoded = logins[host]["auth"]
        username, _, password = base64.b64decode(encoded).decode().partition(":")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return "", None
    return username, Secret(password)
