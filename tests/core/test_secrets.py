"""P8: a secret does not show itself, whatever is done with the object that holds it."""

from __future__ import annotations

import copy
import io
import json
import logging
import pickle
import pprint
import shlex
import string
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migrator.errors import Refused
from migrator.secrets import MASK, Redactor, Secret

VALUE = "canary-7Gq!x"


@dataclass(frozen=True)
class Holder:
    user: str
    password: Secret
    more: dict[str, Any] = field(default_factory=dict)


def shown(value: Any) -> list[Callable[[], str]]:
    """Every usual way in which a value becomes a text."""
    return [
        lambda: str(value),
        lambda: repr(value),
        lambda: f"{value}",
        lambda: f"{value!r:>40}",
        lambda: f"{value!s}",
        lambda: "%s %r" % (value, value),  # noqa: UP031 - this way of formatting too
        lambda: "{0} {x}".format(value, x=value),  # noqa: UP032
        lambda: string.Template("$x").substitute(x=value),
        lambda: ascii(value),
        lambda: json.dumps(value, default=str),
        lambda: json.dumps(value, default=repr),
        lambda: pprint.pformat(value),
    ]


NESTED: list[Callable[[Secret], Any]] = [
    lambda s: s,
    lambda s: [s],
    lambda s: (s, {"deep": [s]}),
    lambda s: {"password": s},
    lambda s: {s},
    lambda s: Holder("app", s, {"again": [s]}),
    lambda s: ValueError(s),
    lambda s: Refused(str(s), where=f"{s}", detail=repr(s), next=f"{s:>20}"),
]


@pytest.mark.parametrize("nest", NESTED)
def test_no_text_of_it_reveals_it(nest: Callable[[Secret], Any]) -> None:
    for way in shown(nest(Secret(VALUE))):
        text = way()
        assert VALUE not in text
        assert "secret" in text


def test_a_width_keeps_the_mask() -> None:
    assert f"{Secret(VALUE):>12}" == f"{MASK:>12}"
    with pytest.raises(ValueError, match="format code") as caught:
        f"{Secret(VALUE):d}"
    assert VALUE not in str(caught.value)


@pytest.mark.parametrize(
    "take_out",
    [
        copy.copy,
        copy.deepcopy,
        pickle.dumps,
        lambda s: pickle.dumps(s, protocol=0),
        lambda s: copy.deepcopy({"a": [s]}),
        lambda s: asdict(Holder("app", s)),
        lambda s: s.__reduce__(),
        lambda s: s.__getstate__(),
        json.dumps,
        vars,
        bytes,
        lambda s: "x" + s,
        lambda s: "".join([s]),
    ],
)
def test_it_cannot_be_copied_out(take_out: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError) as caught:
        take_out(Secret(VALUE))
    assert VALUE not in str(caught.value)


def test_neither_log_nor_traceback_reveals_it() -> None:
    stream = io.StringIO()
    logger = logging.Logger("a test's own")
    logger.addHandler(logging.StreamHandler(stream))
    held = Holder("app", Secret(VALUE))
    try:
        raise RuntimeError(held, held.password)
    except RuntimeError as error:
        logger.exception("with %s %r", held.password, held)
        told = traceback.TracebackException.from_exception(error, capture_locals=True)
        text = "".join(told.format()) + stream.getvalue()
    assert VALUE not in text
    assert MASK in text


def test_equality_and_truth_are_of_the_value() -> None:
    assert Secret(VALUE) == Secret(VALUE)
    assert Secret(VALUE) != Secret(VALUE + "x")
    assert (Secret(VALUE) == VALUE) is False
    assert len({Secret(VALUE), Secret(VALUE)}) == 1
    assert Secret("x")
    assert not Secret("")
    assert Secret(VALUE).reveal() == VALUE


@pytest.mark.parametrize(
    "spell",
    [
        str,
        lambda v: json.dumps({"password": v}),
        lambda v: json.dumps({"password": v}, ensure_ascii=False),
        lambda v: f"postgresql://app:{quote(v, safe='')}@db.example.com",
        lambda v: f"password={quote_plus(v)}&user=app",
        lambda v: f"PGPASSWORD={shlex.quote(v)} psql",
        lambda v: str({"password": v}),
    ],
)
@pytest.mark.parametrize("value", ["pa ss/wo&rd%", 'quo"te\\d', "it's one of these", "ünïcode-pass"])
def test_the_redactor_knows_other_spellings(spell: Callable[[str], str], value: str) -> None:
    redactor = Redactor()
    redactor.add(value)
    clear = spell(value)
    scrubbed = redactor.scrub(clear)
    assert MASK in scrubbed
    assert value not in scrubbed
    assert len(scrubbed) <= len(clear) - len(value) + len(MASK)


def test_a_secret_of_many_lines_is_scrubbed_line_by_line() -> None:
    redactor = Redactor()
    redactor.add("-----BEGIN KEY-----\nMIIEvQIBADANBgkq\nhkiG9w0BAQEFAASC\n-----END KEY-----\n")
    assert redactor.scrub("read MIIEvQIBADANBgkq from a file") == f"read {MASK} from a file"


def test_short_values_and_the_mask_itself_are_left() -> None:
    redactor = Redactor()
    for value in ("", "abc", "12345", "secret"):
        redactor.add(value)
    assert redactor.scrub("abc 12345 secret") == "abc 12345 secret"


def test_a_longer_secret_wins_over_its_beginning() -> None:
    redactor = Redactor()
    redactor.add("abcdef")
    redactor.add("abcdefghij")
    assert redactor.scrub("abcdefghij") == MASK


def test_values_inside_structures_are_scrubbed_and_keys_kept() -> None:
    redactor = Redactor()
    redactor.add("attempt")
    found = redactor.scrub_values({"attempt": 123456, "list": ["an attempt", ("attempt", None)], "ok": True})
    assert found == {"attempt": 123456, "list": [f"an {MASK}", [MASK, None]], "ok": True}


WORDS = st.text(alphabet=string.ascii_letters + string.digits + "+/=%$ \"'\\", min_size=6, max_size=20)


@settings(deadline=None)
@given(st.lists(WORDS, min_size=1, max_size=4), st.lists(st.text(max_size=10), min_size=1, max_size=5))
def test_no_known_value_survives(values: list[str], around: list[str]) -> None:
    redactor = Redactor()
    for value in values:
        redactor.add(value)
    text = "|".join(f"{a}|{v}" for a in around for v in values)
    scrubbed = redactor.scrub(text)
    assert not any(value in scrubbed for value in values if value not in MASK)
