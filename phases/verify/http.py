"""One HTTP request and what must come back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from migrator.contracts.action import ActionSpec, Check, Verification
from migrator.contracts.context import StepContext
from migrator.contracts.http import HttpInDoubt, HttpNotSent, HttpRequest
from migrator.contracts.params import Seconds
from migrator.model.runbook import EffectClass
from phases.verify.expectations import check_headers, check_json, check_status, show
from phases.verify.reading import ReadOnly, until_green

_TIMEOUT = Seconds(60.0)
_REQUEST_SECONDS = 10.0


@dataclass(frozen=True)
class HttpParams:
    """The request, and what its answer must be like. `via` is a name to connect to instead of `host`.

    `expect_json` maps a dotted path to a value; a value of `expect_header` may end with `*`; `expect_text`
    must stand somewhere in the body.
    """

    host: str
    path: str = "/"
    scheme: Literal["https", "http"] = "https"
    via: str = ""
    expect_status: int = 200
    expect_json: Mapping[str, Any] = field(default_factory=dict)
    expect_header: Mapping[str, str] = field(default_factory=dict)
    expect_text: str = ""
    timeout: Seconds = _TIMEOUT


class HttpCheck(ReadOnly[HttpParams]):
    """GET until everything is as expected or the time is over."""

    spec = ActionSpec(
        name="verify.http",
        summary="Ask a URL and check the answer",
        effect=EffectClass.READ,
        params=HttpParams,
        outputs={"status": "The status of the answer", "latency_ms": "How long it took, in milliseconds"},
        reprove=False,
    )

    def verify(self, ctx: StepContext[HttpParams]) -> Verification:
        """The newest look."""
        return until_green(ctx, ctx.params.timeout, lambda: _look(ctx))


def _look(ctx: StepContext[HttpParams]) -> Verification:
    params = ctx.params
    request = HttpRequest(
        host=params.host,
        path=params.path,
        scheme=params.scheme,
        via=params.via,
        timeout=min(_REQUEST_SECONDS, max(params.timeout, 1.0)),
    )
    try:
        response = ctx.tools.http.send(request)
    except (HttpNotSent, HttpInDoubt) as error:
        return Verification((Check(f"{request} answers {params.expect_status}", False, show(str(error))),))
    checks = [
        check_status(response, params.expect_status, str(request)),
        *check_headers(response, params.expect_header),
        *check_json(response, params.expect_json),
    ]
    if params.expect_text:
        found = params.expect_text in response.text
        checks.append(
            Check(f"the body holds {show(params.expect_text)}", found, f"{len(response.body)} bytes")
        )
    return Verification(
        tuple(checks),
        outputs={"status": response.status, "latency_ms": round(response.seconds * 1000, 1)},
    )
