"""A runbook as a Markdown checklist for people."""

from __future__ import annotations

from migrator.model.runbook import Runbook, Step


def checklist(runbook: Runbook) -> str:
    """The whole runbook, phase by phase: what, why, how it is proven, how to go back."""
    lines = [f"# {runbook.title}", "", runbook.summary.strip(), ""]
    for phase in runbook.phases:
        lines += [f"## {phase.title}", "", phase.summary.strip(), ""]
        for step in phase.steps:
            lines += _step(step)
    if runbook.cost:
        lines += ["## Monthly cost", "", "| Component | Old | New |", "| --- | --- | --- |"]
        lines += [f"| {c.component} | ${c.old_usd:g} | ${c.new_usd:g} |" for c in runbook.cost]
        old, new = sum(c.old_usd for c in runbook.cost), sum(c.new_usd for c in runbook.cost)
        lines += [f"| Total | ${old:g} | ${new:g} |", ""]
    return "\n".join(lines).rstrip() + "\n"


def _step(step: Step) -> list[str]:
    kind = f"`{step.action}`" if step.action else f"*{step.kind.value}*"
    lines = [f"- [ ] **{step.title}** ({kind})"]
    lines += [
        f"  - Why: {step.why.strip()}",
        f"  - Proof: {step.proof.strip()}",
        f"  - Back: {step.back.strip()}",
    ]
    if step.gate:
        lines += [f"  - Asks: {step.gate.question} Yes: {step.gate.yes} No: {step.gate.no}"]
    if step.wait:
        lines += [f"  - Waits: {step.wait.reason}"]
    if step.ponr:
        lines += ["  - **Point of no return**"]
    return [*lines, ""]
