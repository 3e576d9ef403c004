"""Runs that are killed on purpose, and the world that they leave."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import psycopg
from botocore.config import Config

from migrator.lab.client import LabClient, Manifest, read_manifest

Record = Mapping[str, Any]
Moment = Callable[[Record], bool]
NEW_NAMESPACE = ("unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh")
MIGRATOR = (sys.executable, "-m", "migrator")


def at(kind: str, step: str = "", label: str = "") -> Moment:
    """A moment: the record of this kind, of this step, of a child with this in its label."""

    def matches(record: Record) -> bool:
        if record["kind"] != kind or (step and record.get("step") != step):
            return False
        return not label or label in str(record.get("child", {}).get("label", ""))

    return matches


@dataclass
class Run:
    """One rehearsal in a folder of its own, led through the command line as a user would.

    With `isolated` it lives in a network namespace in which only loopback is up.
    """

    base: Path
    isolated: bool = False
    folder: Path = Path()

    def begin(self, target: str) -> subprocess.Popen[str]:
        """Starts `migrator rehearse` and finds its run folder."""
        viewer = self._spawn("rehearse", target)
        self.folder = _wait_for(
            lambda: next(iter(self.base.glob(".migrator/runs/*/journal.db")), None)
        ).parent
        return viewer

    def resume(self) -> subprocess.Popen[str]:
        """Starts `migrator resume`."""
        return self._spawn("resume", self.folder.name)

    def _spawn(self, *arguments: str) -> subprocess.Popen[str]:
        with (self.base / "output.txt").open("a", encoding="utf-8") as output:
            return subprocess.Popen(
                [*self._before(), *MIGRATOR, *arguments],
                cwd=self.base,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
            )

    def _before(self) -> tuple[str, ...]:
        """What stands before a command so that it runs where the run lives."""
        if not self.isolated:
            return ()
        manifest = read_manifest(self.folder / "lab") if self.folder.name else None
        if manifest is None or not manifest.alive:
            return NEW_NAMESPACE
        return ("nsenter", "--target", str(manifest.pid), "--net")

    def observe(self, instance: str, database: str) -> tuple[dict[str, Any], dict[str, str]]:
        """The world and the twin's secrets, read by a process that lives where the run lives."""
        done = subprocess.run(
            [
                *self._before(),
                sys.executable,
                "-m",
                "tests.rehearsal.observe",
                self.folder,
                instance,
                database,
            ],
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        return found["world"], found["secrets"]

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command that ends by itself."""
        return subprocess.run(
            [*self._before(), *MIGRATOR, *arguments],
            cwd=self.base,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def records(self) -> list[dict[str, Any]]:
        """The journal's records, read without the product's code."""
        address = f"file:{self.folder / 'journal.db'}?mode=ro"
        with contextlib.closing(sqlite3.connect(address, uri=True, timeout=10)) as db:
            try:
                rows = db.execute("SELECT seq, at, kind, body FROM records ORDER BY seq").fetchall()
            except sqlite3.OperationalError:  # made a moment ago, its tables not yet
                return []
        return [{**json.loads(body), "seq": seq, "at": at, "kind": kind} for seq, at, kind, body in rows]

    def kill_at(self, moment: Moment, delay_seconds: float = 0.0, limit_seconds: float = 240.0) -> str:
        """`kill -9` to the runner as soon as a new record fits (and a little later); says what was hit."""
        seen = 0
        until = time.monotonic() + limit_seconds
        while time.monotonic() < until:
            records = self.records()
            for record in records[seen:]:
                if moment(record):
                    time.sleep(delay_seconds)
                    self.kill()
                    return f"{record['kind']} {record.get('step', '')}"
            seen = len(records)
            time.sleep(0.01)
        raise AssertionError(f"the moment did not come; the run said:\n{self.output()}")

    def kill(self) -> None:
        """`kill -9` to the living runner and to nothing else."""
        os.kill(self.runner_pid(), signal.SIGKILL)

    def runner_pid(self) -> int:
        """The pid of the last runner that was started."""
        return int([r["pid"] for r in self.records() if r["kind"] == "runner_started"][-1])

    def output(self) -> str:
        """What the viewers printed."""
        return self.printed()[-6000:]

    def printed(self) -> str:
        """Everything that the viewers printed."""
        return (self.base / "output.txt").read_text(encoding="utf-8", errors="replace")

    def report(self) -> dict[str, Any]:
        """report.json."""
        found: dict[str, Any] = json.loads((self.folder / "report.json").read_text(encoding="utf-8"))
        return found

    def lab(self) -> Manifest:
        """The twin's manifest."""
        manifest = read_manifest(self.folder / "lab")
        assert manifest is not None
        return manifest

    def discard(self) -> None:
        """Ends whatever is left after a failed test."""
        if not self.folder.name:
            return
        self.command("abort", self.folder.name)
        manifest = read_manifest(self.folder / "lab")
        if manifest is not None and manifest.alive:
            LabClient.of(manifest).stop()


def finish(viewer: subprocess.Popen[str], seconds: float = 420.0) -> int:
    """Waits for a viewer; its exit code."""
    try:
        return viewer.wait(seconds)
    except subprocess.TimeoutExpired:
        viewer.kill()
        raise


def _wait_for(look: Callable[[], Any], seconds: float = 30.0) -> Any:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = look()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError("it did not appear in time")


# --- the world ------------------------------------------------------------------------------------------------


def world(manifest: Manifest, instance: str, database: str) -> dict[str, Any]:
    """What an observer compares: resources by name with counts, states, rows, zone, locks. No random ids."""
    aws = Account(manifest)
    return {
        "resources": aws.resources(),
        "state": aws.states(),
        "locks": aws.locks(),
        "zone": aws.zone(),
        "rows": _rows(manifest, instance, database),
        "databases": _databases(manifest, instance),
    }


class Account:
    def __init__(self, manifest: Manifest) -> None:
        self._settings = {
            "endpoint_url": manifest.aws["endpoint"],
            "region_name": manifest.aws["region"],
            "aws_access_key_id": manifest.aws["access_key_id"],
            "aws_secret_access_key": manifest.aws["secret_access_key"],
            "config": Config(retries={"total_max_attempts": 2}),
        }

    def _call(self, service: str, operation: str, key: str, **parameters: Any) -> list[Any]:
        found: Any = getattr(boto3.client(service, **self._settings), operation)(**parameters)
        for part in key.split("."):
            found = found[part]
        return list(found)

    def instance(self, name: str) -> dict[str, str]:
        """Address and master credentials of a database instance."""
        (found,) = self._call("rds", "describe_db_instances", "DBInstances", DBInstanceIdentifier=name)
        manager = boto3.client("secretsmanager", **self._settings)
        secret = manager.get_secret_value(
            SecretId=found["MasterUserSecret"]["SecretArn"], VersionStage="AWSCURRENT"
        )
        return {"host": found["Endpoint"]["Address"], **json.loads(secret["SecretString"])}

    def secret_values(self) -> dict[str, str]:
        """Every secret's present text by name."""
        manager = boto3.client("secretsmanager", **self._settings)
        names = [secret["Name"] for secret in self._call("secretsmanager", "list_secrets", "SecretList")]
        return {
            n: manager.get_secret_value(SecretId=n, VersionStage="AWSCURRENT")["SecretString"] for n in names
        }

    def resources(self) -> dict[str, int]:
        """How many there are of each kind and name."""
        rows: list[str] = []
        for service, operation, key, name in _LISTS:
            rows += [
                f"{service}.{operation} {_name(item, name)}" for item in self._call(service, operation, key)
            ]
        for repository in self._call("ecr", "describe_repositories", "repositories"):
            images = self._call("ecr", "list_images", "imageIds", repositoryName=repository["repositoryName"])
            rows += [f"image {repository['repositoryName']} {image['imageDigest']}" for image in images]
        return dict(sorted(Counter(rows).items()))

    def states(self) -> dict[str, list[str]]:
        """The addresses in each Terraform state."""
        s3 = boto3.client("s3", **self._settings)
        found = {}
        for bucket in self._call("s3", "list_buckets", "Buckets"):
            for item in s3.list_objects_v2(Bucket=bucket["Name"]).get("Contents", []):
                if item["Key"].endswith(".tflock"):
                    continue
                state = json.loads(s3.get_object(Bucket=bucket["Name"], Key=item["Key"])["Body"].read())
                found[item["Key"]] = sorted(
                    f"{r.get('module', '')}.{r['type']}.{r['name']} x{len(r['instances'])}"
                    for r in state.get("resources", [])
                    if r["mode"] == "managed"
                )
        return found

    def locks(self) -> list[str]:
        """Locks that nobody let go."""
        s3 = boto3.client("s3", **self._settings)
        left = []
        for bucket in self._call("s3", "list_buckets", "Buckets"):
            contents = s3.list_objects_v2(Bucket=bucket["Name"]).get("Contents", [])
            left += [item["Key"] for item in contents if item["Key"].endswith(".tflock")]
        for table in self._call("dynamodb", "list_tables", "TableNames"):
            items = self._call("dynamodb", "scan", "Items", TableName=table)
            left += [item["LockID"]["S"] for item in items if not item["LockID"]["S"].endswith("-md5")]
        return left

    def zone(self) -> list[str]:
        """Every record of every zone; load balancers by name, validation records without their random parts."""
        found = []
        for zone in self._call("route53", "list_hosted_zones", "HostedZones"):
            records = self._call(
                "route53", "list_resource_record_sets", "ResourceRecordSets", HostedZoneId=zone["Id"]
            )
            for record in records:
                record.get("AliasTarget", {}).pop("HostedZoneId", None)
                found.append(_without_random(json.dumps(record, sort_keys=True)))
        return sorted(found)


def _without_random(text: str) -> str:
    text = re.sub(r"_[0-9a-f]{8,}", "_random", text)
    return re.sub(r"\b[0-9a-f]{8,}\b|aaaaaaaaaa|-\d{6,}\.", "random", text)


_LISTS = (
    ("s3", "list_buckets", "Buckets", "Name"),
    ("dynamodb", "list_tables", "TableNames", ""),
    ("secretsmanager", "list_secrets", "SecretList", "Name"),
    ("ec2", "describe_vpcs", "Vpcs", "CidrBlock"),
    ("ec2", "describe_subnets", "Subnets", "CidrBlock"),
    ("ec2", "describe_security_groups", "SecurityGroups", "GroupName"),
    ("ec2", "describe_security_group_rules", "SecurityGroupRules", "tag"),
    ("ec2", "describe_internet_gateways", "InternetGateways", "tag"),
    ("ec2", "describe_route_tables", "RouteTables", "tag"),
    ("ec2", "describe_launch_templates", "LaunchTemplates", "LaunchTemplateName"),
    ("autoscaling", "describe_auto_scaling_groups", "AutoScalingGroups", "AutoScalingGroupName"),
    ("elbv2", "describe_load_balancers", "LoadBalancers", "LoadBalancerName"),
    ("elbv2", "describe_target_groups", "TargetGroups", "TargetGroupName"),
    ("acm", "list_certificates", "CertificateSummaryList", "DomainName"),
    ("rds", "describe_db_instances", "DBInstances", "DBInstanceIdentifier"),
    ("iam", "list_roles", "Roles", "RoleName"),
    ("sns", "list_topics", "Topics", "TopicArn"),
    ("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
    ("lightsail", "get_container_services", "containerServices", "containerServiceName"),
    ("route53", "list_hosted_zones", "HostedZones", "Name"),
)


def _name(item: Any, key: str) -> str:
    if not key:
        return str(item)
    if key == "tag":
        tags = {tag["Key"]: tag["Value"] for tag in item.get("Tags", [])}
        return str(tags.get("Name") or f"untagged {item.get('IsEgress', '')}")
    return re.sub(r"[0-9a-f-]{20,}|(?<=-)20\d{12,}\w*", "random", str(item[key]))


def _connect(manifest: Manifest, instance: str, database: str) -> psycopg.Connection[Any]:
    found = Account(manifest).instance(instance)
    route = LabClient.of(manifest).route(found["host"], 5432)
    assert route is not None
    return psycopg.connect(
        host=route[0], port=route[1], dbname=database, user=found["username"], password=found["password"]
    )


def _databases(manifest: Manifest, instance: str) -> list[str]:
    with _connect(manifest, instance, "postgres") as connection:
        rows = connection.execute(
            "SELECT datname FROM pg_database WHERE NOT datistemplate ORDER BY 1"
        ).fetchall()
    return [str(name) for (name,) in rows]


def _rows(manifest: Manifest, instance: str, database: str) -> dict[str, str]:
    found = {}
    with _connect(manifest, instance, database) as connection:
        tables = connection.execute(
            "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE c.relkind IN ('r', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema')"
            " AND n.nspname !~ '^pg_' ORDER BY 1"
        ).fetchall()
        for (table,) in tables:
            # The twin's visitor signs in anew in every run.
            but = " WHERE email NOT LIKE 'visitor@%'" if table == "public.users" else ""
            sums = "count(*), md5(string_agg(md5(t::text), '' ORDER BY md5(t::text)))"
            row = connection.execute(f"SELECT {sums} FROM {table} t{but}".encode()).fetchone()
            found[str(table)] = f"{row[0]} {row[1]}" if row else ""
    return found


def same_story(report: dict[str, Any]) -> dict[str, Any]:
    """A report without what differs between two honest runs: times, attempts, ids, measured traffic."""
    phases = [
        {
            "id": p["id"],
            "status": p["status"],
            "steps": [(s["id"], s["status"], s["action"]) for s in p["steps"]],
        }
        for p in report["phases"]
    ]
    database = {k: report["database"].get(k) for k in ("tables", "rows")}
    checks = sorted((c["name"], c["ok"]) for c in report["database"].get("checks", []))
    terraform = sorted((t["stack"], t["added"], t["changed"], t["destroyed"]) for t in report["terraform"])
    return {
        "outcome": report["outcome"],
        "phases": phases,
        "database": database,
        "checks": checks,
        "terraform": terraform,
        "images": report["images"],
        "dns": [_without_random(json.dumps(d, sort_keys=True)) for d in report["dns"]],
        "leftovers": report["leftovers"],
        "outside_contacts": report["outside_contacts"],
        "points_of_no_return": sorted(report["point_of_no_return"]),
    }
