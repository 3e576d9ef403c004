"""Manifests and indexes of images: parsed, checked against their digests, their blobs listed."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from migrator.errors import Refused
from migrator.sanitize import clean_line

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"
INDEXES = frozenset({OCI_INDEX, DOCKER_INDEX})
MANIFESTS = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
ACCEPT = ", ".join((OCI_INDEX, DOCKER_INDEX, OCI_MANIFEST, DOCKER_MANIFEST))
MAX_MANIFEST_BYTES = 4 * 1024 * 1024
_MAX_DEPTH = 3
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class Descriptor:
    """A piece of content: its media type, digest and size in bytes; the platform where an index names one."""

    media_type: str
    digest: str
    size: int
    platform: str = ""


@dataclass(frozen=True)
class Manifest:
    """One manifest or index: its exact bytes, what they name, and their digest."""

    descriptor: Descriptor
    content: bytes
    children: tuple[Descriptor, ...]
    blobs: tuple[Descriptor, ...]


def digest_of(content: bytes) -> str:
    """The digest of bytes, as registries write it."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def descriptor(value: Any, where: str) -> Descriptor:
    """A descriptor from JSON; `Refused` when a field is missing or the digest is not SHA-256."""
    if not isinstance(value, Mapping):
        raise Refused("a descriptor in the image is not an object", where=where)
    digest, size = str(value.get("digest", "")), value.get("size")
    if not _DIGEST.fullmatch(digest) or not isinstance(size, int) or size < 0:
        raise Refused("a descriptor in the image has no SHA-256 digest or no size", where=where)
    return Descriptor(str(value.get("mediaType", "")), digest, size, _platform(value.get("platform")))


def parse(content: bytes, media_type: str, where: str) -> Manifest:
    """A manifest or index from its bytes; `Refused` for anything else, old schema 1 included."""
    try:
        value = json.loads(content)
    except ValueError as error:
        raise Refused("a manifest of the image is not JSON", where=where) from error
    if not isinstance(value, Mapping):
        raise Refused("a manifest of the image is not an object", where=where)
    kind = str(value.get("mediaType") or media_type)
    own = Descriptor(kind, digest_of(content), len(content))
    if kind in INDEXES:
        children = tuple(descriptor(each, where) for each in value.get("manifests", ()))
        return Manifest(own, content, children, ())
    if kind in MANIFESTS:
        layers = [each for each in value.get("layers", ()) if not _lies_elsewhere(each)]
        blobs = tuple(descriptor(each, where) for each in (*layers, value.get("config")))
        return Manifest(own, content, (), blobs)
    raise Refused(
        f"manifests of the type {clean_line(kind, 100) or 'unknown'} are not supported", where=where
    )


def tree(root: Descriptor, read: Callable[[Descriptor], bytes], where: str) -> tuple[Manifest, ...]:
    """Every manifest under `root`, children first; each proven by its digest. `Refused` when one is damaged."""
    return tuple(_walk(root, read, where, 0).values())


def _walk(
    each: Descriptor, read: Callable[[Descriptor], bytes], where: str, depth: int
) -> dict[str, Manifest]:
    if depth > _MAX_DEPTH:
        raise Refused("the image's indexes are nested too deeply", where=where)
    content = read(each)
    if digest_of(content) != each.digest:
        raise Refused(f"the manifest {each.digest} is damaged: its bytes have another digest", where=where)
    manifest = parse(content, each.media_type, where)
    found: dict[str, Manifest] = {}
    for child in manifest.children:
        found |= _walk(child, read, where, depth + 1)
    return found | {each.digest: manifest}


def pick(index: Manifest, platform: str, where: str) -> Descriptor:
    """The child of an index for a platform such as `linux/amd64`; `Refused` with those that there are."""
    for child in index.children:
        if child.platform == platform or child.platform.startswith(f"{platform}/"):
            return child
    there = ", ".join(child.platform for child in index.children if child.platform) or "none named"
    raise Refused(f"the image is not for {platform}", where=where, detail=f"platforms: {there}")


def config_platform(config: bytes) -> str:
    """The platform that an image's configuration names, such as `linux/amd64`."""
    try:
        value = json.loads(config)
    except ValueError:
        return ""
    return _platform(value)


def _platform(value: Any) -> str:
    if not isinstance(value, Mapping) or not value.get("os"):
        return ""
    parts = (value.get("os"), value.get("architecture"), value.get("variant"))
    return clean_line("/".join(str(part) for part in parts if part), 60)


def _lies_elsewhere(layer: Any) -> bool:
    """Layers that may not be redistributed are fetched from their own addresses, never pushed."""
    return isinstance(layer, Mapping) and bool(layer.get("urls"))
