"""A session of the old application is accepted by the new one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from migrator.contracts.action import ActionSpec, Check, Verification
from migrator.contracts.context import StepContext
from migrator.contracts.http import HttpInDoubt, HttpNotSent
from migrator.contracts.params import Seconds, SecretRef
from migrator.errors import StepError
from migrator.model.runbook import EffectClass
from phases.verify.conversation import (
    Conversation,
    FlowRequest,
    captured_names,
    problems,
    refuse_problems,
    starting_values,
)
from phases.verify.expectations import show
from phases.verify.reading import ReadOnly, until_green

_TIMEOUT = Seconds(60.0)


@dataclass(frozen=True)
class SessionParams:
    """`old_requests` open a session on the old side and capture its token; `new_requests` use it on the new.

    To the new side only GET and HEAD are sent: before the point of no return it takes no writes. `cleanup`
    takes away on the old side what `old_requests` made, from any point; it is said before and after.
    """

    old_host: str
    new_host: str
    old_requests: tuple[FlowRequest, ...]
    new_requests: tuple[FlowRequest, ...]
    old_via: str = ""
    new_via: str = ""
    cleanup: tuple[FlowRequest, ...] = ()
    secrets: Mapping[str, SecretRef] = field(default_factory=dict)
    timeout: Seconds = _TIMEOUT


class Session(ReadOnly[SessionParams]):
    """Leaves nothing: a repeat after a crash begins with taking away what was left on the old side."""

    spec = ActionSpec(
        name="verify.session",
        summary="Check that the new application accepts the old one's sessions",
        effect=EffectClass.READ,
        params=SessionParams,
        reprove=False,
    )

    def verify(self, ctx: StepContext[SessionParams]) -> Verification:
        """Opens a session on the old side, uses it on the new, cleans up."""
        params = ctx.params
        _refuse_bad(params)
        values = starting_values(ctx, params.secrets)
        old = Conversation(ctx.tools.http, params.old_host, params.old_via, values)
        checks: list[Check] = [_cleaned(ctx, values, "nothing is left of an earlier try")]
        try:
            if checks[0].ok:
                checks += _all(old, params.old_requests)
            if all(check.ok for check in checks):
                new = Conversation(ctx.tools.http, params.new_host, params.new_via, old.values)
                used = until_green(
                    ctx, params.timeout, lambda: Verification(tuple(_all(new, params.new_requests)))
                )
                checks += used.checks
        finally:
            after = _cleaned(ctx, values, "nothing is left on the old side")
        return Verification((*checks, after))


def _cleaned(ctx: StepContext[SessionParams], values: Mapping[str, object], label: str) -> Check:
    params = ctx.params
    talk = Conversation(ctx.tools.http, params.old_host, params.old_via, values)
    try:
        talk.clean(params.cleanup)
    except StepError as error:
        return Check(label, False, show(str(error)))
    return Check(label, True, "" if params.cleanup else "no clean-up is declared: nothing is made")


def _all(talk: Conversation, requests: tuple[FlowRequest, ...]) -> list[Check]:
    """Says requests until one is not as expected."""
    checks: list[Check] = []
    for request in requests:
        try:
            found = talk.say(request)
        except (HttpNotSent, HttpInDoubt) as error:
            found = (Check(f"{request.name} answers {request.expect_status}", False, show(str(error))),)
        checks += found
        if not all(check.ok for check in found):
            break
    return checks


def _refuse_bad(params: SessionParams) -> None:
    writes = [
        f"{request.name}: only GET and HEAD may reach the new side, not {request.method}"
        for request in params.new_requests
        if request.method not in ("GET", "HEAD") or request.json is not None
    ]
    made = [
        f"{request.name}: a {request.method} needs a `cleanup`"
        for request in params.old_requests
        if request.method not in ("GET", "HEAD") and request.expect_status == 201 and not params.cleanup
    ]
    empty = ["`new_requests` is empty: nothing would be proven"] if not params.new_requests else []
    refuse_problems(
        [
            *empty,
            *writes,
            *made,
            *problems(params.old_requests, hidden=params.secrets),
            *problems(params.cleanup, hidden=params.secrets),
            *problems(
                params.new_requests,
                captured_names(params.old_requests, secret=False),
                (*captured_names(params.old_requests, secret=True), *params.secrets),
            ),
        ]
    )
