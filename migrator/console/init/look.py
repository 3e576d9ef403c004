"""Looks at the machine and the account for an interview: each at most once, and only when it is of use."""

from __future__ import annotations

import functools
import os
from functools import cached_property
from pathlib import Path

from migrator.contracts.postgres import Database
from migrator.tools import discovery
from migrator.tools.discovery import AwsFacts, AwsProfile

AWS_SECONDS = 10.0
_FALLBACK_REGION = "us-west-2"


class Look:
    """What can be found. Nothing here fails: what cannot be found is left out."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @cached_property
    def profiles(self) -> tuple[AwsProfile, ...]:
        """Profiles of the AWS configuration files."""
        return discovery.aws_profiles()

    @property
    def own_credentials(self) -> bool:
        """Whether the environment itself holds credentials."""
        return bool(os.environ.get("AWS_ACCESS_KEY_ID"))

    def region_of(self, profile: str) -> str:
        """The region of the environment, else of the profile."""
        own = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        configured = [each.region for each in self.profiles if each.name == (profile or "default")]
        return own or next(iter(configured), "") or _FALLBACK_REGION

    def aws(self, profile: str, region: str) -> AwsFacts:
        """Facts of the account."""
        return discovery.look_at_aws(discovery.aws_door(profile, region), AWS_SECONDS)

    @cached_property
    def images(self) -> tuple[str, ...]:
        """Images of the local engine, when one answers."""
        from migrator.tools.process import LocalProcesses

        none: tuple[str, ...] = ()
        look = functools.partial(discovery.engine_images, LocalProcesses())
        return discovery.within(discovery.ENGINE_SECONDS + 1, look, none)[0]

    @cached_property
    def layouts(self) -> tuple[str, ...]:
        """OCI layouts in and below the migration's folder and the current one."""
        return tuple(
            dict.fromkeys((*discovery.oci_layouts(self._folder), *discovery.oci_layouts(Path.cwd())))
        )

    @cached_property
    def database(self) -> tuple[str, int] | None:
        """A database that listens here."""
        return discovery.local_database()

    def unreachable(self, host: str, port: int) -> str:
        """Why there is no connection; empty when there is one."""
        return discovery.unreachable(host, port)

    def version(self, database: Database, profile: str, region: str) -> tuple[str, str]:
        """The server's version, and why there is none."""
        return discovery.server_version(database, discovery.aws_door(profile, region))

    def secret_problem(self, reference: str) -> str:
        """Why a secret cannot be read here; empty when it can, or lies in AWS."""
        return discovery.secret_problem(reference, discovery.aws_door("", _FALLBACK_REGION))
