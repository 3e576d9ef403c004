"""Leaves an order for the runner and waits for its answer, away from the screen's own thread."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from migrator.contracts.control import Control, StartOptions

T = TypeVar("T")
_POLL_SECONDS = 0.1
_UNANSWERED = frozenset({"interrupt"})
"""Orders that the runner takes at once and never refuses."""


async def aside(work: Callable[[], T]) -> T:
    """Does blocking work on a thread that never keeps the program from ending."""
    future: concurrent.futures.Future[T] = concurrent.futures.Future()
    future.set_running_or_notify_cancel()

    def run() -> None:
        try:
            future.set_result(work())
        except Exception as error:  # noqa: BLE001 - handed to the one who waits
            future.set_exception(error)

    threading.Thread(target=run, name="aside", daemon=True).start()
    return await asyncio.wrap_future(future)


@dataclass(frozen=True)
class Request:
    """One order. `shown` says what the operator had before their eyes."""

    command: str
    step: str = ""
    reason: str = ""
    confirm: str = ""
    shown: str = ""


def give(control: Control, folder: Path, request: Request, *, wait_seconds: float = 120.0) -> str:
    """Leaves the order; starts a runner when there is none. Gives why it was refused, or empty.

    A runner that does not answer within `wait_seconds` gives a sentence that says so.
    """
    number = control.order(
        folder,
        request.command,
        step=request.step,
        reason=request.reason,
        confirm=request.confirm,
        shown=request.shown,
    )
    control.resume(folder, StartOptions(attended=True))
    if request.command in _UNANSWERED:
        return ""
    until = time.monotonic() + wait_seconds
    while time.monotonic() < until:
        answer = control.answer(folder, number)
        if answer is not None:
            return answer
        time.sleep(_POLL_SECONDS)
    return "the runner has not answered yet; the order stays in its inbox"
