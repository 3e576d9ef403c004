"""One emulated AWS for all tests of phases, emptied before each test that asks for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from migrator.tools.aws import BotoAws
from tests.tools.aws_servers import moto_server, reset, surroundings


@pytest.fixture(scope="session")
def moto_aws() -> Iterator[tuple[str, BotoAws]]:
    """The endpoint, and a door to it whose clients are made once."""
    with moto_server() as endpoint:
        yield endpoint, BotoAws(surroundings(endpoint))


@pytest.fixture
def endpoint(moto_aws: tuple[str, BotoAws]) -> str:
    """The endpoint of an empty account."""
    reset(moto_aws[0])
    return moto_aws[0]


@pytest.fixture
def aws(endpoint: str, moto_aws: tuple[str, BotoAws]) -> BotoAws:
    """The door to an empty account."""
    return moto_aws[1]
