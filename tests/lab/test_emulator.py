"""The emulated account where it was changed: each adaptation of moto has its test here."""

from __future__ import annotations

import base64
import json
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from migrator.lab.client import LabClient, Manifest
from tests.lab.pushing import RegistryDoor, push

pytestmark = pytest.mark.engine
Clients = Callable[[str], Any]


def eventually(what: Callable[[], Any], seconds: float = 15.0) -> Any:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = what()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds} s: {what}")


def test_the_account_is_the_one_of_the_spec(aws: Clients) -> None:
    assert aws("sts").get_caller_identity()["Account"] == "111122223333"


def test_an_unknown_operation_is_refused_with_4xx(aws: Clients) -> None:
    with pytest.raises(ClientError) as caught:
        aws("elasticache").create_cache_parameter_group(
            CacheParameterGroupName="x", CacheParameterGroupFamily="redis7", Description="d"
        )
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    with pytest.raises(ClientError) as caught:
        aws("lightsail").get_disks()
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_every_call_is_recorded_without_its_body(aws: Clients, lab_folder: Path) -> None:
    canary = uuid.uuid4().hex
    aws("secretsmanager").create_secret(Name=f"canary-{canary[:4]}", SecretString=canary)
    text = (lab_folder / "aws-calls.jsonl").read_text()
    assert canary not in text
    last = json.loads(text.splitlines()[-1])
    assert (last["service"], last["operation"], last["status"]) == ("secretsmanager", "CreateSecret", 200)


def test_the_old_world_is_there_with_tags(aws: Clients, manifest: Manifest) -> None:
    services = {
        entry["containerServiceName"]: entry
        for entry in aws("lightsail").get_container_services()["containerServices"]
    }
    assert set(services) == {"habitcraft-backend", "habitcraft-frontend"}
    backend = services["habitcraft-backend"]
    environment = backend["currentDeployment"]["containers"]["backend"]["environment"]
    assert {"DB_HOST", "DB_PORT", "DB_NAME", "DB_USER", "DB_PASSWORD", "JWT_SECRET", "NODE_ENV"} <= set(
        environment
    )
    assert (backend["state"], backend["resourceType"]) == ("RUNNING", "ContainerService")
    assert {"key": "Project", "value": "habitcraft"} in backend["tags"]
    assert aws("lightsail").is_vpc_peered()["isPeered"] is True
    assert aws("lightsail").get_relational_databases()["relationalDatabases"] == []
    assert len(aws("lightsail").get_certificates()["certificates"]) == 2
    old = aws("rds").describe_db_instances(DBInstanceIdentifier="habitcraft-db")["DBInstances"][0]
    assert old["Endpoint"]["Address"] == manifest.variables["source_database_host"]
    zone = manifest.variables["hosted_zone_id"]
    names = {
        entry["Name"]: entry
        for entry in aws("route53").list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    }
    assert names["api.example.com."]["TTL"] == 2
    assert manifest.variables["backend_service_host"] in backend["url"]


def _change(name: str, value: str, action: str, ttl: int = 60) -> dict[str, Any]:
    record = {"Name": name, "Type": "TXT", "TTL": ttl, "ResourceRecords": [{"Value": f'"{value}"'}]}
    return {"Action": action, "ResourceRecordSet": record}


def test_a_batch_is_exact_all_or_nothing_and_takes_a_moment(aws: Clients, manifest: Manifest) -> None:
    route53, zone = aws("route53"), manifest.variables["hosted_zone_id"]

    def batch(*changes: dict[str, Any]) -> Any:
        return route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": list(changes)})

    def value() -> list[str]:
        listed = route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
        return [
            entry["ResourceRecords"][0]["Value"] for entry in listed if entry["Name"] == "_cas.example.com."
        ]

    change = batch(_change("_cas.example.com", "one", "CREATE"))["ChangeInfo"]
    assert change["Status"] == "PENDING"
    eventually(lambda: route53.get_change(Id=change["Id"])["ChangeInfo"]["Status"] == "INSYNC", 3)
    swap = (_change("_cas.example.com", "one", "DELETE"), _change("_cas.example.com", "two", "CREATE"))
    for wrong in (
        [_change("_other.example.com", "x", "CREATE"), _change("_cas.example.com", "WRONG", "DELETE")],
        [_change("_other.example.com", "x", "CREATE"), _change("_cas.example.com", "one", "DELETE", ttl=61)],
        [_change("_other.example.com", "x", "CREATE"), _change("_cas.example.com", "again", "CREATE")],
    ):
        with pytest.raises(ClientError, match="InvalidChangeBatch"):
            batch(*wrong)
    names = {
        entry["Name"] for entry in route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    }
    assert "_other.example.com." not in names
    batch(*swap)
    assert value() == ['"two"']
    with pytest.raises(ClientError, match="InvalidChangeBatch"):
        batch(*swap)
    assert value() == ['"two"']
    batch(_change("_cas.example.com", "two", "DELETE"))


def test_a_certificate_is_issued_only_when_its_record_is_in_the_zone(
    aws: Clients, manifest: Manifest
) -> None:
    acm, zone = aws("acm"), manifest.variables["hosted_zone_id"]
    arn = acm.request_certificate(DomainName="t.example.com", ValidationMethod="DNS")["CertificateArn"]

    def status() -> str:
        return str(acm.describe_certificate(CertificateArn=arn)["Certificate"]["Status"])

    time.sleep(0.4)
    assert status() == "PENDING_VALIDATION"
    record = acm.describe_certificate(CertificateArn=arn)["Certificate"]["DomainValidationOptions"][0][
        "ResourceRecord"
    ]
    wanted = {
        "Name": record["Name"],
        "Type": "CNAME",
        "TTL": 5,
        "ResourceRecords": [{"Value": record["Value"]}],
    }
    aws("route53").change_resource_record_sets(
        HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": "UPSERT", "ResourceRecordSet": wanted}]}
    )
    eventually(lambda: status() == "ISSUED", 3)


def test_registry_takes_pushes_for_emulated_repositories_only(
    aws: Clients, lab: LabClient, manifest: Manifest, tmp_path: Path
) -> None:
    ecr = aws("ecr")
    token = ecr.get_authorization_token()["authorizationData"][0]
    host = token["proxyEndpoint"].removeprefix("https://")
    where = lab.route(host, 443)
    assert where is not None
    credentials = base64.b64decode(token["authorizationToken"]).decode()
    door = RegistryDoor(host, where[1], manifest.ca_file, credentials)
    layout = Path(manifest.variables["backend_image"].removeprefix("oci:"))
    assert door.request("GET", "/v2/")[0] == 200
    assert RegistryDoor(host, where[1], manifest.ca_file, "AWS:wrong").request("GET", "/v2/")[0] == 401
    assert door.request("POST", "/v2/never-made/blobs/uploads/")[0] == 404

    ecr.create_repository(
        repositoryName="pushed",
        imageTagMutability="IMMUTABLE",
        imageScanningConfiguration={"scanOnPush": True},
    )
    status, digest = push(door, "pushed", layout, "1.0.0")
    assert (status, digest) == (201, manifest.variables["backend_image_digest"])
    assert push(door, "pushed", layout, "1.0.0")[0] == 201
    assert push(door, "pushed", layout, None)[0] == 201

    image = ecr.describe_images(repositoryName="pushed")["imageDetails"][0]
    assert (image["imageDigest"], image["imageTags"]) == (digest, ["1.0.0"])
    status, headers, content = door.request("GET", f"/v2/pushed/manifests/{digest}")
    assert (status, headers["docker-content-digest"]) == (200, digest)
    got = ecr.batch_get_image(repositoryName="pushed", imageIds=[{"imageDigest": digest}])["images"][0]
    assert got["imageManifest"].encode() == content
    scan = ecr.describe_image_scan_findings(repositoryName="pushed", imageId={"imageDigest": digest})
    assert (scan["imageScanStatus"]["status"], scan["imageScanFindings"]["findings"]) == ("COMPLETE", [])

    other = Path(manifest.variables["frontend_image"].removeprefix("oci:"))
    assert push(door, "pushed", other, "1.0.0")[0] == 400
    ecr.batch_delete_image(repositoryName="pushed", imageIds=[{"imageDigest": digest}])
    assert door.request("GET", f"/v2/pushed/manifests/{digest}")[0] == 404


def test_a_layer_that_is_not_what_it_says_is_refused(
    aws: Clients, lab: LabClient, manifest: Manifest
) -> None:
    aws("ecr").create_repository(repositoryName="strict")
    host = "111122223333.dkr.ecr.us-west-2.amazonaws.com"
    where = lab.route(host, 443)
    assert where is not None
    door = RegistryDoor(host, where[1], manifest.ca_file)
    _, headers, _ = door.request("POST", "/v2/strict/blobs/uploads/")
    assert door.request("PUT", f"{headers['location']}?digest=sha256:{'0' * 64}", b"something")[0] == 400
    absent = {"schemaVersion": 2, "config": {"digest": f"sha256:{'1' * 64}"}, "layers": []}
    assert door.request("PUT", "/v2/strict/manifests/x", json.dumps(absent).encode())[0] == 400


def test_lightsail_lives_through_its_cycle(aws: Clients) -> None:
    lightsail = aws("lightsail")
    made = lightsail.create_container_service(serviceName="short", power="nano", scale=1)["containerService"]
    assert made["state"] == "READY"
    container = {"image": "i:1", "environment": {"PORT": "80"}, "ports": {"80": "HTTP"}}
    lightsail.create_container_service_deployment(
        serviceName="short",
        containers={"web": container},
        publicEndpoint={"containerName": "web", "containerPort": 80},
    )

    def state() -> str:
        return str(lightsail.get_container_services(serviceName="short")["containerServices"][0]["state"])

    assert state() == "DEPLOYING"
    eventually(lambda: state() == "RUNNING", 4)
    assert len(lightsail.get_container_service_deployments(serviceName="short")["deployments"]) == 1
    lightsail.tag_resource(resourceName="short", tags=[{"key": "a", "value": "b"}])
    lightsail.update_container_service(serviceName="short", isDisabled=True)
    assert state() == "DISABLED"
    lightsail.delete_container_service(serviceName="short")
    with pytest.raises(ClientError, match="NotFound"):
        lightsail.get_container_services(serviceName="short")
    with pytest.raises(ClientError, match="NotFound"):
        lightsail.delete_container_service(serviceName="short")
