"""Typed parameters from YAML values: what fits, what does not, and the path that an error names."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migrator.contracts.params import ParamError, Seconds, SecretRef, build, convert, fields, parse_seconds


@dataclass(frozen=True)
class Inner:
    host: str
    port: int = 5432


@dataclass(frozen=True)
class Everything:
    text: str
    whole: int = 1
    part: float = 0.5
    flag: bool = False
    pause: Seconds = Seconds(1.0)  # noqa: RUF009 - a NewType of float
    password: SecretRef = SecretRef("env:NAME")  # noqa: RUF009
    names: tuple[str, ...] = ()
    rows: Sequence[int] = ()
    labels: Mapping[str, int] = field(default_factory=dict)
    inner: Inner | None = None
    inners: tuple[Inner, ...] = ()
    by_name: Mapping[str, Inner] = field(default_factory=dict)
    scheme: Literal["https", "http"] = "https"
    either: int | str = 0
    free: Any = None


def test_every_type_is_built() -> None:
    found = build(
        Everything,
        {
            "text": "x",
            "whole": "7",
            "part": 2,
            "flag": "yes",
            "pause": "5m",
            "password": "aws:app/db#password",
            "names": ["a", "b"],
            "rows": [1, "2"],
            "labels": {"a": "1"},
            "inner": {"host": "db.example.com"},
            "inners": [{"host": "a", "port": "1"}],
            "by_name": {"b": {"host": "c"}},
            "scheme": "http",
            "either": "many",
            "free": {"anything": [1, None]},
        },
    )
    assert found == Everything(
        text="x",
        whole=7,
        part=2.0,
        flag=True,
        pause=Seconds(300.0),
        password=SecretRef("aws:app/db#password"),
        names=("a", "b"),
        rows=(1, 2),
        labels={"a": 1},
        inner=Inner("db.example.com"),
        inners=(Inner("a", 1),),
        by_name={"b": Inner("c")},
        scheme="http",
        either="many",
        free={"anything": [1, None]},
    )
    assert type(found.part) is float


def test_defaults_and_what_is_required() -> None:
    assert build(Everything, {"text": "x"}) == Everything("x")
    assert [name for name, (_, required) in fields(Everything).items() if required] == ["text"]


@pytest.mark.parametrize(
    ("values", "path", "said"),
    [
        ({}, "text", "is missing"),
        ({"text": "x", "colour": 1}, "colour", "no such parameter"),
        ({"text": ["x"]}, "text", "not a text"),
        ({"text": True}, "text", "not a text"),
        ({"text": None}, "text", "not a text"),
        ({"text": "x", "whole": "many"}, "whole", "not a whole number"),
        ({"text": "x", "whole": 3.7}, "whole", "not a whole number"),
        ({"text": "x", "whole": True}, "whole", "not a whole number"),
        ({"text": "x", "whole": math.inf}, "whole", "not a whole number"),
        ({"text": "x", "whole": None}, "whole", "not a whole number"),
        ({"text": "x", "part": "nan"}, "part", "not a number"),
        ({"text": "x", "part": []}, "part", "not a number"),
        ({"text": "x", "flag": 1}, "flag", "not true or false"),
        ({"text": "x", "flag": "maybe"}, "flag", "not true or false"),
        ({"text": "x", "pause": "soon"}, "pause", "not a duration"),
        ({"text": "x", "password": "hunter2"}, "password", "where the secret lies"),
        ({"text": "x", "names": "ab"}, "names", "must be a list"),
        ({"text": "x", "names": {"a": 1}}, "names", "must be a list"),
        ({"text": "x", "rows": [1, "x"]}, "rows[1]", "not a whole number"),
        ({"text": "x", "labels": ["a"]}, "labels", "must be a mapping"),
        ({"text": "x", "labels": {"a": "b"}}, "labels.a", "not a whole number"),
        ({"text": "x", "inner": {"port": 1}}, "inner.host", "is missing"),
        ({"text": "x", "inner": "db"}, "inner", "must be a mapping"),
        ({"text": "x", "inners": [{"host": "a"}, {"host": "a", "porl": 1}]}, "inners[1].porl", "no such"),
        ({"text": "x", "by_name": {"b": {"host": "c", "port": "d"}}}, "by_name.b.port", "not a whole number"),
        ({"text": "x", "scheme": "ftp"}, "scheme", "not one of https, http"),
        ({"text": "x", "either": []}, "either", "not a text"),
    ],
)
def test_an_error_names_the_path(values: dict[str, Any], path: str, said: str) -> None:
    with pytest.raises(ParamError) as caught:
        build(Everything, values)
    assert caught.value.path == path
    assert said in caught.value.message
    assert str(caught.value) == f"{path}: {caught.value.message}"


def test_a_path_goes_on_from_where_it_began() -> None:
    with pytest.raises(ParamError) as caught:
        build(Inner, {"host": "a", "port": "b"}, "with.source")
    assert caught.value.path == "with.source.port"


def test_a_refused_secret_is_not_repeated() -> None:
    with pytest.raises(ParamError) as caught:
        build(Everything, {"text": "x", "password": "hunter2-real"})
    assert "hunter2-real" not in str(caught.value)


def test_unions_take_the_first_that_fits() -> None:
    assert convert(int | str, "5", "x") == 5
    assert convert(int | str, "five", "x") == "five"
    assert convert(Inner | None, None, "x") is None
    assert convert(None | int, "5", "x") == 5
    with pytest.raises(ParamError):
        convert(int | float, None, "x")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [(90, 90), (0, 0), (1.5, 1.5), ("90", 90), ("90s", 90), (" 5 m ", 300), ("1.5h", 5400), ("3d", 259_200)],
)
def test_durations(text: Any, seconds: float) -> None:
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize(
    "wrong", ["", "s", "-5", -5, "5 weeks", True, None, math.nan, math.inf, "9" * 400, 1e12, "1h30m", [5]]
)
def test_what_is_no_duration(wrong: Any) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        parse_seconds(wrong)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(fields(Everything))), JSON))
def test_any_value_is_built_or_refused_with_a_path(values: dict[str, Any]) -> None:
    path = "fits"
    found = Everything("x")
    try:
        found = build(Everything, {"text": "x", **values})
    except ParamError as error:
        path = error.path
    assert path
    assert isinstance(found.whole, int)
    assert math.isfinite(found.part)
    assert math.isfinite(found.pause)
