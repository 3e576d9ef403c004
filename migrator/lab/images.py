"""Two source images as OCI layouts: small, of several layers, the same bytes for the same seed."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import random
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
_CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
_LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"
_LAYERS = 4


@dataclass(frozen=True)
class SourceImage:
    """An OCI layout on disk and the digest of its one manifest."""

    layout: Path
    digest: str
    tag: str


def write_layout(folder: Path, name: str, size_bytes: int, tag: str = "1.0.0") -> SourceImage:
    """Write an image of about `size_bytes` as an OCI layout into `folder`."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True, mode=0o700)
    layers, diff_ids = [], []
    for index in range(_LAYERS):
        plain = _layer(name, index, max(1, size_bytes // _LAYERS))
        packed = gzip.compress(plain, compresslevel=1, mtime=0)
        diff_ids.append(_digest(plain))
        layers.append(_blob(blobs, packed, _LAYER_TYPE))
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Env": ["PATH=/usr/bin"], "Cmd": ["node", "server.js"], "Labels": {"service": name}},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
        "history": [{"created_by": f"layer {index}"} for index in range(_LAYERS)],
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": _blob(blobs, _json(config), _CONFIG_TYPE),
        "layers": layers,
    }
    described = _blob(blobs, _json(manifest), MANIFEST_TYPE)
    described["annotations"] = {"org.opencontainers.image.ref.name": tag}
    (folder / "oci-layout").write_bytes(_json({"imageLayoutVersion": "1.0.0"}))
    (folder / "index.json").write_bytes(_json({"schemaVersion": 2, "manifests": [described]}))
    return SourceImage(folder, str(described["digest"]), tag)


def _layer(name: str, index: int, size: int) -> bytes:
    content = random.Random(f"{name}/{index}").randbytes(size)  # noqa: S311 - filler, the same every time
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo(f"app/layer-{index}.bin")
        entry.size = size
        archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _blob(blobs: Path, content: bytes, media_type: str) -> dict[str, Any]:
    digest = _digest(content)
    (blobs / digest.removeprefix("sha256:")).write_bytes(content)
    return {"mediaType": media_type, "digest": digest, "size": len(content)}


def _json(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":"), sort_keys=True).encode()


def _digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()
