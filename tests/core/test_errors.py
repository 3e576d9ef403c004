"""Errors say what, where and what next; their exit codes are a contract."""

from __future__ import annotations

import pytest

from migrator import errors
from migrator.errors import ExitCode, InvalidRunbook, MigratorError, Problem


def test_an_error_says_what_where_and_what_next() -> None:
    error = MigratorError("it broke", where="step network", next="mend it", detail="tool: no")
    assert str(error) == "step network: it broke\ntool: no\nNext: mend it"
    assert str(MigratorError("it broke")) == "it broke"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.StepError, 1),
        (errors.JournalDamaged, 1),
        (errors.UsageError, 2),
        (errors.CredentialsError, 4),
        (errors.Locked, 5),
        (errors.RollbackFailed, 6),
    ],
)
def test_exit_codes_are_the_contract(error: type[MigratorError], code: int) -> None:
    assert error("x").exit_code == code
    assert {c.value for c in ExitCode} == {0, 1, 2, 3, 4, 5, 6, 129, 130, 143}


def test_only_a_refusal_is_not_in_doubt() -> None:
    assert not issubclass(errors.Refused, errors.InDoubt)
    assert issubclass(errors.DeadlineExceeded, errors.InDoubt)
    assert issubclass(errors.Interrupted, errors.InDoubt)


def test_every_problem_is_a_line_with_its_place() -> None:
    found = InvalidRunbook((Problem("a.yaml", 3, 7, "no"), Problem("a.yaml", 9, 1, "nor this")))
    assert "a.yaml:3:7: no\na.yaml:9:1: nor this" in str(found)
    assert str(found).startswith("2 problems found")
    assert str(InvalidRunbook((Problem("a.yaml", 1, 1, "no"),))).startswith("1 problem found")
