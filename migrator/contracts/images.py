"""Container images: where they come from, pushing them, and proof by digest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from migrator.secrets import Secret


@dataclass(frozen=True)
class Image:
    """An image found at its source. `digest` is that of the manifest or index that a push sends, unchanged.

    `manifests` are all manifests of the tree, children before the index that names them. `size_bytes` is the
    sum of all blobs; `platforms` are texts such as `linux/amd64`.
    """

    source: str
    digest: str
    media_type: str
    manifests: tuple[str, ...]
    platforms: tuple[str, ...]
    size_bytes: int


@dataclass(frozen=True)
class Repository:
    """A repository in a registry, and the name and password (Basic) that open it."""

    host: str
    name: str
    username: str
    password: Secret


@dataclass(frozen=True)
class PushProgress:
    """How far a push is, in bytes. `reused_bytes` of the done ones were in the registry before."""

    done_bytes: int
    total_bytes: int
    reused_bytes: int
    message: str


OnProgress = Callable[[PushProgress], None]
"""Receives progress several times a second; what it raises (cancel, deadline) ends the push."""


class Images(Protocol):
    """Sources are `oci:PATH[:NAME]` (an OCI layout), `archive:PATH` (a tar of `docker save` or of an OCI
    layout), `docker:NAME` (the local engine) and `registry:HOST/REPOSITORY[:TAG|@DIGEST]`.

    `work` is a folder for what must be copied out first. `platform` picks one image out of an index; the
    empty text keeps an index whole. Layers are never compressed anew: a digest stays what it is.
    """

    def resolve(self, source: str, work: Path, platform: str = "") -> Image:
        """What the source holds now; `Refused` when there is none, it is damaged or of another platform."""
        ...

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
        """Sends what the registry lacks, then the manifests, the tagged one last.

        `Refused` before anything is sent when the source is no longer `expected_digest` (if one is given).
        Called again after a failure it goes on with the blobs that are missing. `Refused` while only blobs
        were sent (they show nowhere); `InDoubt` once a manifest was.
        """
        ...

    def digest_in(self, repository: Repository, reference: str) -> str | None:
        """The SHA-256 digest of the manifest under a tag or digest, by reading and hashing it; None: absent."""
        ...
