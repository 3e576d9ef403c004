"""The JSON Schema agrees with the loader, and the committed one with the code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from migrator.loading.problems import Problems
from migrator.loading.reader import Reader
from migrator.loading.schema import as_text, schema
from migrator.loading.yaml_positions import parse
from migrator.resources import shipped
from tests.loading.books import GOOD, changed, told
from tests.loading.catalogue import CATALOGUE
from tests.loading.shipped_actions import CATALOGUE as SHIPPED


def document(text: str) -> Any:
    """The file as an editor sees it: YAML 1.2, where `yes` and `no` are texts."""
    problems = Problems("")
    node = parse(text.encode(), problems)
    assert node is not None
    return Reader(problems).free(node)


def valid(text: str, made: dict[str, Any]) -> bool:
    return bool(jsonschema.Draft202012Validator(made).is_valid(document(text)))


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(schema(CATALOGUE))


def test_the_good_one_fits() -> None:
    assert valid(GOOD, schema(CATALOGUE))


@pytest.mark.parametrize(
    "change",
    [
        ("title: A small move", "titel: A small move"),
        ("why: To know.", "why: ''"),
        ("action: look.at", "action: look.ta"),
        ("          host: www.${vars.domain}", "          hst: a"),
        ("          host: www.${vars.domain}", "          host: a\n          times: many"),
        ("          host: www.${vars.domain}", "          host: a\n          scheme: ftp"),
        ("id: network", "id: Net-work"),
        ("          no: It stops.\n", ""),
        ("        action: stack.apply\n", ""),
    ],
)
def test_what_the_loader_refuses_the_schema_refuses(change: tuple[str, str], tmp_path: Path) -> None:
    text = changed(change)
    assert told(tmp_path, text)
    assert not valid(text, schema(CATALOGUE))


def test_expressions_fit_every_parameter() -> None:
    names = ("host", "times", "deep", "timeout", "scheme", "note", "names")
    every = "\n".join(f"          {name}: ${{vars.size}}" for name in names)
    assert valid(changed(("          host: www.${vars.domain}", every)), schema(CATALOGUE))


def test_the_committed_schema_is_the_generated_one() -> None:
    committed = (shipped("runbooks") / "runbook.schema.json").read_text(encoding="utf-8")
    assert committed == as_text(schema(SHIPPED)), "generate it again: make schema"


def test_the_shipped_runbooks_fit_the_committed_schema() -> None:
    made = json.loads((shipped("runbooks") / "runbook.schema.json").read_text(encoding="utf-8"))
    for file in shipped("runbooks").glob("*.yaml"):
        problems = [
            f"{'/'.join(map(str, error.absolute_path))}: {error.message[:200]}"
            for error in jsonschema.Draft202012Validator(made).iter_errors(
                document(file.read_text(encoding="utf-8"))
            )
        ]
        assert not problems, f"{file.name}: {problems}"
