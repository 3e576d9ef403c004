"""The one door to boto3: clients made once and kept, changes sent once, exceptions translated."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from migrator import __version__
from migrator.contracts.aws import AwsRefused
from migrator.contracts.surroundings import Surroundings
from migrator.errors import CredentialsError

if TYPE_CHECKING:
    from migrator.tools.aws_errors import Call

_READ_PREFIXES = ("describe_", "get_", "list_", "head_", "batch_get_")
_READ_ATTEMPTS = 5
_THROTTLED_ATTEMPTS = 5
_CONNECT_SECONDS = 5
_READ_TIMEOUT_SECONDS = 30
_CHANGE_TIMEOUT_SECONDS = 90
_POOLED_CONNECTIONS = 16


def is_read(operation: str) -> bool:
    """Whether an operation (boto3's name) only reads, judged by its first word."""
    return operation.startswith(_READ_PREFIXES)


class BotoAws:
    """`contracts.aws.Aws` over boto3. boto3 is imported by the first call, never before.

    A change that AWS throttled was proven not to begin and is repeated a few times; nothing else that
    changes is. Before the first change the identity's account is compared with the run's.
    Bodies of answers (S3 objects) come as bytes.
    """

    def __init__(self, surroundings: Surroundings) -> None:
        self.account = surroundings.account
        self.region = surroundings.region
        self._surroundings = surroundings
        self._lock = threading.Lock()
        self._session: Any = None
        self._clients: dict[tuple[str, str, bool], Any] = {}
        self._account_proven = False

    def call(
        self, service: str, operation: str, *, region: str | None = None, **parameters: Any
    ) -> dict[str, Any]:
        """One operation by its boto3 name. `AwsRefused`, `AwsInDoubt` or `CredentialsError`."""
        changes = not is_read(operation)
        if changes:
            self._prove_account()
        client, call = self._prepare(service, operation, region, changes)
        return self._send(client, call, parameters)

    def pages(
        self, service: str, operation: str, key: str, *, region: str | None = None, **parameters: Any
    ) -> Iterator[Any]:
        """All items under `key` (dots reach into nested mappings) over all pages of a list operation."""
        client, call = self._prepare(service, operation, region, changes=False)
        if not client.can_paginate(operation):
            yield from _items(self._send(client, call, parameters), key)
            return
        pages = iter(client.get_paginator(operation).paginate(**parameters))
        while True:
            try:
                page = next(pages)
            except StopIteration:
                return
            except Exception as error:
                raise self._translated(error, call) from error
            yield from _items(page, key)

    def _send(self, client: Any, call: Call, parameters: Mapping[str, Any]) -> dict[str, Any]:
        from migrator.tools.aws_errors import THROTTLED

        attempt = 1
        while True:
            try:
                answer = getattr(client, call.operation)(**parameters)
                return {name: _whole(value) for name, value in answer.items()}
            except Exception as error:
                ours = self._translated(error, call)
                throttled = isinstance(ours, AwsRefused) and ours.code in THROTTLED
                if not (throttled and call.changes and attempt < _THROTTLED_ATTEMPTS):
                    raise ours from error
            time.sleep(2 ** (attempt - 1) * random.uniform(0.5, 1.0))  # noqa: S311 - spreads load, guards nothing
            attempt += 1

    def _translated(self, error: Exception, call: Call) -> Exception:
        from migrator.tools.aws_errors import translate

        ours = translate(error, call)
        if isinstance(ours, CredentialsError):
            self._forget()
        return ours

    def _forget(self) -> None:
        """The next call reads credentials anew: the operator may have renewed them."""
        with self._lock:
            self._session = None
            self._clients.clear()
            self._account_proven = False

    def _prove_account(self) -> None:
        if self._account_proven or not self.account:
            return
        found = str(self.call("sts", "get_caller_identity")["Account"])
        if found != self.account:
            self._forget()
            raise CredentialsError(
                f"the credentials are for account {found}, this run is for {self.account}; nothing was changed",
                next="use the profile or keys of that account, then `migrator resume`",
            )
        self._account_proven = True

    def _prepare(self, service: str, operation: str, region: str | None, changes: bool) -> tuple[Any, Call]:
        from migrator.tools.aws_errors import Call

        region = region or self.region
        profile = self._surroundings.aws_profile or os.environ.get("AWS_PROFILE")
        call = Call(service, operation, operation, service, region, changes, profile)
        try:
            client = self._client(service, region, changes)
        except Exception as error:
            raise self._translated(error, call) from error
        api_name = client.meta.method_to_api_mapping.get(operation)
        if api_name is None:
            raise AwsRefused(
                f"there is no operation {operation} in {service}", code="NoSuchOperation", where=call.where
            )
        signing_name = client.meta.service_model.signing_name
        return client, Call(service, operation, api_name, signing_name, region, changes, profile)

    def _client(self, service: str, region: str, changes: bool) -> Any:
        key = (service, region, changes)
        with self._lock:
            if key not in self._clients:
                if self._session is None:
                    self._session = _session(self._surroundings)
                self._clients[key] = self._session.client(
                    service,
                    region_name=region,
                    endpoint_url=self._surroundings.aws_endpoint,
                    config=_config(self._surroundings, changes),
                    **_trust(self._surroundings),
                )
            return self._clients[key]


def _session(surroundings: Surroundings) -> Any:
    import boto3
    import botocore.session

    if surroundings.aws_credentials is None:
        return boto3.Session(profile_name=surroundings.aws_profile, region_name=surroundings.region)
    # Credentials are given: nothing of this machine's own AWS configuration may mix in.
    nowhere = {
        "profile": (None, None, None, None),
        "config_file": (None, None, os.devnull, None),
        "credentials_file": (None, None, os.devnull, None),
    }
    access_key, secret_key = surroundings.aws_credentials
    return boto3.Session(
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key.reveal(),
        region_name=surroundings.region,
        botocore_session=botocore.session.Session(session_vars=nowhere),
    )


def _config(surroundings: Surroundings, changes: bool) -> Any:
    from botocore.config import Config

    settings: dict[str, Any] = {
        "user_agent_extra": f"migrator/{__version__}",
        "connect_timeout": _CONNECT_SECONDS,
        "read_timeout": _CHANGE_TIMEOUT_SECONDS if changes else _READ_TIMEOUT_SECONDS,
        "retries": {"mode": "standard", "total_max_attempts": 1 if changes else _READ_ATTEMPTS},
        "max_pool_connections": _POOLED_CONNECTIONS,
    }
    if surroundings.aws_endpoint is not None:
        settings |= {"s3": {"addressing_style": "path"}, "inject_host_prefix": False, "proxies": {}}
    return Config(**settings)


def _trust(surroundings: Surroundings) -> dict[str, Any]:
    endpoint = surroundings.aws_endpoint or ""
    if endpoint.startswith("https") and surroundings.ca_file is not None:
        return {"verify": str(surroundings.ca_file)}
    return {}


def _whole(value: Any) -> Any:
    from botocore.response import StreamingBody

    return value.read() if isinstance(value, StreamingBody) else value


def _items(page: Mapping[str, Any], key: str) -> Iterator[Any]:
    found: Any = page
    for name in key.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    yield from found or ()
