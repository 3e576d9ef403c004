"""Container images: sources, pushing, proof."""

from __future__ import annotations

from typing import Protocol


class Images(Protocol):
    """Container images: sources, pushing, proof."""
