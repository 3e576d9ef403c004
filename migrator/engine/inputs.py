"""Resolves a step's parameters from the values of the run and the outputs of earlier steps."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from migrator.contracts.params import ParamError, build
from migrator.errors import Refused
from migrator.model.expressions import ExpressionError, Lookup, resolve, within
from migrator.model.runbook import Step
from migrator.model.state import RunState, StepStatus


def scope(state: RunState) -> Lookup:
    """What `${...}` may name: `vars`, the outputs of steps that are done, and `run`."""
    done = {s.id: s.outputs for s in state.steps.values() if s.status is StepStatus.DONE}
    run = {"id": state.run_id, "account": state.account, "region": state.region}
    return within({"vars": state.values, "steps": done, "run": run})


def build_params(step: Step, params: type[Any], state: RunState) -> tuple[Any, str]:
    """The step's typed parameters and the SHA-256 of their values; `Refused` when one does not fit."""
    try:
        values = resolve(dict(step.params), scope(state))
        return build(params, values), digest(values)
    except (ExpressionError, ParamError) as error:
        raise Refused(
            str(error), where=f"step {step.id}", next="correct the values or redo the step it names"
        ) from error


def digest(value: Any) -> str:
    """SHA-256 of a JSON value."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def step_hash(step: Step) -> str:
    """SHA-256 of a step's definition."""
    return digest([step.id, step.kind, step.action, dict(step.params), repr(step.gate), repr(step.wait)])
