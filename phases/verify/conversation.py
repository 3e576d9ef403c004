"""Several requests in a row with one host: placeholders filled in, expectations checked, values captured."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from migrator.contracts.action import Check
from migrator.contracts.context import StepContext
from migrator.contracts.http import Http, HttpRequest, HttpResponse
from migrator.contracts.params import SecretRef
from migrator.errors import Refused, StepError
from migrator.secrets import REDACTOR, Secret
from phases.verify.expectations import check_json, check_status, excerpt, find, is_secret_name

_PLACEHOLDER = re.compile(r"\{([a-z_][a-z0-9_]*)\}")
_REQUEST_SECONDS = 15.0


@dataclass(frozen=True)
class FlowRequest:
    """One request of a flow and what must come back.

    `{name}` in path, headers and texts of `json` is filled in: `{key}` (unique to this step), `{secret}` (a
    random password kept for this step), the names in the step's `secrets`, and what earlier requests
    captured. `capture` maps a name to a dotted path in the JSON answer; captures listed in `secret`, and
    those whose name says so (token, password, …), are never shown and may not stand in a path. `gone_status`,
    in a clean-up, are statuses that say: there is nothing left to clean.
    """

    name: str
    method: str = "GET"
    path: str = "/"
    json: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    expect_status: int = 200
    expect_json: Mapping[str, Any] = field(default_factory=dict)
    capture: Mapping[str, str] = field(default_factory=dict)
    secret: tuple[str, ...] = ()
    gone_status: tuple[int, ...] = (404, 410)


class Conversation:
    """Says requests to one host. `values` grows by what is captured."""

    def __init__(
        self, http: Http, host: str, via: str, values: Mapping[str, Any], timeout: float = _REQUEST_SECONDS
    ) -> None:
        self._http, self._host, self._via, self._timeout = http, host, via, timeout
        self.values: dict[str, Any] = dict(values)

    def say(self, request: FlowRequest) -> tuple[Check, ...]:
        """Sends one request; a check each for its status, expectations and captures."""
        response = self.send(request)
        captures = self._capture(request, response)
        expected = fill(request.expect_json, self.values)
        return (
            check_status(response, request.expect_status, request.name),
            *check_json(response, expected),
            *captures,
        )

    def clean(self, requests: Sequence[FlowRequest]) -> None:
        """Says clean-up requests until one says that nothing is left; `StepError` when one fails."""
        for request in requests:
            response = self.send(request)
            if response.status != request.expect_status:
                if response.status in request.gone_status:
                    return
                raise StepError(
                    f"clean-up: {request.name} answered {response.status}, not {request.expect_status}",
                    where=self._host,
                    detail=excerpt(response),
                    next="remove what is left by hand, or try again",
                )
            red = [check for check in self._capture(request, response) if not check.ok]
            if red:
                raise StepError(f"clean-up: {request.name}: {red[0].name}: {red[0].detail}", where=self._host)

    def shareable(self) -> dict[str, Any]:
        """The captured values that are no secrets."""
        return {name: value for name, value in self.values.items() if not isinstance(value, Secret)}

    def send(self, request: FlowRequest) -> HttpResponse:
        """Sends one request with its placeholders filled in."""
        return self._http.send(
            HttpRequest(
                host=self._host,
                via=self._via,
                method=request.method,
                path=_fill_path(request, self.values),
                headers=fill(request.headers, self.values),
                json=None if request.json is None else fill(request.json, self.values),
                timeout=self._timeout,
            )
        )

    def _capture(self, request: FlowRequest, response: HttpResponse) -> tuple[Check, ...]:
        checks = []
        for name, path in request.capture.items():
            try:
                value = find(response.json(), path)
            except (LookupError, ValueError):
                checks.append(
                    Check(f"{request.name} gives {name}", False, f"there is no {path} in the answer")
                )
                continue
            if isinstance(value, Mapping | list) or value in (None, ""):
                checks.append(Check(f"{request.name} gives {name}", False, f"{path} is no single value"))
            elif name in request.secret or is_secret_name(name):
                self.values[name] = Secret(str(value))
            else:
                self.values[name] = REDACTOR.scrub(value) if isinstance(value, str) else value
        return tuple(checks)


def fill(value: Any, values: Mapping[str, Any]) -> Any:
    """`value` with its placeholders filled in at any depth; a text that takes in a secret becomes one."""
    if isinstance(value, Mapping):
        return {str(key): fill(each, values) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [fill(each, values) for each in value]
    if not isinstance(value, str):
        return value
    whole = _PLACEHOLDER.fullmatch(value)
    if whole:
        return values[whole[1]]
    taken = [values[name] for name in _PLACEHOLDER.findall(value)]
    text = _PLACEHOLDER.sub(lambda match: _plain(values[match[1]]), value)
    return Secret(text) if any(isinstance(each, Secret) for each in taken) else text


def starting_values(ctx: StepContext[Any], references: Mapping[str, SecretRef]) -> dict[str, Any]:
    """`key`, `secret` and the secrets that the step names."""
    values: dict[str, Any] = {
        name: ctx.tools.secrets.resolve(reference) for name, reference in references.items()
    }
    return {**values, "key": ctx.key, "secret": _own_secret(ctx.work / "conversation.secret")}


def problems(
    requests: Sequence[FlowRequest], plain: Iterable[str] = (), hidden: Iterable[str] = ()
) -> Iterator[str]:
    """What is wrong with requests before any is sent: unknown placeholders, secrets in a path.

    `plain` and `hidden` are names known beforehand, secrets among the latter.
    """
    names, secret_names = {"key", "secret", *plain, *hidden}, {"secret", *hidden}
    for request in requests:
        for name in _names((request.path, request.json, request.headers)):
            if name not in names:
                yield f"{request.name}: nothing before it gives {{{name}}}"
        for name in _names(request.path):
            if name in secret_names:
                yield f"{request.name}: the secret {{{name}}} must not stand in a path"
        secret_names |= captured_names([request], secret=True)
        names |= set(request.capture)
        for name in _names(request.expect_json):
            if name not in names:
                yield f"{request.name}: nothing gives {{{name}}}"


def captured_names(requests: Iterable[FlowRequest], *, secret: bool) -> set[str]:
    """The names that requests capture as secrets, or those that they capture openly."""
    return {
        name
        for request in requests
        for name in request.capture
        if (name in request.secret or is_secret_name(name)) is secret
    }


def refuse_problems(found: Sequence[str]) -> None:
    """`Refused` with all problems, if there are any."""
    if found:
        raise Refused("the requests cannot be sent", detail="\n".join(found), next="correct the runbook")


def _names(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for each in value.values():
            yield from _names(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _names(each)
    elif isinstance(value, str):
        yield from _PLACEHOLDER.findall(value)


def _fill_path(request: FlowRequest, values: Mapping[str, Any]) -> str:
    def quoted(match: re.Match[str]) -> str:
        value = values[match[1]]
        if isinstance(value, Secret):
            raise Refused(f"the secret {match[1]} must not stand in a path", where=request.name)
        return quote(_plain(value), safe="")

    return _PLACEHOLDER.sub(quoted, request.path)


def _plain(value: Any) -> str:
    if isinstance(value, Secret):
        return value.reveal()
    return str(value).lower() if isinstance(value, bool) else str(value)


def _own_secret(file: Path) -> Secret:
    """A random password, the same in every attempt of this step, in a file that only its owner reads."""
    try:
        return Secret(file.read_text(encoding="ascii"))
    except FileNotFoundError:
        pass
    value = f"Aa1-{secrets.token_urlsafe(24)}"
    unfinished = file.with_suffix(".part")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as stream:
        stream.write(value)
        stream.flush()
        os.fsync(stream.fileno())
    unfinished.replace(file)
    return Secret(value)
