"""Secrets by reference: `env:NAME`, `file:/path`, `aws:NAME-OR-ARN#key`."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from migrator.contracts.aws import Aws, AwsRefused
from migrator.errors import Refused
from migrator.secrets import Secret

_MAX_BYTES = 65_536
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class ReferencedSecrets:
    """`contracts.surroundings.SecretStore`: nothing is kept, each call reads the secret anew."""

    def __init__(self, aws: Aws, environment: Mapping[str, str] | None = None) -> None:
        self._aws = aws
        self._environment = os.environ if environment is None else environment

    def resolve(self, reference: str) -> Secret:
        """The secret; `Refused` says which reference could not be resolved and why."""
        kind, _, place = reference.partition(":")
        if kind == "env" and place:
            return self._from_environment(place)
        if kind == "file" and place.startswith("/"):
            return _from_file(Path(place))
        if kind == "aws" and place:
            return self._from_aws(place)
        # What was given may be the secret itself: it is not repeated.
        raise Refused(
            "this is not a reference to a secret",
            next="say where the secret lies: env:NAME, file:/path or aws:NAME#key",
        )

    def _from_environment(self, name: str) -> Secret:
        value = self._environment.get(name)
        if not value:
            raise Refused(
                f"the environment variable {name} is not set", where=f"env:{name}", next=f"export {name}"
            )
        return Secret(value)

    def _from_aws(self, place: str) -> Secret:
        name, _, key = place.partition("#")
        where = f"aws:{place}"
        try:
            found = self._aws.call(
                "secretsmanager", "get_secret_value", SecretId=name, VersionStage="AWSCURRENT"
            )
        except AwsRefused as error:
            if error.code == "ResourceNotFoundException":
                raise Refused("there is no such secret, or it has no value yet", where=where) from error
            raise
        text = found.get("SecretString")
        if not text:
            raise Refused("the secret holds no text", where=where)
        whole = Secret(text)
        return _member(whole, key, where) if key else whole


def _member(whole: Secret, key: str, where: str) -> Secret:
    try:
        values = json.loads(whole.reveal())
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise Refused("the secret is not a JSON object, so it has no keys", where=where)
    value = values.get(key)
    if value is None or value == "" or isinstance(value, dict | list):
        raise Refused(f"the secret has no value under the key {key}", where=where)
    return Secret(value if isinstance(value, str) else json.dumps(value))


def _from_file(path: Path) -> Secret:
    where = f"file:{path}"
    try:
        # Checked and read through one descriptor, so that no other file slips in between; a FIFO cannot block.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise Refused(f"the file cannot be read: {error.strerror}", where=where) from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise Refused("this is not a regular file", where=where)
        _refuse_open_to_others(status, path)
        content = os.read(descriptor, _MAX_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(content) > _MAX_BYTES:
        raise Refused(f"the file is larger than {_MAX_BYTES} bytes", where=where)
    try:
        value = content.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise Refused("the file is not UTF-8 text", where=where) from error
    if not value:
        raise Refused("the file is empty", where=where)
    return Secret(value)


def _refuse_open_to_others(status: os.stat_result, path: Path) -> None:
    where = f"file:{path}"
    if status.st_mode & _OTHERS:
        raise Refused(
            f"others can read the file (mode {stat.S_IMODE(status.st_mode):04o})",
            where=where,
            next=f"chmod 600 {path}",
        )
    if status.st_uid not in {os.geteuid(), 0}:
        raise Refused("the file belongs to another user", where=where, next=f"chown it to you: {path}")
