"""A minimal image pusher for tests: an OCI layout to the lab's registry, over its route and with its authority."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import socket
import ssl
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class RegistryDoor:
    """Requests to the registry behind `host`, which lies at loopback `port`."""

    host: str
    port: int
    ca_file: Path
    credentials: str = "AWS:111122223333-auth-token"
    headers: dict[str, str] = field(default_factory=dict)

    def request(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers in lower case, and content."""
        token = base64.b64encode(self.credentials.encode()).decode()
        sent = {"Authorization": f"Basic {token}", "Host": self.host, **(headers or {})}
        context = ssl.create_default_context(cafile=str(self.ca_file))
        connection = http.client.HTTPSConnection(self.host, 443, timeout=20)
        with contextlib.closing(connection):
            plain = socket.create_connection(("127.0.0.1", self.port), 20)
            connection.sock = context.wrap_socket(plain, server_hostname=self.host)
            connection.request(method, path, body=body or None, headers=sent)
            response = connection.getresponse()
            content = response.read()
            return response.status, {name.lower(): value for name, value in response.getheaders()}, content


def push(door: RegistryDoor, repository: str, layout: Path, tag: str | None) -> tuple[int, str]:
    """Push an OCI layout's image; the status of the manifest's PUT and the digest."""
    blobs = layout / "blobs" / "sha256"
    described = json.loads((layout / "index.json").read_text(encoding="utf-8"))["manifests"][0]
    content = (blobs / described["digest"].removeprefix("sha256:")).read_bytes()
    manifest = json.loads(content)
    for part in [manifest["config"], *manifest["layers"]]:
        push_blob(
            door, repository, part["digest"], (blobs / part["digest"].removeprefix("sha256:")).read_bytes()
        )
    status, _, _ = door.request(
        "PUT",
        f"/v2/{repository}/manifests/{tag or described['digest']}",
        content,
        {"Content-Type": described["mediaType"]},
    )
    return status, described["digest"]


def push_blob(door: RegistryDoor, repository: str, digest: str, content: bytes) -> None:
    """Push one blob in two chunks, unless it is there."""
    if door.request("HEAD", f"/v2/{repository}/blobs/{digest}")[0] == 200:
        return
    status, headers, _ = door.request("POST", f"/v2/{repository}/blobs/uploads/")
    assert status == 202
    half = len(content) // 2
    status, headers, _ = door.request("PATCH", headers["location"], content[:half])
    assert status == 202
    status, headers, _ = door.request("PUT", f"{headers['location']}?digest={digest}", content[half:])
    assert status == 201
