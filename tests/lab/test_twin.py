"""The twin as a whole: a small migration by hand, old to new, with clients reading and writing all the time."""

from __future__ import annotations

import base64
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

import psycopg
import pytest
from botocore.exceptions import ClientError
from dnslib import DNSRecord

from migrator.lab import client
from migrator.lab.client import LabClient, LabError, Manifest
from tests.lab.conftest import SPEC, clients_of
from tests.lab.pushing import RegistryDoor, push
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


class World:
    """The new platform, made with boto3 as Terraform would make it."""

    def __init__(self, aws: Clients, lab: LabClient, manifest: Manifest) -> None:
        self.aws, self.lab, self.manifest = aws, lab, manifest
        ec2 = aws("ec2")
        self.subnets = [subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"][:2]]
        self.vpc = ec2.describe_subnets(SubnetIds=self.subnets[:1])["Subnets"][0]["VpcId"]

    def image(self, name: str) -> str:
        """Push one of the source images and name it by digest."""
        self.aws("ecr").create_repository(repositoryName=f"new-{name}")
        where = self.lab.route(HOST, 443)
        assert where is not None
        door = RegistryDoor(HOST, where[1], self.manifest.ca_file)
        layout = Path(self.manifest.variables[f"{name}_image"].removeprefix("oci:"))
        status, digest = push(door, f"new-{name}", layout, "1")
        assert status == 201
        return f"{HOST}/new-{name}@{digest}"

    def database(self) -> tuple[str, tuple[str, int], dict[str, str]]:
        """An RDS instance; its address, its route, its master's credentials."""
        rds = self.aws("rds")
        made = rds.create_db_instance(
            DBInstanceIdentifier="habitcraft-prod",
            DBInstanceClass="db.t4g.micro",
            Engine="postgres",
            AllocatedStorage=20,
            DBName="habitcraft",
            MasterUsername="habitcraft_admin",
            ManageMasterUserPassword=True,
        )["DBInstance"]
        assert made["DBInstanceStatus"] == "creating"

        def look() -> dict[str, Any]:
            found: dict[str, Any] = rds.describe_db_instances(DBInstanceIdentifier="habitcraft-prod")[
                "DBInstances"
            ][0]
            return found

        eventually(lambda: look()["DBInstanceStatus"] == "available", 5)
        address = look()["Endpoint"]["Address"]
        where = eventually(lambda: self.lab.route(address, 5432), 10)
        arn = look()["MasterUserSecret"]["SecretArn"]
        secret = json.loads(self.aws("secretsmanager").get_secret_value(SecretId=arn)["SecretString"])
        assert secret["username"] == "habitcraft_admin"
        return address, where, secret

    def balancer(self) -> tuple[str, str, str]:
        """Load balancer with listeners and a host rule; its ARN, DNS name and the backend's target group."""
        elb = self.aws("elbv2")
        certificate = self.aws("acm").request_certificate(
            DomainName="example.com", SubjectAlternativeNames=["*.example.com"], ValidationMethod="DNS"
        )["CertificateArn"]
        options = self.aws("acm").describe_certificate(CertificateArn=certificate)["Certificate"][
            "DomainValidationOptions"
        ]
        record = options[0]["ResourceRecord"]
        wanted = {
            "Name": record["Name"],
            "Type": "CNAME",
            "TTL": 5,
            "ResourceRecords": [{"Value": record["Value"]}],
        }
        self.aws("route53").change_resource_record_sets(
            HostedZoneId=self.manifest.variables["hosted_zone_id"],
            ChangeBatch={"Changes": [{"Action": "UPSERT", "ResourceRecordSet": wanted}]},
        )
        eventually(
            lambda: (
                self.aws("acm").describe_certificate(CertificateArn=certificate)["Certificate"]["Status"]
                == "ISSUED"
            ),
            5,
        )
        made = elb.create_load_balancer(Name="new", Subnets=self.subnets)["LoadBalancers"][0]
        group = elb.create_target_group(
            Name="backend",
            Protocol="HTTP",
            Port=3000,
            VpcId=self.vpc,
            HealthCheckPath="/health",
            HealthyThresholdCount=2,
        )["TargetGroups"][0]["TargetGroupArn"]
        listener = elb.create_listener(
            LoadBalancerArn=made["LoadBalancerArn"],
            Protocol="HTTPS",
            Port=443,
            Certificates=[{"CertificateArn": certificate}],
            DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}],
        )["Listeners"][0]["ListenerArn"]
        elb.create_rule(
            ListenerArn=listener,
            Priority=10,
            Conditions=[{"Field": "host-header", "Values": ["api.example.com"]}],
            Actions=[{"Type": "forward", "TargetGroupArn": group}],
        )
        return made["LoadBalancerArn"], made["DNSName"], group

    def group(self, user_data: str, target_group: str) -> str:
        """Launch template and Auto Scaling group with one instance; the template's id."""
        template = self.aws("ec2").create_launch_template(
            LaunchTemplateName="backend",
            LaunchTemplateData={
                "ImageId": "ami-12c6146b",
                "InstanceType": "t3.small",
                "UserData": _base64(user_data),
            },
        )["LaunchTemplate"]["LaunchTemplateId"]
        self.aws("autoscaling").create_auto_scaling_group(
            AutoScalingGroupName="backend",
            MinSize=1,
            MaxSize=2,
            DesiredCapacity=1,
            LaunchTemplate={"LaunchTemplateId": template, "Version": "$Latest"},
            VPCZoneIdentifier=",".join(self.subnets),
            TargetGroupARNs=[target_group],
        )
        return str(template)

    def states(self, target_group: str) -> dict[str, str]:
        """Target health as the interface tells it."""
        found = self.aws("elbv2").describe_target_health(TargetGroupArn=target_group)[
            "TargetHealthDescriptions"
        ]
        return {entry["Target"]["Id"]: entry["TargetHealth"]["State"] for entry in found}


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _copy(manifest: Manifest, lab: LabClient, target: tuple[str, int], master: dict[str, str]) -> None:
    """Dump the old database and restore it into the new one, as its master, with the clients' own programs."""
    source = lab.route(manifest.variables["source_database_host"], 5432)
    assert source is not None
    secret = Path(manifest.variables["source_admin_password_secret"].removeprefix("file:")).read_text()
    variables = {**os.environ, "PGPASSWORD": secret}
    dump = subprocess.run(
        [
            "pg_dump",
            "-h",
            source[0],
            "-p",
            str(source[1]),
            "-U",
            manifest.variables["source_admin_role"],
            "--no-owner",
            "--no-privileges",
            "--schema-only",
            manifest.variables["source_database_name"],
        ],
        env=variables,
        capture_output=True,
        text=True,
        check=True,
    )
    subprocess.run(
        ["psql", "-q", "-h", target[0], "-p", str(target[1]), "-U", master["username"], "-d", "habitcraft"],
        env={**os.environ, "PGPASSWORD": master["password"]},
        input=dump.stdout,
        text=True,
        capture_output=True,
        check=True,
    )


def test_a_whole_move_by_hand(tmp_path: Path) -> None:
    folder = tmp_path / "twin"
    manifest = client.start(folder, SPEC)
    lab, aws = LabClient.of(manifest), clients_of(manifest)
    try:
        _come_alive(aws, lab, manifest)
        _reckon(lab)
        _retire(aws, lab, manifest)
    finally:
        leftovers, violations = (lab.violations(), lab.stop())[::-1]
    assert (leftovers, violations) == ([], [])
    assert not folder.exists()
    eventually(lambda: not manifest.alive, 5)


def _come_alive(aws: Clients, lab: LabClient, manifest: Manifest) -> None:
    """Each wire that is missing shows, and the last one makes the target healthy."""
    world = World(aws, lab, manifest)
    image = world.image("backend")
    address_of_new, where, master = world.database()
    _, dns_name, target_group = world.balancer()
    secrets = aws("secretsmanager")
    database_secret = secrets.create_secret(Name="new/database")["ARN"]
    application_secret = secrets.create_secret(Name="new/application", SecretString="{}")["ARN"]
    user_data = (
        "#!/bin/bash\ncat > /etc/x/service.env <<'EOF'\nSERVICE=backend\n"
        f"IMAGE={image}\nPORT=3000\nDATABASE_SECRET_ARN={database_secret}\nAPPLICATION_SECRET_ARN={application_secret}\nEOF\n"
    )
    template = world.group(user_data, target_group)
    instance = next(iter(world.states(target_group)))

    def reason() -> str:
        return str(lab.health()["stand_ins"].get(instance, {}).get("reason", ""))

    eventually(lambda: "DATABASE_SECRET_ARN" in reason(), 10)
    assert world.states(target_group)[instance] in ("initial", "unhealthy")
    values = {
        "host": "nowhere.example.com",
        "port": 5432,
        "dbname": "habitcraft",
        "username": "app",
        "password": "pw",
    }
    secrets.put_secret_value(
        SecretId=database_secret, SecretString=json.dumps({**values, "host": address_of_new})
    )
    eventually(lambda: "APPLICATION_SECRET_ARN: the secret lacks JWT_SECRET" in reason(), 10)
    jwt = Path(manifest.variables["jwt_secret"].removeprefix("file:")).read_text()
    secrets.put_secret_value(SecretId=application_secret, SecretString=json.dumps({"JWT_SECRET": jwt}))
    secrets.put_secret_value(SecretId=database_secret, SecretString=json.dumps(values))
    eventually(lambda: "leads nowhere" in reason(), 10)
    secrets.put_secret_value(
        SecretId=database_secret, SecretString=json.dumps({**values, "host": address_of_new})
    )
    eventually(lambda: lab.health()["stand_ins"][instance]["running"], 10)
    eventually(lambda: world.states(target_group)[instance] == "unhealthy", 10)

    front = eventually(lambda: lab.route(dns_name, 443), 5)
    assert ask(front, manifest, "api.example.com", "GET", "/health")[0] == 503
    with psycopg.connect(
        host=where[0],
        port=where[1],
        user=master["username"],
        password=master["password"],
        dbname="habitcraft",
        autocommit=True,
    ) as connection:
        row = connection.execute(
            "SELECT rolsuper, rolcreaterole FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
        assert row == (False, True)
        connection.execute("CREATE ROLE app LOGIN PASSWORD 'pw'")
    eventually(lambda: world.states(target_group)[instance] == "healthy", 10)
    assert ask(front, manifest, "api.example.com", "GET", "/health")[0] == 200
    assert ask(front, manifest, "www.example.com", "GET", "/")[0] == 404

    # a new version of the template reaches the service only by a refresh, one instance at a time
    aws("ec2").create_launch_template_version(
        LaunchTemplateId=template,
        LaunchTemplateData={
            "ImageId": "ami-12c6146b",
            "InstanceType": "t3.small",
            "UserData": _base64(user_data + "# 2\n"),
        },
    )
    autoscaling = aws("autoscaling")
    refresh = autoscaling.start_instance_refresh(
        AutoScalingGroupName="backend", Preferences={"MinHealthyPercentage": 100}
    )["InstanceRefreshId"]
    with pytest.raises(ClientError, match="InProgress"):
        autoscaling.start_instance_refresh(AutoScalingGroupName="backend")

    def status() -> str:
        found = autoscaling.describe_instance_refreshes(
            AutoScalingGroupName="backend", InstanceRefreshIds=[refresh]
        )
        return str(found["InstanceRefreshes"][0]["Status"])

    eventually(lambda: status() not in ("Pending", "InProgress"), 20)
    assert status() == "Successful", autoscaling.describe_instance_refreshes(AutoScalingGroupName="backend")
    assert instance not in world.states(target_group)
    assert ask(front, manifest, "api.example.com", "GET", "/health")[0] == 200

    autoscaling.set_desired_capacity(AutoScalingGroupName="backend", DesiredCapacity=2)
    eventually(lambda: sorted(world.states(target_group).values()) == ["healthy", "healthy"], 10)
    autoscaling.set_desired_capacity(AutoScalingGroupName="backend", DesiredCapacity=1)
    assert len(world.states(target_group)) == 1

    _copy(manifest, lab, where, master)
    with psycopg.connect(
        host=where[0],
        port=where[1],
        user=master["username"],
        password=master["password"],
        dbname="habitcraft",
        autocommit=True,
    ) as connection:
        for (schema,) in connection.execute(
            "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'"
        ).fetchall():
            connection.execute(f"GRANT USAGE ON SCHEMA {schema} TO app")
            connection.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA {schema} TO app")
            connection.execute(f"GRANT ALL ON ALL SEQUENCES IN SCHEMA {schema} TO app")
    account = {"email": "first@example.com", "password": "secret enough"}
    assert eventually(
        lambda: (
            ask(front, manifest, "api.example.com", "POST", "/api/v1/auth/register", body=account)[0]
            in (201, 409)
        ),
        5,
    )

    # the name changes hands: clients follow when their answer has aged
    zone = manifest.variables["hosted_zone_id"]
    old = {
        "Name": "api.example.com",
        "Type": "CNAME",
        "TTL": 2,
        "ResourceRecords": [{"Value": manifest.variables["backend_service_host"]}],
    }
    new = {
        "Name": "api.example.com",
        "Type": "A",
        "AliasTarget": {"DNSName": dns_name, "HostedZoneId": "Z2P70J7EXAMPLE", "EvaluateTargetHealth": True},
    }
    aws("route53").change_resource_record_sets(
        HostedZoneId=zone,
        ChangeBatch={
            "Changes": [
                {"Action": "DELETE", "ResourceRecordSet": old},
                {"Action": "CREATE", "ResourceRecordSet": new},
            ]
        },
    )
    eventually(lambda: lab.traffic().get("served_by", {}).get("new", 0) > 5, 15)
    assert len(address(manifest, "api.example.com")) == 2


def _reckon(lab: LabClient) -> None:
    """Only the schema was copied: every write acknowledged by the old database is lost, and must be called so."""
    figures = lab.finish()
    assert figures["final"] is True
    assert figures["database"]["platform"] == "new"
    writes = figures["writes"]
    assert writes["acknowledged"] == writes["found"] + writes["lost"]
    assert writes["lost"] > 10
    assert writes["duplicated"] == 0
    assert figures["unavailable_seconds"] > 0
    assert lab.finish() == figures


def _retire(aws: Clients, lab: LabClient, manifest: Manifest) -> None:
    """Deleting the old platform stops it."""
    host = manifest.variables["backend_service_host"]
    aws("lightsail").delete_container_service(serviceName="habitcraft-backend")
    eventually(lambda: lab.route(host, 443) is None, 5)
    eventually(lambda: not any("habitcraft-backend" in name for name in lab.health()["stand_ins"]), 5)
    aws("lightsail").unpeer_vpc()
    assert aws("lightsail").is_vpc_peered()["isPeered"] is False
    aws("autoscaling").delete_auto_scaling_group(AutoScalingGroupName="backend", ForceDelete=True)
    eventually(lambda: not any(name.startswith("i-") for name in lab.health()["stand_ins"]), 5)
    world = World(aws, lab, manifest)
    rds = aws("rds")
    address_of_new = rds.describe_db_instances(DBInstanceIdentifier="habitcraft-prod")["DBInstances"][0][
        "Endpoint"
    ]["Address"]
    for _ in range(2):
        rds.delete_db_instance(DBInstanceIdentifier="habitcraft-prod", SkipFinalSnapshot=True)
        eventually(lambda: lab.route(address_of_new, 5432) is None, 5)
        _, where, master = world.database()
        with psycopg.connect(
            host=where[0],
            port=where[1],
            user=master["username"],
            password=master["password"],
            dbname="habitcraft",
        ) as connection:
            row = connection.execute("SELECT count(*) FROM pg_roles WHERE rolname = 'app'").fetchone()
        assert row == (0,)


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
