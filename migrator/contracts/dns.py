"""Questions to name servers and resolvers."""

from __future__ import annotations

from typing import Protocol


class Dns(Protocol):
    """Questions to name servers and resolvers."""
