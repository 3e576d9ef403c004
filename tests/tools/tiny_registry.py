"""A registry in memory for tests, strict where real ones are: order, digests, credentials, immutable tags."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from migrator.contracts.images import Repository
from migrator.errors import MigratorError
from migrator.secrets import Secret
from tests.tools.aws_servers import answering

Answer = tuple[int, dict[str, str], bytes]
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
PASSWORD = "registry-password"


def sha256(content: bytes) -> str:
    """The digest of bytes."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@dataclass
class TinyRegistry:
    """What the registry holds. `cut` and `cut_after` cut connections; `lookup` finds a tag elsewhere."""

    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    immutable: bool = False
    cut: Callable[[str, str], bool] = lambda method, path: False
    cut_after: Callable[[str, str], bool] = lambda method, path: False
    lookup: Callable[[str], str] | None = None
    on_manifest: Callable[[str, bytes, str], None] = lambda reference, content, media_type: None
    seen: list[str] = field(default_factory=list)
    host: str = ""
    password: str = PASSWORD

    def repository(self, name: str = "shop", password: str = PASSWORD) -> Repository:
        """A repository of this registry."""
        return Repository(self.host, name, "AWS", Secret(password))

    def answer(self, handler: BaseHTTPRequestHandler, body: bytes) -> Answer | None:
        """Answers one request."""
        url = urlsplit(handler.path)
        if self.cut(handler.command, url.path):
            return None
        expected = f"Basic {base64.b64encode(f'AWS:{self.password}'.encode()).decode()}"
        if handler.headers["Authorization"] != expected:
            return 401, {"WWW-Authenticate": 'Basic realm="ECR"'}, b""
        answer = self._route(handler, url.path, parse_qs(url.query), body)
        return None if self.cut_after(handler.command, url.path) else answer

    def _route(self, handler: Any, path: str, query: dict[str, list[str]], body: bytes) -> Answer:
        kind, reference = path.split("/")[-2:]
        if kind == "manifests" and handler.command == "PUT":
            return self._put_manifest(reference, body, handler.headers["Content-Type"])
        if kind == "manifests":
            digest = self.lookup(reference) if self.lookup else self.tags.get(reference, reference)
            if digest not in self.manifests:
                return 404, {}, b""
            content, media_type = self.manifests[digest]
            return 200, {"Content-Type": media_type}, content
        if handler.command == "POST":
            return 202, {"Location": f"{path}one?state=x"}, b""
        if handler.command == "PUT":
            digest = query["digest"][0]
            if sha256(body) != digest:
                return 400, {}, b'{"errors": [{"code": "DIGEST_INVALID"}]}'
            self.blobs[digest] = body
            return 201, {}, b""
        return (200, {}, b"") if reference in self.blobs else (404, {}, b"")

    def _put_manifest(self, reference: str, content: bytes, media_type: str) -> Answer:
        value = json.loads(content)
        for each in [*value.get("layers", ()), *([value["config"]] if "config" in value else [])]:
            if each["digest"] not in self.blobs:
                return 400, {}, b'{"errors": [{"code": "BLOB_UNKNOWN"}]}'
        if any(child["digest"] not in self.manifests for child in value.get("manifests", ())):
            return 400, {}, b'{"errors": [{"code": "MANIFEST_UNKNOWN"}]}'
        digest = sha256(content)
        try:
            self.on_manifest(reference, content, media_type)
        except MigratorError:
            return 400, {}, b'{"errors": [{"code": "MANIFEST_INVALID"}]}'
        if not reference.startswith("sha256:"):
            if self.immutable and self.tags.get(reference, digest) != digest:
                return 400, {}, b'{"errors": [{"code": "TAG_INVALID"}]}'
            self.tags[reference] = digest
        self.manifests[digest] = (content, media_type)
        return 201, {}, b""


@contextmanager
def tiny_registry() -> Iterator[TinyRegistry]:
    """A registry that listens on loopback over HTTP."""
    registry = TinyRegistry()
    with answering(registry.answer) as (url, seen):
        registry.host = url.removeprefix("http://")
        registry.seen = seen
        yield registry


def layout(
    folder: Path, layers: tuple[bytes, ...] = (b"layer one", b"layer two"), platforms: tuple[str, ...] = ()
) -> str:
    """Writes an OCI layout (an index of `platforms`, if there are any) and gives its digest."""
    store = folder / "blobs" / "sha256"
    store.mkdir(parents=True)

    def put(content: bytes, media_type: str, **more: Any) -> dict[str, Any]:
        (store / sha256(content).removeprefix("sha256:")).write_bytes(content)
        return {"mediaType": media_type, "digest": sha256(content), "size": len(content), **more}

    def manifest(platform: str) -> dict[str, Any]:
        os, architecture = platform.split("/")
        config = json.dumps({"os": os, "architecture": architecture}).encode()
        value = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": put(config, "application/vnd.oci.image.config.v1+json"),
            "layers": [put(layer, "application/vnd.oci.image.layer.v1.tar") for layer in layers],
        }
        named = {"platform": {"os": os, "architecture": architecture}}
        return put(json.dumps(value, indent=1).encode(), OCI_MANIFEST, **named)

    top = manifest("linux/amd64")
    if platforms:
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [manifest(p) for p in platforms]}
        top = put(json.dumps(index).encode(), OCI_INDEX)
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [top]}))
    return str(top["digest"])


def certificate(folder: Path, host: str) -> tuple[Path, Path]:
    """A self-signed certificate for a host, and its key."""
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return folder / "cert.pem", folder / "key.pem"
