"""Looks around for an interview: proposals from the machine and, with consent, from the account."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from migrator.console.init.answers import problem_with
from migrator.console.init.asker import Asker, Option
from migrator.console.init.kept import Kept
from migrator.console.init.proposals import Findings, Uses
from migrator.contracts.postgres import Database
from migrator.model.runbook import Variable
from migrator.sanitize import clean_line
from migrator.tools.discovery import AwsFacts, AwsProfile

_OTHER, _NOTHING = "\0other", "\0nothing"
_REGION = Variable("region", "string", "", pattern=r"[a-z]{2}(-[a-z]+)+-\d{1,2}")


class Sight(Protocol):
    """What an interview can look at (see `look.Look`)."""

    @property
    def profiles(self) -> tuple[AwsProfile, ...]: ...
    @property
    def own_credentials(self) -> bool: ...
    @property
    def images(self) -> tuple[str, ...]: ...
    @property
    def layouts(self) -> tuple[str, ...]: ...
    @property
    def database(self) -> tuple[str, int] | None: ...
    def region_of(self, profile: str) -> str: ...
    def aws(self, profile: str, region: str) -> AwsFacts: ...
    def unreachable(self, host: str, port: int) -> str: ...
    def version(self, database: Database, profile: str, region: str) -> tuple[str, str]: ...
    def secret_problem(self, reference: str) -> str: ...


class Scout:
    """Asks where it may look, and tells what it found. Whatever is not found is left out."""

    def __init__(self, asker: Asker, sight: Sight, kept: Kept, save: Callable[[], None]) -> None:
        self._ask = asker
        self._sight = sight
        self._kept = kept
        self._save = save
        self.findings = Findings()

    def look(self, open_: Sequence[Variable], uses: Uses) -> None:
        """Looks for proposals for what is still open, in the account only when the person agrees."""
        self.findings = Findings(profiles=self._sight.profiles)
        if any(uses.wants_images(v) for v in open_):
            self.findings.images, self.findings.layouts = self._sight.images, self._sight.layouts
        if any(uses.field(v.name) == "host" for v in open_):
            self.findings.database = self._sight.database
        if any(uses.wants_aws(v) or uses.wants_region(v) for v in open_):
            self._look_at_aws()
        self.findings.region = self._kept.region or self._sight.region_of(self._kept.profile)

    def _look_at_aws(self) -> None:
        kept = self._kept
        if not kept.aws:
            kept.aws = self._choose_credentials()
            self._save()
        if kept.aws != "look":
            return
        self._ask.say("Asking AWS ...")
        facts = self.findings.aws = self._sight.aws(kept.profile, kept.region)
        if facts.account:
            self._ask.say(
                f"Account {clean_line(facts.account, 40)}: {len(facts.zones)} public hosted zones, "
                f"{len(facts.databases)} PostgreSQL databases in {kept.region}."
            )
        for problem in facts.problems:
            self._ask.say(f"Not known from AWS: {problem}")
        self._ask.say()

    def _choose_credentials(self) -> str:
        options = [Option(_OTHER, "Credentials of the environment")] if self._sight.own_credentials else []
        for profile in self._sight.profiles:
            where = f" ({profile.region})" if profile.region else ""
            note = ", may ask for a code: not looked with" if profile.asks else ""
            options.append(Option(profile.name, f"Profile {profile.name}{where}{note}"))
        if not options:
            return ""
        self._ask.say("AWS can be asked for hosted zones and databases, to propose answers. It is only read.")
        chosen = self._ask.choose("Ask AWS?", [*options, Option(_NOTHING, "No, do not ask AWS")])
        if chosen == _NOTHING:
            return "no"
        self._kept.profile = "" if chosen == _OTHER else chosen
        self._kept.region = self._ask.text(
            "Region:",
            self._sight.region_of(self._kept.profile),
            lambda text: problem_with(_REGION, text) and "This is not a region such as us-west-2.",
        ).strip()
        asks = any(each.asks for each in self._sight.profiles if each.name == self._kept.profile)
        return "may ask for a code" if asks else "look"

    def try_secret(self, reference: str) -> None:
        """Says so when a secret cannot be read here yet."""
        if problem := self._sight.secret_problem(reference):
            self._ask.say(f"  Not readable here yet: {problem}. It must be when the real run starts.")

    def database_answers(self, database: Database) -> bool:
        """Whether the database lets its user in; says what happened."""
        where = clean_line(f"{database.host}:{database.port}", 200)
        self._ask.say(f"  Trying the database at {where} ...")
        if problem := self._sight.unreachable(database.host, database.port):
            self._ask.say(f"  It was not reached: {problem}.")
            return False
        version, problem = self._sight.version(database, self._kept.profile, self.findings.region)
        if problem:
            self._ask.say(
                f"  It can be reached, but {clean_line(database.user, 60)} did not get in: {problem}."
            )
            return False
        self._ask.say(f"  PostgreSQL {version} answers.")
        return True
