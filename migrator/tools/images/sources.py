"""Where images come from: OCI layouts, archives, and registries. All give manifests and blobs by digest."""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

from migrator.errors import Refused
from migrator.sanitize import clean_line
from migrator.tools.images.manifests import (
    DOCKER_CONFIG,
    DOCKER_LAYER,
    DOCKER_MANIFEST,
    MAX_MANIFEST_BYTES,
    Descriptor,
    descriptor,
    digest_of,
)
from migrator.tools.images.registry import RegistryClient

_NAME = "org.opencontainers.image.ref.name"
_PIECE_BYTES = 1024 * 1024
_GZIP = b"\x1f\x8b"


class Source(Protocol):
    """One image at its source. `where` is for people."""

    where: str

    def root(self) -> Descriptor:
        """The manifest or index that stands for the image."""
        ...

    def manifest(self, each: Descriptor) -> bytes:
        """The bytes of a manifest; not yet checked."""
        ...

    def open(self, digest: str) -> Any:
        """A context manager that gives a readable binary stream of a blob."""
        ...


class LayoutSource:
    """An OCI image layout: a folder with `index.json` and `blobs/sha256/`."""

    def __init__(self, folder: Path, name: str = "") -> None:
        self.where = f"oci:{folder}"
        self._folder = folder
        self._name = name

    def root(self) -> Descriptor:
        """The one image of the layout, or the one with the name that was asked for."""
        try:
            index = json.loads((self._folder / "index.json").read_bytes())
        except (OSError, ValueError) as error:
            raise Refused(
                "this is not an OCI image layout: it has no index.json", where=self.where
            ) from error
        return _chosen(index, self._name, self.where)

    def manifest(self, each: Descriptor) -> bytes:
        """The bytes of a manifest."""
        with self.open(each.digest) as stream:
            return stream.read(MAX_MANIFEST_BYTES)

    @contextmanager
    def open(self, digest: str) -> Iterator[IO[bytes]]:
        """A blob's file."""
        path = self._folder / "blobs" / "sha256" / digest.removeprefix("sha256:")
        try:
            stream = path.open("rb")
        except OSError as error:
            raise Refused(f"the layout lacks the blob {digest}", where=self.where) from error
        with stream:
            yield stream


class ArchiveSource:
    """A tar of an OCI layout, or of `docker save` from before it wrote one.

    For the latter a manifest is written here, always the same for the same content: its layers are pushed as
    they lie in the archive.
    """

    def __init__(self, path: Path, name: str = "") -> None:
        self.where = f"archive:{path}"
        self._name = name
        try:
            self._archive = tarfile.open(path, "r:")  # noqa: SIM115 - kept open for random access
        except (OSError, tarfile.TarError) as error:
            raise Refused(
                "this is not a readable tar", where=self.where, next="decompress it first if it is compressed"
            ) from error
        self._members = {member.name.removeprefix("./"): member for member in self._archive.getmembers()}
        self._places: dict[str, str] = {}
        self._written: dict[str, bytes] = {}

    def close(self) -> None:
        """Closes the archive's file."""
        self._archive.close()

    def root(self) -> Descriptor:
        """The one image of the archive, or the one with the name that was asked for."""
        if "index.json" in self._members:
            return _chosen(self._json("index.json"), self._name, self.where)
        if "manifest.json" in self._members:
            return self._from_docker(self._json("manifest.json"))
        raise Refused("the archive has neither index.json nor manifest.json", where=self.where)

    def manifest(self, each: Descriptor) -> bytes:
        """The bytes of a manifest."""
        if each.digest in self._written:
            return self._written[each.digest]
        with self.open(each.digest) as stream:
            return stream.read(MAX_MANIFEST_BYTES)

    @contextmanager
    def open(self, digest: str) -> Iterator[IO[bytes]]:
        """A blob's member in the archive."""
        name = self._places.get(digest, f"blobs/sha256/{digest.removeprefix('sha256:')}")
        with self._member(name) as stream:
            yield stream

    @contextmanager
    def _member(self, name: str) -> Iterator[IO[bytes]]:
        member = self._members.get(name)
        stream = self._archive.extractfile(member) if member is not None else None
        if stream is None:
            raise Refused(f"the archive lacks {clean_line(name, 200)}", where=self.where)
        with stream:
            yield stream

    def _json(self, name: str) -> Any:
        try:
            with self._member(name) as stream:
                return json.loads(stream.read(MAX_MANIFEST_BYTES))
        except ValueError as error:
            raise Refused(f"{name} of the archive is not JSON", where=self.where) from error

    def _from_docker(self, images: Any) -> Descriptor:
        matching = [each for each in images if not self._name or self._name in (each.get("RepoTags") or ())]
        if len(matching) != 1:
            tags = ", ".join(str(tag) for each in images for tag in each.get("RepoTags") or ())
            raise Refused(
                "name one image of the archive", where=self.where, detail=clean_line(f"there are: {tags}")
            )
        image = matching[0]
        config = self._descriptor(image["Config"], DOCKER_CONFIG)
        layers = [self._descriptor(name, DOCKER_LAYER) for name in image["Layers"]]
        value = {
            "schemaVersion": 2,
            "mediaType": DOCKER_MANIFEST,
            "config": _as_json(config),
            "layers": [_as_json(layer) for layer in layers],
        }
        content = json.dumps(value, separators=(",", ":"), sort_keys=True).encode()
        self._written[digest_of(content)] = content
        return Descriptor(DOCKER_MANIFEST, digest_of(content), len(content))

    def _descriptor(self, name: str, media_type: str) -> Descriptor:
        size, hashed, start = 0, hashlib.sha256(), b""
        with self._member(name) as stream:
            while piece := stream.read(_PIECE_BYTES):
                start = start or piece[:2]
                size += len(piece)
                hashed.update(piece)
        if media_type == DOCKER_LAYER and start == _GZIP:
            media_type = f"{media_type}.gzip"
        digest = f"sha256:{hashed.hexdigest()}"
        self._places[digest] = name
        return Descriptor(media_type, digest, size)


class RegistrySource:
    """An image in a registry."""

    def __init__(self, client: RegistryClient, reference: str) -> None:
        self.where = f"registry:{client.where}"
        self._client = client
        self._reference = reference

    def root(self) -> Descriptor:
        """What the tag or digest names now."""
        found = self._client.manifest(self._reference)
        if found is None:
            raise Refused(f"there is no image {clean_line(self._reference, 200)}", where=self.where)
        content, media_type = found
        return Descriptor(media_type, digest_of(content), len(content))

    def manifest(self, each: Descriptor) -> bytes:
        """The bytes of a manifest, read by digest."""
        found = self._client.manifest(each.digest)
        if found is None:
            raise Refused(f"the registry lacks the manifest {each.digest}", where=self.where)
        return found[0]

    def open(self, digest: str) -> Any:
        """A blob as a stream from the registry."""
        return self._client.blob(digest)


def _chosen(index: Any, name: str, where: str) -> Descriptor:
    entries: list[Any] = list(index.get("manifests", ())) if isinstance(index, Mapping) else []
    if name:
        entries = [each for each in entries if _named(each, name)]
    if len(entries) == 1:
        return descriptor(entries[0], where)
    names = ", ".join(str((each.get("annotations") or {}).get(_NAME, each.get("digest"))) for each in entries)
    if not entries:
        raise Refused(f"there is no image {clean_line(name, 200)}".rstrip(), where=where)
    raise Refused(
        "there are several images", where=where, detail=clean_line(names), next="name one: PATH:NAME"
    )


def _named(entry: Mapping[str, Any], name: str) -> bool:
    annotations = entry.get("annotations") or {}
    return name in {entry.get("digest"), annotations.get(_NAME), annotations.get("io.containerd.image.name")}


def _as_json(each: Descriptor) -> dict[str, Any]:
    return {"mediaType": each.media_type, "size": each.size, "digest": each.digest}
