"""Alarms of the new platform: there, armed, and silent."""

from __future__ import annotations

from dataclasses import dataclass

from migrator.contracts.action import ActionSpec, Check, Verification
from migrator.contracts.context import StepContext
from migrator.model.runbook import EffectClass
from phases.reads import Read

_NAMES_A_CALL = 100


@dataclass(frozen=True)
class AlarmsParams:
    """Names of the alarms, and the topic that each must notify."""

    alarm_names: tuple[str, ...]
    topic_arn: str


class Alarms(Read):
    """`verify.alarms`: every alarm exists, would notify the topic, and none is in ALARM.

    INSUFFICIENT_DATA is not ALARM: an alarm on failures has no data while nothing fails. Its state is shown.
    """

    spec = ActionSpec(
        name="verify.alarms",
        summary="The alarms exist, notify the topic, and none of them rings",
        effect=EffectClass.READ,
        params=AlarmsParams,
        outputs={"states": "alarm name to its state"},
        reprove=False,
    )

    def verify(self, ctx: StepContext[AlarmsParams]) -> Verification:
        """Reads the alarms and the topic's subscriptions."""
        names = ctx.params.alarm_names
        found: dict[str, dict[str, object]] = {}
        for start in range(0, len(names), _NAMES_A_CALL):
            asked = list(names[start : start + _NAMES_A_CALL])
            for alarm in ctx.tools.aws.pages(
                "cloudwatch", "describe_alarms", "MetricAlarms", AlarmNames=asked
            ):
                found[str(alarm["AlarmName"])] = alarm
        checks = [Check("there are alarms to look at", bool(names), f"{len(names)} named")]
        states: dict[str, str] = {}
        for name in names:
            alarm = found.get(name)
            if alarm is None:
                checks.append(Check(f"{name} exists", False, "there is no such alarm"))
                continue
            states[name] = str(alarm.get("StateValue", ""))
            actions = alarm.get("AlarmActions")
            armed = bool(alarm.get("ActionsEnabled")) and isinstance(actions, list)
            notifies = armed and isinstance(actions, list) and ctx.params.topic_arn in actions
            checks.append(Check(f"{name} notifies the topic", notifies, "" if armed else "actions are off"))
            quiet = states[name] in {"OK", "INSUFFICIENT_DATA"}
            checks.append(Check(f"{name} does not ring", quiet, states[name]))
        self._log_unconfirmed(ctx)
        return Verification(tuple(checks), {"states": states})

    @staticmethod
    def _log_unconfirmed(ctx: StepContext[AlarmsParams]) -> None:
        """A subscription by mail waits for a person's click; that is said, but nothing waits for it."""
        for each in ctx.tools.aws.pages(
            "sns", "list_subscriptions_by_topic", "Subscriptions", TopicArn=ctx.params.topic_arn
        ):
            if not str(each.get("SubscriptionArn", "")).startswith("arn:"):
                ctx.channel.log(f"{each.get('Endpoint')} has not confirmed its subscription yet")


ACTIONS = (Alarms(),)
