"""Fixtures for all tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.postgres_lab import Lab, started


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Two real PostgreSQL servers, shared by the session."""
    with started(tmp_path_factory.mktemp("postgres")) as found:
        yield found
