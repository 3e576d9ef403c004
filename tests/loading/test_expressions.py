"""Expressions: what parses, what keeps its type, what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.model.expressions import ExpressionError, Reference, references, resolve, split, within

SCOPE = {
    "vars": {"domain": "example.com", "count": 3, "on": True, "zones": ["a", "b"], "none": None},
    "steps": {"net": {"ids": {"web-1": "i-1", "x.y": "i-2"}, "list": [{"id": 7}]}},
    "run": {"id": "r1"},
}


@pytest.mark.parametrize(
    ("value", "resolved"),
    [
        ("plain", "plain"),
        ("${vars.domain}", "example.com"),
        ("${ vars.domain }", "example.com"),
        ("${vars.count}", 3),
        ("${vars.on}", True),
        ("${vars.zones}", ["a", "b"]),
        ("${vars.none}", None),
        ("${vars.zones.1}", "b"),
        ("${steps.net.ids.web-1}", "i-1"),
        ('${steps.net.ids["x.y"]}', "i-2"),
        ("${steps.net.list.0.id}", 7),
        ("www.${vars.domain}:${vars.count}/${vars.on}", "www.example.com:3/true"),
        ("$${vars.domain}", "${vars.domain}"),
        ("a $${b} ${run.id}", "a ${b} r1"),
        ("$5 {x} $", "$5 {x} $"),
        ({"a": ["${run.id}", 1], "${run.id}": None}, {"a": ["r1", 1], "${run.id}": None}),
    ],
)
def test_resolve(value: Any, resolved: Any) -> None:
    assert resolve(value, within(SCOPE)) == resolved


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("${vars.nope}", "there is no 'nope' in vars"),
        ("${vars.zones.2}", "there is no '2' in vars.zones"),
        ("${vars.domain.x}", "there is no 'x' in vars.domain"),
        ("x${vars.zones}", "is a list and cannot become part of a text"),
        ("x${steps.net.ids}", "is a mapping and cannot"),
        ("x${vars.none}", "is nothing and cannot"),
        ("${vars.domain", "is not an expression"),
        ("${}", "is not an expression"),
        ("${a..b}", "is not an expression"),
        ("${a b}", "is not an expression"),
        ("${.a}", "is not an expression"),
        ("${a.}", "is not an expression"),
    ],
)
def test_refused(value: str, said: str) -> None:
    with pytest.raises(ExpressionError, match=said.replace("[", r"\[")):
        resolve(value, within(SCOPE))


def test_references_know_where_they_stand() -> None:
    found = references({"a": "${vars.x}", "b": [{"c": "1 ${steps.s.out.k} $${no}"}]})
    assert found == [Reference(("vars", "x"), "a"), Reference(("steps", "s", "out", "k"), "b[0].c")]
    assert (found[0].variable, found[1].step, found[1].variable) == ("x", "s", "")


@given(st.text(alphabet='${}.ab[]" 0', max_size=30))
def test_any_text_resolves_or_is_refused(text: str) -> None:
    try:
        pieces = split(text)
    except ExpressionError:
        return
    assert all(piece for piece in pieces if isinstance(piece, str))
    literal = "".join(piece if isinstance(piece, str) else "" for piece in pieces)
    assert len(literal) <= len(text)


@given(st.text(max_size=30))
def test_escaped_text_resolves_to_itself(text: str) -> None:
    escaped = text.replace("${", "$${") if "$${" not in text else ""
    if escaped and not escaped.endswith("$") and "$$" not in text:
        assert resolve(escaped, within({})) == text
