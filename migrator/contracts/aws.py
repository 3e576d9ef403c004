"""Calls to AWS, with foreign exceptions already translated."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from migrator.errors import InDoubt, Refused


class AwsRefused(Refused):
    """AWS answered with an error of the caller's (4xx): nothing was changed. `code` is AWS's error code."""

    def __init__(self, what: str, *, code: str, where: str = "", next: str = "", detail: str = "") -> None:  # noqa: A002
        super().__init__(what, where=where, next=next, detail=detail)
        self.code = code


class AwsInDoubt(InDoubt):
    """The call may have been carried out: a time-out, a cut connection or a 5xx after sending."""


class Aws(Protocol):
    """One typed door to boto3: clients are made once and kept; calls never send a creation twice."""

    account: str
    region: str

    def call(
        self, service: str, operation: str, *, region: str | None = None, **parameters: Any
    ) -> dict[str, Any]:
        """One operation by its boto3 name, such as `call("route53", "get_hosted_zone", Id=...)`.

        Reads (describe, get, list, head, batch_get) are repeated on throttling and connection errors; changes
        are sent once. `AwsRefused`, `AwsInDoubt` or `CredentialsError`.
        """
        ...

    def pages(self, service: str, operation: str, key: str, **parameters: Any) -> Iterator[Any]:
        """All items under `key` over all pages of a list operation."""
        ...
