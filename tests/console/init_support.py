"""Doubles for tests of `init`: a person with prepared answers, and a machine with prepared findings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import find
from hypothesis import strategies as st

from migrator.console.init.answers import problem_with, text_of
from migrator.console.init.asker import Option
from migrator.contracts.postgres import Database
from migrator.model.runbook import Runbook, Variable
from migrator.tools.discovery import AwsFacts, AwsProfile, Zone

CANDIDATES = (
    "example.com",
    "env:SOME_PASSWORD",
    "7",
    "5m",
    "true",
    "Z0123456789ABCDEF",
    "docker:shop/backend:1.4",
    "us-east-1a, us-east-1b",
    "name=value",
    "shop",
)


def fitting(variable: Variable) -> str:
    """Some answer that fits."""
    if variable.choices:
        return variable.choices[-1]
    texts = [*CANDIDATES, text_of(variable, variable.rehearsal)]
    for text in texts:
        if text and not problem_with(variable, text):
            return text
    return find(
        st.from_regex(variable.pattern, fullmatch=True), lambda text: not problem_with(variable, text)
    )


def fitting_answers(runbook: Runbook, *, every: bool) -> dict[str, str]:
    """Answers for what is needed, or for every variable."""
    return {
        variable.name: fitting(variable)
        for variable in runbook.variables
        if every or (variable.required and variable.default in (None, ""))
    }


class Stopped(KeyboardInterrupt):
    """The person pressed Ctrl-C."""


Reply = str | Callable[[Sequence[Option], str], str]


@dataclass
class Person:
    """Replies by the variable or question that a prompt begins with; `stop_at` presses Ctrl-C there."""

    replies: dict[str, Reply]
    stop_at: str = ""
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    defaults: dict[str, str] = field(default_factory=dict)
    options: dict[str, list[Option]] = field(default_factory=dict)

    def say(self, text: str = "") -> None:
        self.said.append(text)

    def text(self, message: str, default: str, problem_with: Callable[[str], str]) -> str:
        reply = self._reply(message, (), default)
        assert problem_with(reply) == "", f"{message} {reply!r}: {problem_with(reply)}"
        return reply

    def choose(self, message: str, options: Sequence[Option], default: str = "") -> str:
        reply = self._reply(message, options, default)
        values = [option.value for option in options]
        if reply in values:
            return reply
        by_label = [o.value for o in options if o.label.startswith(reply)]
        other = [o.value for o in options if o.label.startswith("Something else")]
        assert by_label or other, f"{message}: {reply!r} is none of {options}"
        return (by_label or other)[0]

    def _reply(self, message: str, options: Sequence[Option], default: str) -> str:
        self.asked.append(message)
        self.options.setdefault(message, list(options))
        self.defaults[message] = default
        if self.stop_at and message.startswith(self.stop_at):
            raise Stopped
        for key, reply in self.replies.items():
            if message.startswith(key):
                return reply(options, default) if callable(reply) else reply
        if options:
            return default or options[0].value
        return default


@dataclass
class Machine:
    """Prepared findings."""

    profiles: tuple[AwsProfile, ...] = ()
    own_credentials: bool = False
    images: tuple[str, ...] = ()
    layouts: tuple[str, ...] = ()
    database: tuple[str, int] | None = None
    facts: AwsFacts = field(default_factory=AwsFacts)
    closed: str = ""
    refused: str = ""
    looked: list[tuple[str, str]] = field(default_factory=list)
    tried: list[Database] = field(default_factory=list)

    def region_of(self, profile: str) -> str:
        return next((each.region for each in self.profiles if each.name == profile), "") or "us-west-2"

    def aws(self, profile: str, region: str) -> AwsFacts:
        self.looked.append((profile, region))
        return self.facts

    def unreachable(self, host: str, port: int) -> str:
        return self.closed

    def version(self, database: Database, profile: str, region: str) -> tuple[str, str]:
        self.tried.append(database)
        return ("", self.refused) if self.refused else ("15.18", "")

    def secret_problem(self, reference: str) -> str:
        return "" if reference.startswith("aws:") else "the environment variable is not set"


def zones(*names: str) -> tuple[Zone, ...]:
    """Zones with ids Z000001, Z000002, …"""
    return tuple(Zone(f"Z{number:06}", name) for number, name in enumerate(names, start=1))


RUNBOOK = """\
format: 1
name: small
title: A small move
summary: Looks at one site.
variables:
  domain: {type: domain, description: The domain}
  hosted_zone_id: {type: string, description: Its zone, pattern: "[A-Z0-9]{5,32}"}
  admin_secret: {type: secret_ref, description: Where the password lies}
  networks: {type: list, description: Networks, default: [10.0.0.0/8]}
  patience: {type: duration, description: How long, default: 90s}
  note: {type: string, description: A note, required: false}
phases:
  - id: check
    title: Check
    summary: Only looks.
    steps:
      - id: zone
        title: Look at the zone
        why: It is needed.
        proof: It answers.
        back: Nothing.
        action: preflight.hosted_zone
        with: {hosted_zone_id: "${vars.hosted_zone_id}", domain: "${vars.domain}"}
"""


def small_runbook(folder: Path) -> Path:
    """A runbook file with six variables, three of them needed."""
    path = folder / "small.yaml"
    path.write_text(RUNBOOK, encoding="utf-8")
    return path
