"""What Terraform runs in: its environment, its provider source, its backend's settings."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from migrator.contracts.surroundings import Surroundings
from migrator.contracts.terraform import Backend
from migrator.tools.process import allowed_environment

_REGISTRY = "registry.terraform.io"
_PREFIXES = ("~/.terraform.d", "/usr/local/share", "/usr/share", "/opt")
_AWS_PREFIXES = ("AWS_",)
_NOT_FROM_OUTSIDE = ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL")

MIRROR_VARIABLE = "MIGRATOR_PROVIDER_MIRROR"
"""The operator's setting for a folder that holds `registry.terraform.io/hashicorp/aws`."""


def environment(surroundings: Surroundings, cli_config: Path, data: Path) -> dict[str, str]:
    """The whole environment of a Terraform call. Only here are credentials handed to Terraform."""
    own = {
        "TF_IN_AUTOMATION": "1",
        "TF_INPUT": "0",
        "CHECKPOINT_DISABLE": "1",
        "NO_COLOR": "1",
        "TF_CLI_CONFIG_FILE": str(cli_config),
        "TF_DATA_DIR": str(data),
        "AWS_REGION": surroundings.region,
        "AWS_DEFAULT_REGION": surroundings.region,
    }
    if surroundings.aws_endpoint:
        own["AWS_ENDPOINT_URL"] = surroundings.aws_endpoint
    if surroundings.aws_credentials is not None:
        # Credentials are given: nothing of this machine's own AWS configuration may mix in.
        key, secret = surroundings.aws_credentials
        own |= {
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": secret.reveal(),
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }
        kept = allowed_environment()
    else:
        kept = allowed_environment(prefixes=_AWS_PREFIXES)
        for name in _NOT_FROM_OUTSIDE:
            kept.pop(name, None)
        if surroundings.aws_profile:
            for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
                kept.pop(name, None)
            own["AWS_PROFILE"] = surroundings.aws_profile
    if surroundings.ca_file is not None:
        own["AWS_CA_BUNDLE"] = str(surroundings.ca_file)
    return {**kept, **own, **surroundings.environment}


def backend_settings(backend: Backend, surroundings: Surroundings) -> dict[str, str | bool]:
    """Settings of the partial S3 backend. No secrets: credentials go by the environment."""
    settings: dict[str, str | bool] = {
        "bucket": backend.bucket,
        "key": backend.key,
        "region": backend.region,
        "encrypt": True,
        "use_lockfile": True,
    }
    if backend.lock_table:
        settings["dynamodb_table"] = backend.lock_table
    if surroundings.aws_endpoint:
        settings |= {
            "use_path_style": True,
            "skip_credentials_validation": True,
            "skip_metadata_api_check": True,
            "skip_region_validation": True,
            "skip_requesting_account_id": True,
        }
    return settings


def backend_file(settings: Mapping[str, str | bool]) -> str:
    """The settings as text of a backend configuration file."""
    return "".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items())


def operators_config() -> Path | None:
    """The operator's own CLI configuration, when it is really there."""
    named = os.environ.get("TF_CLI_CONFIG_FILE") or os.environ.get("TERRAFORM_CONFIG")
    for candidate in (named, "~/.terraformrc"):
        if candidate and Path(candidate).expanduser().is_file():
            return Path(candidate).expanduser()
    return None


def provider_mirror(prefixes: tuple[str, ...] = _PREFIXES) -> Path | None:
    """A folder above `registry.terraform.io/hashicorp/aws`: the operator's setting, else where mirrors often lie."""
    named = os.environ.get(MIRROR_VARIABLE)
    for folder in (*([Path(named).expanduser()] if named else []), *_likely(prefixes)):
        if (folder / _REGISTRY / "hashicorp" / "aws").is_dir():
            return folder
    return None


def _likely(prefixes: tuple[str, ...]) -> Iterator[Path]:
    for prefix in prefixes:
        base = Path(prefix).expanduser()
        for pattern in (f"*/{_REGISTRY}", f"*/*/{_REGISTRY}"):
            try:
                found = sorted(base.glob(pattern))
            except OSError:
                continue
            yield from (folder.parent for folder in found)


def cli_config(mirror: Path | None, cache: Path) -> str:
    """Text of a CLI configuration: providers from the mirror, anything else from the registry through a cache."""
    lines = ["disable_checkpoint = true"]
    if mirror is None:
        return "\n".join([*lines, f"plugin_cache_dir = {json.dumps(str(cache))}"]) + "\n"
    held = sorted(
        f"{_REGISTRY}/{folder.parent.name}/{folder.name}"
        for folder in (mirror / _REGISTRY).glob("*/*")
        if folder.is_dir()
    )
    return (
        "\n".join(
            [
                *lines,
                "provider_installation {",
                f"  filesystem_mirror {{\n    path    = {json.dumps(str(mirror))}",
                f"    include = {json.dumps(held)}\n  }}",
                f"  direct {{\n    exclude = {json.dumps(held)}\n  }}",
                "}",
            ]
        )
        + "\n"
    )
