"""Fixtures for all tests, and their order."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.postgres_lab import Lab, started

_LONGEST_FIRST = (
    "tests/rehearsal/",
    "tests/phases/test_parallel_infra",
    "tests/tools/test_terraform",
    "tests/terraform/",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes minutes begins first, so that workers end at about the same time."""

    def rank(item: pytest.Item) -> int:
        return next((i for i, start in enumerate(_LONGEST_FIRST) if item.nodeid.startswith(start)), 99)

    items.sort(key=rank)


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Two real PostgreSQL servers, shared by the session."""
    with started(tmp_path_factory.mktemp("postgres")) as found:
        yield found


@pytest.fixture(scope="session")
def lab(servers: Lab) -> Lab:
    """The same, by the name that most tests use; tests of the twin have another `lab`."""
    return servers
