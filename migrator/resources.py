"""Finds what is shipped beside the code: runbooks and Terraform, in a checkout and in a wheel alike."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path


def shipped(name: str) -> Path:
    """The folder `runbooks` or `terraform` as it was shipped."""
    package = Path(str(files("migrator")))
    packed = package / "_shipped" / name
    return packed if packed.is_dir() else package.parent / name
