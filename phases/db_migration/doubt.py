"""Once an effect was sent, a later refusal no longer proves that nothing happened."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from migrator.errors import InDoubt, Refused


@contextmanager
def effects_begun() -> Iterator[None]:
    """Turns `Refused` into `InDoubt`, words kept: the step is probed before anything else is sent."""
    try:
        yield
    except Refused as error:
        raise InDoubt(error.what, where=error.where, detail=error.detail, next=error.next) from error
