"""What time it is, as the wizard sees it. Tests give their own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol, cast

from textual.dom import DOMNode

Now = Callable[[], datetime]


def local_now() -> datetime:
    """The time now, in the operator's zone."""
    return datetime.now().astimezone()


class _Timed(Protocol):
    now: Now


def now_of(node: DOMNode) -> datetime:
    """The time now, by the clock of the node's application."""
    return cast(_Timed, node.app).now()
