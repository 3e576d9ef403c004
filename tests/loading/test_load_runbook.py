"""What a good runbook becomes."""

from __future__ import annotations

import hashlib
from pathlib import Path

from migrator.loading.runbook import load_runbook
from migrator.model.runbook import AutoApprove, StepKind
from tests.loading.books import GOOD, changed, load, told
from tests.loading.catalogue import CATALOGUE


def test_the_small_one(tmp_path: Path) -> None:
    runbook = load(tmp_path, GOOD)
    assert runbook.name == "small"
    assert runbook.digest == hashlib.sha256(GOOD.encode()).hexdigest()
    assert [phase.after for phase in runbook.phases] == [(), ("look",)]
    first, decide, network, note = runbook.steps()
    assert first.params == {"host": "www.${vars.domain}"}
    assert first.line == 13
    assert decide.kind is StepKind.GATE
    assert decide.gate is not None
    assert (decide.gate.evidence, decide.gate.auto, decide.gate.max_age_seconds) == (
        ("first",),
        AutoApprove.NEVER,
        60,
    )
    assert network.params == {"stack": "demo/network", "variables": {"cidr": "10.0.0.0/16"}}
    assert note.needs == ("first", "decide", "network")


def test_needs_are_declared_implied_and_inherited(tmp_path: Path) -> None:
    parallel = changed(("summary: Builds.", "summary: Builds.\n    after: []"))
    _, decide, network, note = load(tmp_path, parallel).steps()
    assert decide.needs == ("first",)
    assert network.needs == ()
    assert note.needs == ("network",)


def test_nothing_slips_past_a_gate_of_its_phase(tmp_path: Path) -> None:
    late = changed(
        (
            "  - id: build\n    title: Build\n    summary: Builds.\n    steps:\n",
            "",
        )
    )
    _, _, network, note = load(tmp_path, late).steps()
    assert network.needs == ("decide",)
    assert note.needs == ("decide", "network")


def test_parameters_are_typed_by_the_action(tmp_path: Path) -> None:
    text = changed(
        (
            "          host: www.${vars.domain}",
            """\
          host: no
          times: '2'
          deep: no
          timeout: 5m
          note: null
          names: [1.10, 22:22, 'null']""",
        )
    )
    first = next(load(tmp_path, text).steps())
    assert first.params == {
        "host": "no",
        "times": 2,
        "deep": False,
        "timeout": 300.0,
        "note": None,
        "names": ["1.10", "22:22", "null"],
    }


def test_free_values_are_typed_only_when_nothing_is_lost(tmp_path: Path) -> None:
    text = changed(
        (
            "cidr: 10.0.0.0/16",
            "cidr: [1, -2, 1.5, 1.10, 007, 1_000, 22:22, no, true, ~, '3', 1e3, 0x1f, '${vars.size}']",
        )
    )
    network = load(tmp_path, text).step("network")
    assert network.params["variables"] == {
        "cidr": [
            1,
            -2,
            1.5,
            "1.10",
            "007",
            "1_000",
            "22:22",
            "no",
            True,
            None,
            "3",
            "1e3",
            "0x1f",
            "${vars.size}",
        ]
    }


def test_an_expression_fits_every_type(tmp_path: Path) -> None:
    every = "\n".join(
        f"          {name}: ${{vars.size}}"
        for name in ("host", "times", "deep", "timeout", "scheme", "note", "names")
    )
    assert told(tmp_path, changed(("          host: www.${vars.domain}", every))) == []


def test_without_stacks_their_names_are_not_checked(tmp_path: Path) -> None:
    file = tmp_path / "book.yaml"
    file.write_text(
        changed(("cidr: 10", "cdir: 10"), ("steps.network.vpc_id", "steps.network.any")), encoding="utf-8"
    )
    assert load_runbook(file, CATALOGUE, None).name == "small"
