"""What can be found on this machine and in the account, to propose answers. Only looks, never for long."""

from __future__ import annotations

import configparser
import os
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from migrator.contracts.aws import Aws
from migrator.contracts.postgres import Database
from migrator.contracts.process import Command, Processes
from migrator.contracts.surroundings import Surroundings
from migrator.errors import MigratorError
from migrator.sanitize import clean_line

if TYPE_CHECKING:
    from migrator.tools.postgres import PostgresTool

T = TypeVar("T")

ENGINE_SECONDS = 4.0
TCP_SECONDS = 4.0
DATABASE_SECONDS = 15.0
_LOCAL_SECONDS = 0.3
_MOST = 50
_MOST_FOLDERS = 2_000


@dataclass(frozen=True)
class AwsProfile:
    """A profile of the AWS configuration files. `asks`: it may ask for a code or start a program."""

    name: str
    region: str = ""
    asks: bool = False


@dataclass(frozen=True)
class Zone:
    """A public hosted zone; `name` without the last dot."""

    id: str
    name: str


@dataclass
class AwsFacts:
    """What was read in the account; filled while it is read. `problems` says what could not be read."""

    account: str = ""
    zones: tuple[Zone, ...] = ()
    databases: tuple[tuple[str, int, str], ...] = ()
    availability_zones: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def within(seconds: float, look: Callable[[], T], otherwise: T) -> tuple[T, str]:
    """What `look` gives, or `otherwise` and why: it failed, or did not answer in time (it is left alone)."""
    found: list[T] = []
    failed: list[str] = []

    def work() -> None:
        try:
            found.append(look())
        except MigratorError as error:
            failed.append(clean_line(error.what, 300))
        except OSError as error:
            failed.append(clean_line(error.strerror or str(error) or type(error).__name__, 300))
        except Exception as error:  # noqa: BLE001 - a look that fails, for whatever reason, must harm nothing
            failed.append(clean_line(f"{type(error).__name__}: {error}", 300))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    if found:
        return found[0], ""
    return otherwise, failed[0] if failed else f"no answer within {seconds:g} seconds"


def aws_profiles(environment: Mapping[str, str] | None = None) -> tuple[AwsProfile, ...]:
    """The profiles in the AWS configuration files, `default` first; nothing secret is kept."""
    environment = os.environ if environment is None else environment
    home = Path(environment.get("HOME", "~")).expanduser() / ".aws"
    config = _sections(Path(environment.get("AWS_CONFIG_FILE") or home / "config"))
    shared = _sections(Path(environment.get("AWS_SHARED_CREDENTIALS_FILE") or home / "credentials"))
    found: dict[str, AwsProfile] = {}
    for section, values in config.items():
        kind, _, name = section.partition(" ")
        if section == "default" or (kind == "profile" and name.strip()):
            name = name.strip().strip("\"'") or "default"
            asks = any(key in values for key in ("mfa_serial", "credential_process"))
            found[name] = AwsProfile(name, values.get("region", ""), asks)
    for name in shared:
        found.setdefault(name, AwsProfile(name))
    clean = [each for each in found.values() if each.name.isprintable() and each.region.isprintable()]
    return tuple(sorted(clean, key=lambda each: (each.name != "default", each.name))[:_MOST])


def _sections(path: Path) -> dict[str, Mapping[str, str]]:
    parser = configparser.ConfigParser(
        strict=False, interpolation=None, default_section="\0", allow_no_value=True
    )
    try:
        parser.read_string(path.expanduser().read_text("utf-8"))
    except (OSError, ValueError, configparser.Error, RuntimeError):
        return {}
    return {name: {key: value or "" for key, value in parser.items(name)} for name in parser.sections()}


def aws_door(profile: str, region: str) -> Aws:
    """AWS with a profile's credentials, or with those that the machine has."""
    from migrator.tools.aws import BotoAws
    from migrator.tools.reach import DirectReach

    return BotoAws(Surroundings(account="", region=region, reach=DirectReach(), aws_profile=profile or None))


def look_at_aws(aws: Aws, seconds: float) -> AwsFacts:
    """Account, public hosted zones, databases and availability zones; what is not known in time is left out."""
    facts = AwsFacts()

    def look() -> bool:
        facts.account = str(aws.call("sts", "get_caller_identity")["Account"])
        for read in (_zones, _databases, _availability_zones):
            try:
                read(aws, facts)
            except MigratorError as error:
                facts.problems += (clean_line(error.what, 200),)
        return True

    _, problem = within(seconds, look, False)
    if problem:
        facts.problems += (problem,)
    return facts


def _zones(aws: Aws, facts: AwsFacts) -> None:
    facts.zones = tuple(
        Zone(str(each["Id"]).rsplit("/", 1)[-1], str(each["Name"]).rstrip("."))
        for each in aws.pages("route53", "list_hosted_zones", "HostedZones")
        if not each.get("Config", {}).get("PrivateZone")
    )[:_MOST]


def _databases(aws: Aws, facts: AwsFacts) -> None:
    facts.databases = tuple(
        (str(each["Endpoint"]["Address"]), int(each["Endpoint"]["Port"]), str(each.get("DBName") or ""))
        for each in aws.pages("rds", "describe_db_instances", "DBInstances")
        if str(each.get("Engine", "")).startswith("postgres") and each.get("Endpoint", {}).get("Address")
    )[:_MOST]


def _availability_zones(aws: Aws, facts: AwsFacts) -> None:
    answer = aws.call("ec2", "describe_availability_zones")
    facts.availability_zones = tuple(
        sorted(
            str(each["ZoneName"]) for each in answer["AvailabilityZones"] if each.get("State") == "available"
        )
    )


def engine_images(processes: Processes) -> tuple[str, ...]:
    """`docker:NAME:TAG` of each image of the local engine; none when no engine answers."""
    from migrator.tools.process import allowed_environment

    program = processes.find("docker")
    if program is None:
        return ()
    command = Command(
        argv=(str(program), "image", "ls", "--format", "{{.Repository}}:{{.Tag}}"),
        label="docker image ls",
        cwd=Path.cwd(),
        environment=allowed_environment(prefixes=("DOCKER_",)),
        deadline_seconds=ENGINE_SECONDS,
        grace_seconds=0.5,
    )
    ended, output, _ = processes.run(command)
    names = output.splitlines() if ended.ok else []
    kept = [name for name in names if name.isprintable() and name and "<none>" not in name]
    return tuple(f"docker:{name}" for name in dict.fromkeys(kept))[:_MOST]


def oci_layouts(folder: Path) -> tuple[str, ...]:
    """`oci:/PATH` of each OCI image layout in `folder` and two levels below it."""
    found: list[str] = []
    level, seen = [folder.resolve()], 0
    for _ in range(3):
        below: list[Path] = []
        for each in level:
            seen += 1
            if seen > _MOST_FOLDERS:
                return tuple(found)
            if (each / "oci-layout").is_file() and (each / "index.json").is_file():
                found.append(f"oci:{each}")
                continue
            below += _folders(each)
        level = below
    return tuple(sorted(name for name in found if name.isprintable()))[:_MOST]


def _folders(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return [
                Path(entry.path)
                for entry in entries
                if not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False)
            ]
    except OSError:
        return []


def local_database(environment: Mapping[str, str] | None = None) -> tuple[str, int] | None:
    """The database that libpq's variables name, or one on this machine's usual port, when it listens."""
    environment = os.environ if environment is None else environment
    host, port = environment.get("PGHOST") or "127.0.0.1", environment.get("PGPORT") or "5432"
    if host.startswith("/") or not host.isprintable() or not port.isdecimal():
        return None
    found, _ = within(_LOCAL_SECONDS, lambda: _connects(host, int(port), _LOCAL_SECONDS), False)
    return (host, int(port)) if found else None


def _connects(host: str, port: int, seconds: float) -> bool:
    with socket.create_connection((host, port), timeout=seconds):
        return True


def unreachable(host: str, port: int) -> str:
    """Why there is no TCP connection to host:port; empty when there is one."""
    connected, problem = within(TCP_SECONDS, lambda: _connects(host, port, TCP_SECONDS), False)
    return "" if connected else problem


def server_version(database: Database, aws: Aws) -> tuple[str, str]:
    """The server's version such as `15.18`, and why there is none. The secret is read by its reference."""

    def look() -> str:
        with _postgres(aws).connect(database, read_only=True, statement_timeout_seconds=5.0) as session:
            version = session.server_version
        return f"{version // 10_000}.{version % 10_000}"

    return within(DATABASE_SECONDS, look, "")


def _postgres(aws: Aws) -> PostgresTool:
    from migrator.tools.postgres import PostgresTool
    from migrator.tools.process import LocalProcesses
    from migrator.tools.reach import DirectReach
    from migrator.tools.secret_store import ReferencedSecrets

    return PostgresTool(DirectReach(), ReferencedSecrets(aws), LocalProcesses(), "migrator init")


def secret_problem(reference: str, aws: Aws) -> str:
    """Why a secret in the environment or a file cannot be read here; empty when it can, or lies in AWS."""
    from migrator.tools.secret_store import ReferencedSecrets

    if reference.startswith("aws:"):
        return ""
    store = ReferencedSecrets(aws)
    _, problem = within(TCP_SECONDS, lambda: bool(store.resolve(reference)), False)
    return problem
