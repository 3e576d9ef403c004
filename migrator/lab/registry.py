"""An OCI distribution registry behind the emulated ECR's host name; what exists is what the emulated ECR says."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import re
import ssl
import uuid
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from migrator.lab.authority import write_private
from migrator.lab.aws.link import EmulatorError, EmulatorLink
from migrator.lab.serving import LoopbackServer

_DIGEST = re.compile(r"^sha256:[0-9a-f]{64}$")
_ROUTE = re.compile(
    r"^/v2/(?P<name>[a-z0-9._/-]+)/(?P<kind>blobs/uploads|blobs|manifests|tags)/?(?P<rest>[^/]*)$"
)
_CHUNK = 1 << 20


class Registry:
    """Takes pushes and serves pulls over TLS; blobs lie in `folder`, tags and digests in the emulated ECR."""

    def __init__(self, folder: Path, link: EmulatorLink, account: str, context: ssl.SSLContext) -> None:
        self.blobs = folder / "blobs"
        self.uploads = folder / "uploads"
        for path in (self.blobs, self.uploads):
            path.mkdir(parents=True, mode=0o700, exist_ok=True)
        self.link = link
        self.password = f"{account}-auth-token"
        self._server = LoopbackServer(_bound_handler(self), "registry", context)
        self.port = self._server.port

    def stop(self) -> None:
        """Stop serving."""
        self._server.stop()

    def blob(self, digest: str) -> Path | None:
        """The file of a stored blob."""
        file = self.blobs / digest.removeprefix("sha256:")
        return file if _DIGEST.match(digest) and file.exists() else None

    def resolve(self, repository: str, reference: str) -> str | None:
        """The digest that a tag or digest names in the emulated ECR, or None."""
        state = self.link.ask("repository", {"name": repository})
        if state is None:
            return None
        for digest, tags in state["images"].items():
            if reference == digest or reference in tags:
                return str(digest)
        return None

    def missing(self, image: str) -> str | None:
        """Why an image `registry/repository@digest` cannot be pulled, or None when it can, with all its blobs."""
        location, _, digest = image.partition("@")
        repository = location.partition("/")[2]
        if not _DIGEST.match(digest):
            return f"image {image} is not named by digest"
        if self.resolve(repository, digest) is None:
            return f"image {digest[:19]} is not in repository {repository}"
        manifest = self.blob(digest)
        if manifest is None:
            return f"manifest {digest[:19]} was never pushed"
        for part in _parts(json.loads(manifest.read_bytes())):
            if self.blob(part) is None:
                return f"layer {part[:19]} of {repository} is missing"
        return None


def _parts(manifest: dict[str, Any]) -> list[str]:
    described = [manifest.get("config"), *manifest.get("layers", []), *manifest.get("manifests", [])]
    return [entry["digest"] for entry in described if entry]


def _bound_handler(registry: Registry) -> type[BaseHTTPRequestHandler]:
    class Handler(_Handler):
        """Requests of this registry."""

    Handler.registry = registry
    return Handler


class _Handler(BaseHTTPRequestHandler):
    registry: Registry
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Say nothing a request."""

    def do_GET(self) -> None:
        self._serve()

    do_HEAD = do_POST = do_PATCH = do_PUT = do_DELETE = do_GET  # noqa: N815

    def _serve(self) -> None:
        if not self._authorised():
            headers = {"WWW-Authenticate": 'Basic realm="lab registry"'}
            self._error(401, "UNAUTHORIZED", "credentials are missing or wrong", headers)
            return
        url = urlsplit(self.path)
        if url.path in ("/v2/", "/v2"):
            self._reply(200, b"{}")
            return
        route = _ROUTE.match(url.path)
        if route is None:
            self._error(404, "UNSUPPORTED", "no such path")
            return
        name, kind, rest = route["name"], route["kind"], route["rest"]
        if self.registry.link.ask("repository", {"name": name}) is None:
            self._error(404, "NAME_UNKNOWN", f"the repository {name} does not exist")
            return
        if kind == "blobs/uploads":
            self._upload(name, rest, parse_qs(url.query))
        elif kind == "blobs":
            self._blob(rest)
        elif kind == "manifests":
            self._manifest(name, rest)
        else:
            state = self.registry.link.ask("repository", {"name": name})
            tags = sorted({tag for known in state["images"].values() for tag in known})
            self._reply(200, json.dumps({"name": name, "tags": tags}).encode())

    def _authorised(self) -> bool:
        expected = base64.b64encode(f"AWS:{self.registry.password}".encode()).decode()
        return self.headers.get("Authorization", "") == f"Basic {expected}"

    def _blob(self, digest: str) -> None:
        file = self.registry.blob(digest)
        if file is None:
            self._error(404, "BLOB_UNKNOWN", f"no blob {digest}")
            return
        headers = {"Docker-Content-Digest": digest, "Content-Type": "application/octet-stream"}
        self._reply(200, file.read_bytes(), headers)

    def _upload(self, name: str, identity: str, query: dict[str, list[str]]) -> None:
        digest = (query.get("digest") or [""])[0]
        if self.command == "POST":
            identity = uuid.uuid4().hex
            (self.registry.uploads / identity).touch(0o600)
            mounted = (query.get("mount") or [""])[0]
            if mounted and self.registry.blob(mounted):
                self._discard()
                self._created(name, f"blobs/{mounted}", mounted)
                return
        file = self.registry.uploads / identity
        if not re.fullmatch(r"[0-9a-f]{32}", identity) or not file.exists():
            self._discard()
            self._error(404, "BLOB_UPLOAD_UNKNOWN", "no such upload")
            return
        self._append(file)
        location = f"/v2/{name}/blobs/uploads/{identity}"
        if self.command == "DELETE":
            file.unlink()
            self._reply(204, b"")
        elif self.command == "PUT" or (self.command == "POST" and digest):
            self._finish_upload(name, file, digest)
        else:
            headers = {
                "Location": location,
                "Range": f"0-{max(0, file.stat().st_size - 1)}",
                "Docker-Upload-UUID": identity,
            }
            self._reply(204 if self.command == "GET" else 202, b"", headers)

    def _finish_upload(self, name: str, file: Path, digest: str) -> None:
        with file.open("rb") as content:
            found = "sha256:" + hashlib.file_digest(content, "sha256").hexdigest()
        if found != digest:
            file.unlink()
            self._error(400, "DIGEST_INVALID", f"the content has digest {found}, not {digest}")
            return
        file.replace(self.registry.blobs / digest.removeprefix("sha256:"))
        self._created(name, f"blobs/{digest}", digest)

    def _manifest(self, name: str, reference: str) -> None:
        if self.command == "PUT":
            self._put_manifest(name, reference)
            return
        digest = self.registry.resolve(name, reference)
        file = self.registry.blob(digest) if digest else None
        if digest is None or file is None:
            self._error(404, "MANIFEST_UNKNOWN", f"no manifest {reference} in {name}")
            return
        content = file.read_bytes()
        media_type = json.loads(content).get("mediaType", "application/vnd.oci.image.manifest.v1+json")
        self._reply(200, content, {"Docker-Content-Digest": digest, "Content-Type": media_type})

    def _put_manifest(self, name: str, reference: str) -> None:
        content = self._body()
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        try:
            manifest = json.loads(content)
            absent = [part for part in _parts(manifest) if self.registry.blob(part) is None]
        except (ValueError, KeyError, AttributeError):
            self._error(400, "MANIFEST_INVALID", "the manifest is not valid")
            return
        if absent or (_DIGEST.match(reference) and reference != digest):
            code = "MANIFEST_BLOB_UNKNOWN" if absent else "DIGEST_INVALID"
            self._error(400, code, f"missing: {absent}" if absent else "reference and content differ")
            return
        write_private(self.registry.blobs / digest.removeprefix("sha256:"), content)
        media_type = manifest.get("mediaType") or self.headers.get("Content-Type")
        image = {"repository": name, "manifest": content.decode(), "digest": digest, "media_type": media_type}
        try:
            tag = None if _DIGEST.match(reference) else reference
            self.registry.link.ask("image", {**image, "tag": tag})
        except EmulatorError as error:
            code = "TAG_INVALID" if "Tag" in error.code else "MANIFEST_INVALID"
            self._error(400, code, str(error))
            return
        self._created(name, f"manifests/{digest}", digest)

    def _created(self, name: str, rest: str, digest: str) -> None:
        self._reply(201, b"", {"Location": f"/v2/{name}/{rest}", "Docker-Content-Digest": digest})

    def _append(self, file: Path) -> None:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_APPEND), "ab") as output:
            for piece in self._pieces():
                output.write(piece)

    def _body(self) -> bytes:
        return b"".join(self._pieces())

    def _discard(self) -> None:
        for _ in self._pieces():
            pass

    def _pieces(self) -> Any:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            while size := int(self.rfile.readline().split(b";")[0].strip() or b"0", 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return
        left = int(self.headers.get("Content-Length") or 0)
        while left > 0:
            piece = self.rfile.read(min(_CHUNK, left))
            if not piece:
                return
            left -= len(piece)
            yield piece

    def _error(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        if self.command in ("POST", "PUT", "PATCH"):
            # what is left of a refused body would be read as the next request
            self.close_connection = True
        self._reply(status, json.dumps({"errors": [{"code": code, "message": message}]}).encode(), headers)

    def _reply(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        with contextlib.suppress(OSError):
            self.send_response(status)
            for name, value in {"Docker-Distribution-API-Version": "registry/2.0", **(headers or {})}.items():
                self.send_header(name, value)
            if status != 204:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)
