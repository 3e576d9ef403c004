"""No animations, no colours taken away, and a folder of its own for every test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from textual import constants

from tests.tui.fake import FakeControl


@pytest.fixture(autouse=True)
def calm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(constants, "TEXTUAL_ANIMATIONS", "none")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def control(tmp_path: Path) -> Iterator[FakeControl]:
    """Runs led by the engine, ended with the test."""
    made = FakeControl(tmp_path / "runs", seconds=0.02)
    yield made
    made.stop()
