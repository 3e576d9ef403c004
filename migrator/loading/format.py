"""What a runbook file and a migration file may hold: the tables behind the loader and the JSON Schema."""

from __future__ import annotations

from migrator.contracts.params import Seconds, SecretRef
from migrator.loading.kinds import ID, ID_HINT, Choice, Free, Key, Kind, ListOf, MapOf, Record, Scalar, Words
from migrator.model.runbook import AutoApprove, PointOfNoReturn

TYPES = (
    "string",
    "integer",
    "number",
    "boolean",
    "duration",
    "list",
    "map",
    "domain",
    "secret_ref",
    "choice",
)
STEP_KINDS = ("action", "gate", "wait", "manual")

_WORDS = Words()
_ID = Words(ID, ID_HINT)
_DURATION = Scalar(Seconds)
_FORMAT = Key(Choice(("1",)), required=True, about="Version of this format.")
_AUTO = Key(
    Choice(tuple(AutoApprove)),
    about="When `--yes` may answer: never, in a rehearsal, or always. Default: never.",
)


def _words(about: str, required: bool = True, expressions: bool = False) -> Key:
    return Key(_WORDS, required, about, expressions)


VARIABLE = Record(
    {
        "type": Key(Choice(TYPES), True, "Type of the value."),
        "description": _words("What the value is, for the person who is asked for it."),
        "default": Key(Free(), about="Used when nothing is given."),
        "rehearsal": Key(Free(), about="Replaces given value and default in a rehearsal."),
        "rehearsal_from": Key(
            Choice(("lab",)), about="`lab`: only the twin knows this value in a rehearsal."
        ),
        "required": Key(Scalar(bool), about="Whether there must be a value. Default: true."),
        "pattern": _words("A regular expression that the whole value must match.", required=False),
        "choices": Key(ListOf(_WORDS, at_least=1), about="The closed set, for the type `choice`."),
    }
)

COST_LINE = Record(
    {
        "component": _words("What is paid for."),
        "old_usd": Key(Scalar(float), True, "US dollars a month before the move."),
        "new_usd": Key(Scalar(float), True, "US dollars a month after the move."),
    }
)

GATE = Record(
    {
        "question": _words("What is asked."),
        "yes": _words("What follows when it is approved."),
        "no": _words("What follows when it is not."),
        "evidence": Key(ListOf(_ID), about="Read-only steps that must be green and fresh."),
        "confirm": _words("The text that a person must type.", required=False, expressions=True),
        "auto": _AUTO,
        "max_age": Key(_DURATION, about="How old the evidence may be. Default: 60s."),
    }
)

MANUAL = Record(
    {
        "instructions": _words("What a person is to do, and how they see that it is done."),
        "yes": _words("What follows when it is done."),
        "no": _words("What follows when it cannot be done."),
        "evidence": Key(ListOf(_ID), about="Read-only steps that must be green and fresh."),
        "confirm": _words("The text that a person must type.", required=False, expressions=True),
        "auto": _AUTO,
        "max_age": Key(_DURATION, about="How old the evidence may be. Default: 60s."),
    }
)

WAIT = Record(
    {
        "for": Key(_DURATION, True, "How long: a duration, or an expression in seconds.", expressions=True),
        "at_least": Key(_DURATION, about="The longer of `for` and this is waited."),
        "reason": _words("What is waited for."),
        "rehearsal": Key(_DURATION, about="Waited instead on the twin; the report lists the difference."),
    }
)

STEP = Record(
    {
        "id": Key(_ID, True, "Unique in the runbook. A run knows its steps by it."),
        "title": _words("What happens."),
        "why": _words("Why it is done."),
        "proof": _words("How it is proven."),
        "back": _words("How to go back."),
        "needs": Key(ListOf(_ID), about="Steps that must be done before, beside those that are implied."),
        "deadline": Key(_DURATION, about="After this the step is given up. Default: 30m."),
        "expected": Key(_DURATION, about="The author's estimate."),
        "holds_until": Key(_ID, about="From the start of that step on, this result need not hold any more."),
        "downtime": Key(Choice(("starts", "ends")), about="Where the service goes away and comes back."),
        "ponr": Key(Choice(tuple(PointOfNoReturn)), about="The point of no return that is passed here."),
        "action": _words("The action's name.", required=False),
        "with": Key(MapOf(Free()), about="The action's parameters.", expressions=True),
        "gate": Key(GATE, about="A decision."),
        "wait": Key(WAIT, about="A durable wait."),
        "manual": Key(MANUAL, about="Something that a person does outside."),
    },
    one_of=STEP_KINDS,
)

PHASE = Record(
    {
        "id": Key(_ID, True, "Unique among the phases."),
        "title": _words("The phase in a few words."),
        "summary": _words("What it is for."),
        "after": Key(ListOf(_ID), about="Phases that must be done before. Default: the one above."),
        "steps": Key(ListOf(STEP, at_least=1), True, "The steps."),
    }
)

RUNBOOK = Record(
    {
        "format": _FORMAT,
        "name": Key(
            Words(r"[a-z][a-z0-9-]*", "lower-case letters, digits and -"), True, "The runbook's name."
        ),
        "title": _words("The move in a few words."),
        "summary": _words("What is moved, from where to where, and how."),
        "variables": Key(MapOf(VARIABLE, _ID), about="Values that an operator gives."),
        "cost": Key(ListOf(COST_LINE), about="Monthly cost before and after."),
        "lab": Key(MapOf(Free()), about="What the twin is built from in a rehearsal."),
        "phases": Key(ListOf(PHASE, at_least=1), True, "The phases."),
    }
)

MIGRATION = Record(
    {
        "format": _FORMAT,
        "runbook": _words("Name of a shipped runbook, or path of a file, relative to this one."),
        "values": Key(MapOf(Free(), _ID), about="Values of the runbook's variables."),
    }
)

VALUE_KINDS: dict[str, Kind] = {
    "string": Scalar(str),
    "integer": Scalar(int),
    "number": Scalar(float),
    "boolean": Scalar(bool),
    "duration": _DURATION,
    "list": ListOf(Free()),
    "map": MapOf(Free()),
    "domain": Words(
        r"(?=.{1,253}\Z)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]",
        "a domain name such as example.com, in lower case",
    ),
    "secret_ref": Scalar(SecretRef),
    "choice": Words(),
}
"""The kind of value for each type of variable; `choice` is narrowed by the variable itself."""
