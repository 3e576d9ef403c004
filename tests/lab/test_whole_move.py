"""A whole move on the twin by hand, with boto3 in Terraform's place: each wire that is missing shows."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import psycopg
import pytest
from botocore.exceptions import ClientError

from migrator.lab import client
from migrator.lab.client import LabClient, Manifest
from tests.lab.conftest import SPEC, clients_of
from tests.lab.pushing import RegistryDoor, push
from tests.lab.test_emulator import eventually
from tests.lab.test_twin import HOST, Clients, address, ask

pytestmark = pytest.mark.engine


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
        scene = Scene(aws, lab, manifest)
        _wire_by_wire(scene)
        _turn_healthy(scene)
        _refresh(scene)
        _grow_and_shrink(scene)
        _take_the_schema_over(scene)
        _switch(scene)
        _reckon(lab)
        _retire(aws, lab, manifest)
    finally:
        leftovers, violations = (lab.violations(), lab.stop())[::-1]
    assert (leftovers, violations) == ([], [])
    assert not folder.exists()
    eventually(lambda: not manifest.alive, 5)


class Scene:
    """One backend on the new platform: its image, database, load balancer and secrets."""

    def __init__(self, aws: Clients, lab: LabClient, manifest: Manifest) -> None:
        self.aws, self.lab, self.manifest = aws, lab, manifest
        self.world = World(aws, lab, manifest)
        image = self.world.image("backend")
        self.database_address, self.database, self.master = self.world.database()
        _, self.dns_name, self.target_group = self.world.balancer()
        secrets = aws("secretsmanager")
        self.database_secret = secrets.create_secret(Name="new/database")["ARN"]
        self.application_secret = secrets.create_secret(Name="new/application", SecretString="{}")["ARN"]
        self.user_data = (
            "#!/bin/bash\ncat > /etc/x/service.env <<'EOF'\nSERVICE=backend\n"
            f"IMAGE={image}\nPORT=3000\nDATABASE_SECRET_ARN={self.database_secret}\n"
            f"APPLICATION_SECRET_ARN={self.application_secret}\nEOF\n"
        )
        self.template = self.world.group(self.user_data, self.target_group)
        self.instance = next(iter(self.states()))
        self.front: tuple[str, int] = ("", 0)

    def states(self) -> dict[str, str]:
        return self.world.states(self.target_group)

    def reason(self) -> str:
        return str(self.lab.health()["stand_ins"].get(self.instance, {}).get("reason", ""))

    def put(self, secret: str, values: dict[str, Any]) -> None:
        self.aws("secretsmanager").put_secret_value(SecretId=secret, SecretString=json.dumps(values))

    def ask(self, host: str, method: str, path: str, **sent: Any) -> int:
        return ask(self.front, self.manifest, host, method, path, **sent)[0]

    def connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(
            host=self.database[0],
            port=self.database[1],
            user=self.master["username"],
            password=self.master["password"],
            dbname="habitcraft",
            autocommit=True,
        )


def _wire_by_wire(scene: Scene) -> None:
    """Each wire that is missing shows, and the last one lets the service start."""
    eventually(lambda: "DATABASE_SECRET_ARN" in scene.reason(), 10)
    assert scene.states()[scene.instance] in ("initial", "unhealthy")
    nowhere = {
        "host": "nowhere.example.com",
        "port": 5432,
        "dbname": "habitcraft",
        "username": "app",
        "password": "pw",
    }
    right = {**nowhere, "host": scene.database_address}
    scene.put(scene.database_secret, right)
    eventually(lambda: "APPLICATION_SECRET_ARN: the secret lacks JWT_SECRET" in scene.reason(), 10)
    jwt = Path(scene.manifest.variables["jwt_secret"].removeprefix("file:")).read_text()
    scene.put(scene.application_secret, {"JWT_SECRET": jwt})
    scene.put(scene.database_secret, nowhere)
    eventually(lambda: "leads nowhere" in scene.reason(), 10)
    scene.put(scene.database_secret, right)
    eventually(lambda: scene.lab.health()["stand_ins"][scene.instance]["running"], 10)
    eventually(lambda: scene.states()[scene.instance] == "unhealthy", 10)


def _turn_healthy(scene: Scene) -> None:
    """It runs, but its role is not there: unhealthy until it is."""
    scene.front = eventually(lambda: scene.lab.route(scene.dns_name, 443), 5)
    assert scene.ask("api.example.com", "GET", "/health") == 503
    with scene.connect() as connection:
        row = connection.execute(
            "SELECT rolsuper, rolcreaterole FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
        assert row == (False, True)
        connection.execute("CREATE ROLE app LOGIN PASSWORD 'pw'")
    eventually(lambda: scene.states()[scene.instance] == "healthy", 10)
    assert scene.ask("api.example.com", "GET", "/health") == 200
    assert scene.ask("www.example.com", "GET", "/") == 404


def _refresh(scene: Scene) -> None:
    """A new version of the template reaches the service only by a refresh, one instance at a time."""
    scene.aws("ec2").create_launch_template_version(
        LaunchTemplateId=scene.template,
        LaunchTemplateData={
            "ImageId": "ami-12c6146b",
            "InstanceType": "t3.small",
            "UserData": _base64(scene.user_data + "# 2\n"),
        },
    )
    autoscaling = scene.aws("autoscaling")
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
    assert scene.instance not in scene.states()
    assert scene.ask("api.example.com", "GET", "/health") == 200


def _grow_and_shrink(scene: Scene) -> None:
    autoscaling = scene.aws("autoscaling")
    autoscaling.set_desired_capacity(AutoScalingGroupName="backend", DesiredCapacity=2)
    eventually(lambda: sorted(scene.states().values()) == ["healthy", "healthy"], 10)
    autoscaling.set_desired_capacity(AutoScalingGroupName="backend", DesiredCapacity=1)
    assert len(scene.states()) == 1


def _take_the_schema_over(scene: Scene) -> None:
    _copy(scene.manifest, scene.lab, scene.database, scene.master)
    with scene.connect() as connection:
        for (schema,) in connection.execute(
            "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'"
        ).fetchall():
            connection.execute(f"GRANT USAGE ON SCHEMA {schema} TO app")
            connection.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA {schema} TO app")
            connection.execute(f"GRANT ALL ON ALL SEQUENCES IN SCHEMA {schema} TO app")
    account = {"email": "first@example.com", "password": "secret enough"}
    assert eventually(
        lambda: scene.ask("api.example.com", "POST", "/api/v1/auth/register", body=account) in (201, 409), 5
    )


def _switch(scene: Scene) -> None:
    """The name changes hands: clients follow when their answer has aged."""
    old = {
        "Name": "api.example.com",
        "Type": "CNAME",
        "TTL": 2,
        "ResourceRecords": [{"Value": scene.manifest.variables["backend_service_host"]}],
    }
    new = {
        "Name": "api.example.com",
        "Type": "A",
        "AliasTarget": {
            "DNSName": scene.dns_name,
            "HostedZoneId": "Z2P70J7EXAMPLE",
            "EvaluateTargetHealth": True,
        },
    }
    scene.aws("route53").change_resource_record_sets(
        HostedZoneId=scene.manifest.variables["hosted_zone_id"],
        ChangeBatch={
            "Changes": [
                {"Action": "DELETE", "ResourceRecordSet": old},
                {"Action": "CREATE", "ResourceRecordSet": new},
            ]
        },
    )
    eventually(lambda: scene.lab.traffic().get("served_by", {}).get("new", 0) > 5, 15)
    assert len(address(scene.manifest, "api.example.com")) == 2


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
