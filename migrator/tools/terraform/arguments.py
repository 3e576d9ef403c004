"""Argument lists, built by python-terraform: the one place that knows it.

Only its builder is used. Its own launching, variable files and state reading do not fit Terraform 1.x.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from python_terraform import IsFlagged
from python_terraform import Terraform as _Builder

FLAG: Any = IsFlagged
"""An option without a value."""


def arguments(binary: Path, command: str, *positional: str, **options: Any) -> tuple[str, ...]:
    """The argument list of one Terraform command; True and False become words, lists repeat the option.

    Mappings are refused: the builder would write them into a file in the system's temporary folder.
    """
    if any(isinstance(value, dict) for value in options.values()):
        raise TypeError("a mapping is not an option's value")
    # A state file that is not there keeps the builder from reading one.
    builder = _Builder(working_dir=".", state="no-such.tfstate", terraform_bin_path=str(binary))
    return tuple(builder.generate_cmd_string(command, *positional, **options))
