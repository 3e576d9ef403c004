"""Which finding fits which variable: judged by the action parameters that a variable flows into."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from migrator.console.init.answers import text_of
from migrator.contracts.params import SecretRef
from migrator.contracts.postgres import Database
from migrator.model.runbook import Json, Runbook, Variable
from migrator.tools.discovery import AwsFacts, AwsProfile

_ONE_VARIABLE = re.compile(r"\$\{\s*vars\.([a-z][a-z0-9_]*)\s*\}")
_FIELDS = ("host", "port", "name", "user", "password", "sslmode", "sslrootcert")


@dataclass(frozen=True)
class Proposal:
    """A text that may be the answer, and where it was found."""

    text: str
    found: str


@dataclass
class Findings:
    """What was found so far on the machine and in the account."""

    profiles: tuple[AwsProfile, ...] = ()
    region: str = ""
    images: tuple[str, ...] = ()
    layouts: tuple[str, ...] = ()
    database: tuple[str, int] | None = None
    aws: AwsFacts = field(default_factory=AwsFacts)


@dataclass(frozen=True)
class DatabaseUse:
    """A database that the runbook signs in to: variable names or fixed values by the fields of `Database`."""

    variables: Mapping[str, str]
    fixed: Mapping[str, str]

    def database(self, values: Mapping[str, Json]) -> Database | None:
        """The database, once every variable of it has a value."""
        found: dict[str, Json] = {**self.fixed}
        for name, variable in self.variables.items():
            if name in ("host", "user", "password", "name", "port") and values.get(variable) in (None, ""):
                return None
            found[name] = values.get(variable)
        port = found.get("port", 5432)
        if not isinstance(port, int) and not str(port).isdecimal():
            return None
        return Database(
            host=str(found["host"]),
            port=int(str(port)),
            name=str(found.get("name") or "postgres"),
            user=str(found["user"]),
            password=SecretRef(str(found["password"])),
            sslmode=str(found.get("sslmode") or "verify-full"),
            sslrootcert=str(found.get("sslrootcert") or ""),
        )


class Uses:
    """Where the variables of a runbook flow to."""

    def __init__(self, runbook: Runbook) -> None:
        self._uses: dict[str, set[str]] = {variable.name: set() for variable in runbook.variables}
        databases: list[DatabaseUse] = []
        for step in runbook.steps():
            for path, value in _walk(step.params, step.action):
                if isinstance(value, str) and (match := _ONE_VARIABLE.fullmatch(value)):
                    self._uses.setdefault(match[1], set()).add(path)
                elif isinstance(value, Mapping) and (use := _database(value)) and use not in databases:
                    databases.append(use)
        self.databases = tuple(databases)

    def of(self, name: str) -> frozenset[str]:
        """Paths such as `preflight.hosted_zone.hosted_zone_id`, and the variable's own name."""
        return frozenset({*self._uses.get(name, ()), name})

    def field(self, name: str) -> str:
        """The field of a database that this variable fills, or an empty text."""
        fields = [f for use in self.databases for f, variable in use.variables.items() if variable == name]
        return fields[0] if fields else ""

    def wants_aws(self, variable: Variable) -> bool:
        """Whether the account may know a proposal."""
        return (
            variable.type == "domain"
            or self.field(variable.name) in ("host", "name", "port")
            or self._ends(variable, "hosted_zone_id", "availability_zones")
        )

    def wants_images(self, variable: Variable) -> bool:
        """Whether this is the source of an image."""
        return any(use.endswith(("ecr_push.image.source", "_image")) for use in self.of(variable.name))

    def wants_region(self, variable: Variable) -> bool:
        """Whether this is a region."""
        return variable.name == "region" or variable.name.endswith("_region")

    def wants_profile(self, variable: Variable) -> bool:
        """Whether this is a profile of the AWS configuration."""
        return variable.name == "profile" or variable.name.endswith("aws_profile")

    def elsewhere(self, variable: Variable, region: str) -> bool:
        """Whether the default is a list of availability zones of another region."""
        zones = variable.default if isinstance(variable.default, list | tuple) else ()
        foreign = any(not str(zone).startswith(region) for zone in zones)
        return bool(region) and foreign and self._ends(variable, "availability_zones")

    def _ends(self, variable: Variable, *names: str) -> bool:
        return any(use.endswith(names) for use in self.of(variable.name))

    def proposals(
        self, variable: Variable, findings: Findings, values: Mapping[str, Json]
    ) -> Sequence[Proposal]:
        """Texts that may fit, the likeliest first."""
        found = list(self._found(variable, findings, values))
        return list({each.text: each for each in reversed(found)}.values())[::-1]

    def _found(
        self, variable: Variable, findings: Findings, values: Mapping[str, Json]
    ) -> Iterator[Proposal]:
        aws = findings.aws
        if variable.type == "domain":
            yield from (Proposal(zone.name, f"hosted zone {zone.id}") for zone in aws.zones)
        elif variable.type == "secret_ref":
            yield Proposal(f"env:{variable.name.removesuffix('_secret').upper()}", "an environment variable")
        elif self._ends(variable, "hosted_zone_id"):
            domains = [str(value) for value in values.values() if isinstance(value, str)]
            zones = sorted(aws.zones, key=lambda zone: zone.name not in domains)
            yield from (Proposal(zone.id, f"zone of {zone.name}") for zone in zones)
        elif self._ends(variable, "availability_zones") and variable.type == "list":
            if len(aws.availability_zones) > 1:
                yield Proposal(", ".join(aws.availability_zones[:2]), "of the region")
        elif self.wants_region(variable) and findings.region:
            yield Proposal(findings.region, "of the AWS profile")
        elif self.wants_profile(variable):
            yield from (Proposal(each.name, "AWS configuration") for each in findings.profiles)
        elif self.wants_images(variable):
            names = sorted((*findings.images, *findings.layouts), key=lambda name: not _akin(name, variable))
            yield from (Proposal(name, "on this machine") for name in names)
        elif self.field(variable.name):
            yield from self._of_database(variable, findings, values)

    def _of_database(
        self, variable: Variable, findings: Findings, values: Mapping[str, Json]
    ) -> Iterator[Proposal]:
        known = [(host, port, name, "database of the account") for host, port, name in findings.aws.databases]
        if findings.database is not None:
            known.append((*findings.database, "", "answers on this machine"))
        name = self.field(variable.name)
        hosts = {str(values.get(use.variables.get("host", ""))) for use in self.databases}
        for host, port, database, found in known:
            if name == "host":
                yield Proposal(host, found)
            elif host in hosts and name in ("port", "name"):
                text = str(port) if name == "port" else database
                if text:
                    yield Proposal(text, f"of {host}")


def known_values(runbook: Runbook, answers: Mapping[str, str]) -> dict[str, Json]:
    """Values of the answers and defaults so far, each for itself; those that do not fit are left out."""
    found: dict[str, Json] = {}
    for variable in runbook.variables:
        text = answers.get(variable.name) or text_of(variable, variable.default)
        if text and variable.type not in ("list", "map"):
            found[variable.name] = text
    return found


def _akin(image: str, variable: Variable) -> bool:
    words = [word for word in variable.name.split("_") if word not in ("image", "source")]
    return any(word in image.rsplit("/", 1)[-1] for word in words)


def _database(value: Mapping[str, Json]) -> DatabaseUse | None:
    if not {"host", "user", "password"} <= set(value):
        return None
    variables: dict[str, str] = {}
    fixed: dict[str, str] = {}
    for name in _FIELDS:
        text = value.get(name)
        if text is None:
            continue
        if match := _ONE_VARIABLE.fullmatch(str(text)):
            variables[name] = match[1]
        elif "${" in str(text):
            return None
        else:
            fixed[name] = str(text)
    return DatabaseUse(variables, fixed)


def _walk(value: Json, path: str) -> Iterator[tuple[str, Json]]:
    yield path, value
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _walk(item, f"{path}.{name}")
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for item in value:
            yield from _walk(item, path)
