"""A user's whole way through the application, that leaves nothing behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from migrator.contracts.action import ActionSpec, Check, Preview, Probe, Verdict, Verification
from migrator.contracts.context import StepContext
from migrator.contracts.http import HttpInDoubt, HttpNotSent
from migrator.contracts.params import Seconds, SecretRef
from migrator.errors import DeadlineExceeded, Refused, StepError
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

_TIMEOUT = Seconds(60.0)
_FRESH, _BEGUN, _CLEAN, _FINISHED = "", "begun", "clean", "finished"


@dataclass(frozen=True)
class FlowParams:
    """Requests in order. The flow itself must end with taking away what it made.

    `cleanup` takes it away from any point, knowing only `{key}`, `{secret}` and `secrets`, such as: log in
    (`gone_status: [401]`), delete the account. `proof` are requests that only look, said by `verify`, such
    as: logging in is refused. `secrets` names credentials by reference. `timeout` is for the whole flow.
    """

    host: str
    requests: tuple[FlowRequest, ...]
    via: str = ""
    cleanup: tuple[FlowRequest, ...] = ()
    proof: tuple[FlowRequest, ...] = ()
    secrets: Mapping[str, SecretRef] = field(default_factory=dict)
    timeout: Seconds = _TIMEOUT


class Flow:
    """Says the requests; what an interrupted flow left is taken away before it is said again."""

    spec = ActionSpec(
        name="verify.flow",
        summary="Go through the application as a user does",
        effect=EffectClass.TOKEN,
        params=FlowParams,
        outputs={"captured": "What the answers gave, but secrets"},
        reprove=False,
    )

    def preview(self, ctx: StepContext[FlowParams]) -> Preview:
        """The requests that would be sent."""
        _refuse_bad(ctx.params)
        return Preview(
            tuple(f"{r.method} https://{ctx.params.host}{r.path}: {r.name}" for r in ctx.params.requests)
        )

    def probe(self, ctx: StepContext[FlowParams]) -> Probe:
        """How far the flow came; only its own notes can tell."""
        state = str(ctx.memory.get("state", _FRESH))
        if state == _FINISHED:
            return Probe(Verdict.OURS, "the flow was said to its end")
        if state == _BEGUN:
            return Probe(Verdict.PARTIAL, "the flow was begun and did not end; it may have left something")
        return Probe(Verdict.ABSENT, "nothing of the flow is there")

    def apply(self, ctx: StepContext[FlowParams]) -> None:
        """Says the flow; when something in it is wrong, cleans up and fails."""
        params = ctx.params
        _refuse_bad(params)
        if ctx.memory.get("state") == _BEGUN and params.cleanup:
            self._clean(ctx)
        until = ctx.tools.clock.now().timestamp() + params.timeout
        talk = Conversation(ctx.tools.http, params.host, params.via, starting_values(ctx, params.secrets))
        ctx.channel.remember({"state": _BEGUN, "captured": {}})
        seen: list[Check] = []
        for number, request in enumerate(params.requests):
            ctx.channel.check_cancelled()
            ctx.channel.progress(request.name, done=number, total=len(params.requests), unit="requests")
            if ctx.tools.clock.now().timestamp() > until:
                raise DeadlineExceeded(f"the flow took more than {params.timeout:g} s", where=request.name)
            checks = _said(talk, request)
            for check in checks:
                ctx.channel.log(f"{'ok' if check.ok else 'NOT OK'}: {check.name} ({check.detail})")
            red = next((check for check in checks if not check.ok), None)
            if red is not None:
                raise self._failed(ctx, red)
            seen += checks
            captured = {k: v for k, v in talk.shareable().items() if k != "key"}
            ctx.channel.remember({"captured": captured})
        results = [{"name": check.name, "detail": check.detail} for check in seen]
        ctx.channel.remember({"state": _FINISHED, "results": results})

    def verify(self, ctx: StepContext[FlowParams]) -> Verification:
        """Each request's result, and the proof asked afresh."""
        if ctx.memory.get("state") != _FINISHED:
            return Verification((Check("the flow was said to its end", False, "it was not"),))
        captured = dict(ctx.memory.get("captured", {}))
        talk = Conversation(
            ctx.tools.http,
            ctx.params.host,
            ctx.params.via,
            {**captured, **starting_values(ctx, ctx.params.secrets)},
        )
        fresh = [check for request in ctx.params.proof for check in _said(talk, request)]
        return Verification(
            (*(Check(r["name"], True, r["detail"]) for r in ctx.memory.get("results", ())), *fresh),
            outputs={"captured": captured},
        )

    def undo(self, ctx: StepContext[FlowParams]) -> None:
        """Cleans up; a flow that ended has taken away its own things already."""
        state = ctx.memory.get("state", _FRESH)
        if state in (_FRESH, _CLEAN):
            return
        if ctx.params.cleanup:
            self._clean(ctx)
        elif state == _BEGUN:
            raise Refused(
                "the flow was cut off and does not say how to clean up",
                where=ctx.params.host,
                next=f"remove what belongs to {ctx.key} by hand",
            )
        else:
            ctx.channel.remember({"state": _CLEAN})

    def _clean(self, ctx: StepContext[FlowParams]) -> None:
        params = ctx.params
        talk = Conversation(ctx.tools.http, params.host, params.via, starting_values(ctx, params.secrets))
        talk.clean(params.cleanup)
        ctx.channel.remember({"state": _CLEAN})
        ctx.channel.log("what the flow had made is taken away")

    def _failed(self, ctx: StepContext[FlowParams], red: Check) -> StepError:
        """The error for a red check, after an attempt to clean up."""
        left = "it does not say how to clean up; something may be left"
        if ctx.params.cleanup:
            try:
                self._clean(ctx)
                left = ""
            except StepError as error:
                left = f"cleaning up failed too: {error.what}"
        return StepError(
            f"{red.name}: {red.detail}",
            where=ctx.params.host,
            detail=left,
            next="look at the service's own log for this request",
        )


def _refuse_bad(params: FlowParams) -> None:
    refuse_problems(
        [
            *problems(params.requests, hidden=params.secrets),
            *problems(params.cleanup, hidden=params.secrets),
            *problems(params.proof, captured_names(params.requests, secret=False), params.secrets),
        ]
    )


def _said(talk: Conversation, request: FlowRequest) -> tuple[Check, ...]:
    try:
        return talk.say(request)
    except (HttpNotSent, HttpInDoubt) as error:
        return (Check(f"{request.name} answers {request.expect_status}", False, show(str(error))),)
    except KeyError as error:
        return (Check(f"{request.name} can be asked", False, f"{{{error.args[0]}}} is not known"),)
