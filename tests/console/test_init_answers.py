"""Answers: checked by loading's own code, and written so that they read back the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migrator.console.init.answers import MAX_CHARACTERS, problem_with, text_of, value_of, yaml_of
from migrator.console.init.document import render
from migrator.loading.migration import load_migration, shipped_runbooks
from migrator.loading.values import resolve_values
from migrator.model.runbook import Runbook, Variable
from migrator.runner.control import LocalControl
from tests.console.init_support import fitting_answers

TYPES = ("string", "integer", "number", "boolean", "duration", "list", "map", "domain", "secret_ref")


def variable(kind: str, **more: Any) -> Variable:
    return Variable("x", kind, "What it is", **more)


def runbook_of(*variables: Variable) -> Runbook:
    return Runbook("small", "Title", "Summary", variables, (), {}, (), "", "small.yaml")


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("string", "no", "no"),
        ("string", "1.10", "1.10"),
        ("string", "null", "null"),
        (
            "string",
            "- x: #1 'a' \"b\" \\ {c} [d] & * ! | > % @ `",
            "- x: #1 'a' \"b\" \\ {c} [d] & * ! | > % @ `",
        ),
        ("string", "  spaces around  ", "spaces around"),
        ("integer", "5432", 5432),
        ("number", "1.5", 1.5),
        ("boolean", "no", False),
        ("duration", "5m", 300.0),
        ("domain", "shop.example.com", "shop.example.com"),
        ("secret_ref", "aws:shop/db#password", "aws:shop/db#password"),
        ("list", "us-east-1a, us-east-1b", ["us-east-1a", "us-east-1b"]),
        ("list", "::/0, 10.0.0.0/8", ["::/0", "10.0.0.0/8"]),
        ("list", "80, 443", [80, 443]),
        ("list", "[]", []),
        ("list", '["1.10", a: b]', ["1.10", {"a": "b"}]),
        ("map", "a=1, b=two=three", {"a": 1, "b": "two=three"}),
        ("map", "{a: {b: [c]}}", {"a": {"b": ["c"]}}),
    ],
)
def test_an_answer_means_what_its_type_says_and_reads_back(
    kind: str, text: str, value: object, tmp_path: Path
) -> None:
    asked = variable(kind)
    assert problem_with(asked, text) == ""
    assert value_of(asked, text) == value
    assert read_back(asked, text, tmp_path) == value


def read_back(asked: Variable, text: str, folder: Path) -> object:
    path = folder / "migration.yaml"
    path.write_text(render(runbook_of(asked), "small", {asked.name: text}, ["migrator validate"]), "utf-8")
    migration = load_migration(path, find_runbook=lambda _: path)
    values, _ = resolve_values(runbook_of(asked), migration.values, "run")
    return values[asked.name]


@pytest.mark.parametrize(
    ("kind", "text", "words"),
    [
        ("string", "", "needed"),
        ("string", "   ", "needed"),
        ("string", "two\nlines", "line break"),
        ("string", "\x1b[31mred", "control"),
        ("string", "a\u202eb", "invisible"),
        ("string", "a\ud800", "invisible"),
        ("string", "x" * (MAX_CHARACTERS + 1), "longer"),
        ("integer", "many", "'many' is not a whole number"),
        ("integer", "1.5", "is not a whole number"),
        ("number", "1e999", "is not a number"),
        ("number", "nan", "is not a number"),
        ("boolean", "perhaps", "true or false"),
        ("duration", "soon", "duration"),
        ("domain", "Example.com", "domain name"),
        ("domain", "*.example.com", "domain name"),
        ("list", "{a: b}", "must be a list"),
        ("list", "[a", "not valid YAML"),
        ("list", "[&a x, *a]", "anchor"),
        ("map", "nonsense", "must be a mapping"),
        ("map", "{a: 1, a: 2}", "twice"),
        ("map", "[" * 500, ""),
    ],
)
def test_what_does_not_fit_is_told_in_a_line(kind: str, text: str, words: str) -> None:
    problem = problem_with(variable(kind), text)
    assert problem
    assert words in problem
    assert problem.isprintable()


def test_what_stands_where_a_reference_should_be_is_never_repeated() -> None:
    problem = problem_with(variable("secret_ref"), "hunter2-hunter2")
    assert "env:NAME" in problem
    assert "hunter2" not in problem


def test_the_pattern_and_the_choices_of_a_variable_hold() -> None:
    assert "pattern" in problem_with(variable("string", pattern="[a-z]+"), "A1")
    choice = variable("choice", choices=("require", "disable"))
    assert problem_with(choice, "require") == ""
    assert "did you mean 'require'" in problem_with(choice, "requires")


def test_no_answer_is_fine_where_there_may_be_no_value() -> None:
    assert problem_with(variable("string", required=False), "") == ""


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(TYPES),
    st.text(max_size=60) | st.text(alphabet="[]{},:#&*!|>'\"%@`=- \\ab1.", max_size=40),
)
def test_any_text_is_refused_or_reads_back_the_same(kind: str, text: str) -> None:
    asked = variable(kind)
    if problem_with(asked, text):
        return
    value = value_of(asked, text)
    again = text_of(asked, value)
    assert value_of(asked, again) == value or kind in ("number", "duration")
    assert "\n" not in yaml_of(asked, text)


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("duration", 3600.0, "1h"),
        ("duration", 86_400.0, "1d"),
        ("duration", 90.0, "90s"),
        ("duration", 0.5, "0.5s"),
        ("boolean", False, "false"),
        ("list", [], "[]"),
        ("list", ["a", "b"], "a, b"),
        ("list", ["a, b"], '["a, b"]'),
        ("map", {"a": 1}, '{"a": 1}'),
        ("integer", 20, "20"),
        ("string", None, ""),
    ],
)
def test_a_default_is_shown_as_a_person_would_type_it(kind: str, value: Any, text: str) -> None:
    assert text_of(variable(kind), value) == text


@pytest.mark.parametrize("every", [False, True])
@pytest.mark.parametrize("name", shipped_runbooks())
def test_the_written_file_round_trips_for_every_shipped_runbook(
    name: str, every: bool, tmp_path: Path
) -> None:
    runbook = LocalControl(tmp_path).runbook(name)
    answers = fitting_answers(runbook, every=every)
    path = tmp_path / "migration.yaml"
    path.write_text(render(runbook, name, answers, ["migrator rehearse migration.yaml"]), "utf-8")
    migration = load_migration(path)
    assert migration.runbook.stem == name
    assert list(migration.values) == [v.name for v in runbook.variables if v.name in answers]
    values, provenance = resolve_values(runbook, migration.values, "run")
    for asked in runbook.variables:
        if asked.name in answers:
            assert values[asked.name] == value_of(asked, answers[asked.name])
            assert provenance[asked.name] == "given"
        else:
            assert values[asked.name] == asked.default
    assert LocalControl(tmp_path).check(str(path)).startswith(f"{path}: valid")


@pytest.mark.parametrize("name", shipped_runbooks())
def test_the_commented_defaults_are_right_when_their_mark_is_taken_away(name: str, tmp_path: Path) -> None:
    runbook = LocalControl(tmp_path).runbook(name)
    text = render(runbook, name, fitting_answers(runbook, every=False), [])
    for asked in runbook.variables:
        if asked.default is not None:
            text = text.replace(f"  # {asked.name}: ", f"  {asked.name}: ")
    path = tmp_path / "migration.yaml"
    path.write_text(text, "utf-8")
    values, provenance = resolve_values(runbook, load_migration(path).values, "run")
    for asked in runbook.variables:
        if asked.default is not None:
            assert values[asked.name] == asked.default
            assert provenance[asked.name] == "given"


HOSTILE = (
    "two\nlines: [x]",
    "# comment\r\nformat: 2",
    "\x1b]0;title\x07 \u202e \ufeff \ufff9 \U000e0041 \ud800 \x85 \u2028 end",
    "x" * 10_000,
    "[bold]{markup} %s {0} <b> &amp;",
    "",
)


@pytest.mark.parametrize("words", HOSTILE)
def test_hostile_descriptions_stay_comments(words: str, tmp_path: Path) -> None:
    hostile = Variable("x", "string", words, pattern="")
    other = Variable("y", "choice", words, default="a", choices=("a", "b"), required=False)
    text = render(runbook_of(hostile, other), "small", {"x": "fine"}, [words])
    path = tmp_path / "migration.yaml"
    path.write_text(text, "utf-8")
    migration = load_migration(path, find_runbook=lambda _: path)
    values, _ = resolve_values(runbook_of(hostile, other), migration.values, "run")
    assert values == {"x": "fine", "y": "a"}


def test_a_file_without_values_is_valid(tmp_path: Path) -> None:
    path = tmp_path / "migration.yaml"
    path.write_text(render(runbook_of(variable("string", default="a")), "small", {}, []), "utf-8")
    assert load_migration(path, find_runbook=lambda _: path).values == {}
