"""The twin as a whole: a small migration by hand, old to new, with clients reading and writing all the time."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dnslib import DNSRecord

from migrator.lab import client
from migrator.lab.client import LabClient, LabError, Manifest
from tests.lab.conftest import SPEC
from tests.lab.test_emulator import eventually

pytestmark = pytest.mark.engine
Clients = Callable[[str], Any]
HOST = "111122223333.dkr.ecr.us-west-2.amazonaws.com"


def ask(
    where: tuple[str, int], manifest: Manifest, host: str, method: str, path: str, **sent: Any
) -> tuple[int, Any]:
    """A request to `host` by a loopback route, TLS verified against the lab's authority."""
    context = ssl.create_default_context(cafile=str(manifest.ca_file))
    connection = http.client.HTTPSConnection(host, 443, timeout=10)
    connection.sock = context.wrap_socket(socket.create_connection(where, 10), server_hostname=host)
    headers = {"Authorization": f"Bearer {sent.get('token', '')}"}
    connection.request(
        method, path, body=json.dumps(sent["body"]) if "body" in sent else None, headers=headers
    )
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response.status, json.loads(content) if content[:1] in (b"{", b"[") else content


def address(manifest: Manifest, host: str, server: str = "authoritative") -> list[str]:
    reply = DNSRecord.parse(DNSRecord.question(host).send(*manifest.dns[server], timeout=3))
    return [str(record.rdata) for record in reply.rr if str(record.rdata).startswith("203.")]


def old_route(manifest: Manifest, lab: LabClient) -> tuple[str, int]:
    where = lab.route(manifest.variables["backend_service_host"], 443)
    assert where is not None
    return where


def test_a_living_lab_is_found_again_and_not_started_twice(manifest: Manifest, lab_folder: Path) -> None:
    assert client.start(lab_folder, SPEC).pid == manifest.pid
    done = subprocess.run(
        [sys.executable, "-m", "migrator.lab", str(lab_folder), str(lab_folder / "spec.json")],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == client.ALREADY_STARTING


def test_everything_private_is_private(manifest: Manifest, lab_folder: Path) -> None:
    assert lab_folder.stat().st_mode & 0o77 == 0
    open_files = [
        path.name
        for path in lab_folder.rglob("*")
        if path.is_file() and "clusters" not in path.parts and path.stat().st_mode & 0o77
    ]
    assert open_files == []


def test_the_control_server_wants_its_token(manifest: Manifest) -> None:
    with pytest.raises(LabError, match="token"):
        LabClient(manifest.control, "wrong").health()


def test_names_lead_to_the_old_application(manifest: Manifest, lab: LabClient) -> None:
    found = address(manifest, "api.example.com")
    assert found == address(manifest, "api.example.com", "resolver") != []
    where = lab.route(found[0], 443)
    assert where == old_route(manifest, lab)
    assert ask(where, manifest, "api.example.com", "GET", "/health")[0] == 200
    assert lab.route("203.0.113.250", 443) is None
    assert lab.route("unknown.example.com", 443) is None
    with pytest.raises(ssl.SSLCertVerificationError):
        ask(where, manifest, "shop.example.com", "GET", "/health")


def test_the_resolver_keeps_an_answer_for_its_time_to_live(aws: Clients, manifest: Manifest) -> None:
    def put(value: str) -> None:
        record = {"Name": "ttl.example.com", "Type": "A", "TTL": 2, "ResourceRecords": [{"Value": value}]}
        aws("route53").change_resource_record_sets(
            HostedZoneId=manifest.variables["hosted_zone_id"],
            ChangeBatch={"Changes": [{"Action": "UPSERT", "ResourceRecordSet": record}]},
        )

    put("203.0.113.201")
    eventually(lambda: address(manifest, "ttl.example.com") == ["203.0.113.201"], 3)
    assert address(manifest, "ttl.example.com", "resolver") == ["203.0.113.201"]
    put("203.0.113.202")
    eventually(lambda: address(manifest, "ttl.example.com") == ["203.0.113.202"], 2)
    assert address(manifest, "ttl.example.com", "resolver") == ["203.0.113.201"]
    eventually(lambda: address(manifest, "ttl.example.com", "resolver") == ["203.0.113.202"], 4)


def test_dns_over_tcp_and_what_is_not_ours_is_refused(manifest: Manifest) -> None:
    host, port = manifest.dns["authoritative"]
    reply = DNSRecord.parse(DNSRecord.question("example.com", "SOA").send(host, port, tcp=True, timeout=3))
    assert reply.header.rcode == 0
    assert reply.header.aa == 1
    assert len(reply.rr) == 1
    foreign = DNSRecord.parse(DNSRecord.question("example.net").send(host, port, timeout=3))
    assert foreign.header.rcode == 5
    missing = DNSRecord.parse(DNSRecord.question("nothing.example.com").send(host, port, timeout=3))
    assert missing.header.rcode == 3


def test_the_application_does_what_its_interface_says(manifest: Manifest, lab: LabClient) -> None:
    where = old_route(manifest, lab)

    def call(method: str, path: str, **sent: Any) -> tuple[int, Any]:
        return ask(where, manifest, "api.example.com", method, path, **sent)

    account = {"email": "someone@example.com", "password": "secret enough"}
    assert call("POST", "/api/v1/auth/register", body=account)[0] == 201
    assert call("POST", "/api/v1/auth/register", body=account)[0] == 409
    assert call("POST", "/api/v1/auth/login", body={**account, "password": "wrong"})[0] == 401
    token = call("POST", "/api/v1/auth/login", body=account)[1]["token"]
    assert call("GET", "/api/v1/habits", token="a.b.c")[0] == 401
    habit = call("POST", "/api/v1/habits", token=token, body={"name": "read"})[1]["id"]
    assert call("PUT", f"/api/v1/habits/{habit}", token=token, body={"name": "read more"})[0] == 200
    assert call("GET", "/api/v1/habits", token=token)[1] == [{"id": habit, "name": "read more"}]
    write = {"client_ref": "9f2d6f3a-3c3e-4c67-8f0e-0a5f0d1c2b3a"}
    for _ in range(2):
        assert call("POST", f"/api/v1/habits/{habit}/completions", token=token, body=write)[0] == 201
    assert call("POST", f"/api/v1/habits/{habit}/completions", token=token, body={})[0] == 400
    assert call("DELETE", f"/api/v1/habits/{habit}", token=token)[0] == 200
    assert call("DELETE", "/api/v1/account", token=token)[0] == 200
    assert call("GET", "/nowhere")[0] == 404


def test_silence_of_a_container_service_can_be_measured(aws: Clients) -> None:
    lightsail = aws("lightsail")

    def cpu(name: str) -> float:
        points = lightsail.get_container_service_metric_data(
            serviceName=name,
            metricName="CPUUtilization",
            startTime=time.time() - 3,
            endTime=time.time(),
            period=60,
            statistics=["Average"],
        )["metricData"]
        return max((float(point["average"]) for point in points), default=0.0)

    eventually(lambda: cpu("habitcraft-backend") > 1.0, 10)


def test_a_killed_supervisor_takes_everything_with_it(tmp_path: Path) -> None:
    folder = tmp_path / "twin"
    found = client.start(folder, {**SPEC, "traffic": {"enabled": False}})
    source = LabClient.of(found).route(found.variables["source_database_host"], 5432)
    assert source is not None
    os.kill(found.pid, signal.SIGKILL)

    def gone() -> bool:
        try:
            socket.create_connection(source, 1).close()
        except OSError:
            pass
        else:
            return False
        lines = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if _readable(path)]
        return not any(str(folder).encode() in line for line in lines)

    eventually(gone, 15)
    with pytest.raises(LabError, match="has ended"):
        client.start(folder, SPEC)


def _readable(path: Path) -> bool:
    try:
        path.read_bytes()
    except OSError:
        return False
    return True
