"""HTTP and TLS checks."""

from __future__ import annotations

from typing import Protocol


class Http(Protocol):
    """HTTP and TLS checks."""
