"""Alarms: there, armed, silent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from migrator.tools.aws import BotoAws
from phases.monitoring import Alarms, AlarmsParams
from tests.phases.world import Step, bad
from tests.tools.aws_servers import surroundings


def topic(aws: BotoAws) -> str:
    return str(aws.call("sns", "create_topic", Name="alerts")["TopicArn"])


def alarm(aws: BotoAws, name: str, actions: list[str], enabled: bool = True, state: str = "OK") -> None:
    aws.call(
        "cloudwatch",
        "put_metric_alarm",
        AlarmName=name,
        ComparisonOperator="GreaterThanThreshold",
        EvaluationPeriods=1,
        MetricName="CPUUtilization",
        Namespace="AWS/EC2",
        Period=60,
        Statistic="Average",
        Threshold=80.0,
        AlarmActions=actions,
        ActionsEnabled=enabled,
    )
    aws.call("cloudwatch", "set_alarm_state", AlarmName=name, StateValue=state, StateReason="test")


def red(aws: BotoAws, work: Path, arn: str, *names: str) -> list[str]:
    return bad(Step(Alarms(), AlarmsParams(names, arn), work, {"aws": aws}).verify())


def test_armed_and_silent(aws: BotoAws, tmp_path: Path) -> None:
    arn = topic(aws)
    names = tuple(f"alarm-{number:03}" for number in range(3))
    for name in names:
        alarm(aws, name, [arn], state="INSUFFICIENT_DATA" if name.endswith("2") else "OK")
    done = Step(Alarms(), AlarmsParams(names, arn), tmp_path, {"aws": aws}).verify()
    assert done.ok, bad(done)
    assert done.outputs["states"]["alarm-002"] == "INSUFFICIENT_DATA"


def test_what_is_red(aws: BotoAws, tmp_path: Path) -> None:
    arn = topic(aws)
    alarm(aws, "rings", [arn], state="ALARM")
    alarm(aws, "off", [arn], enabled=False)
    alarm(aws, "elsewhere", ["arn:aws:sns:us-west-2:111122223333:other"])
    assert red(aws, tmp_path, arn, "rings") == ["rings does not ring: ALARM"]
    assert red(aws, tmp_path, arn, "off") == ["off notifies the topic: actions are off"]
    assert red(aws, tmp_path, arn, "elsewhere") == ["elsewhere notifies the topic: "]
    assert red(aws, tmp_path, arn, "missing") == ["missing exists: there is no such alarm"]
    assert red(aws, tmp_path, arn) == ["there are alarms to look at: 0 named"]


def test_an_unconfirmed_subscription_is_said(aws: BotoAws, tmp_path: Path) -> None:
    class Pending(BotoAws):
        def pages(self, service: str, operation: str, key: str, **more: object) -> Iterator[object]:
            yield {"SubscriptionArn": "PendingConfirmation", "Endpoint": "ops@example.com"}

    step = Step(
        Alarms(), AlarmsParams((), "arn:aws:sns:us-west-2:1:x"), tmp_path, {"aws": Pending(surroundings(""))}
    )
    step.verify()
    assert step.notebook.lines == ["ops@example.com has not confirmed its subscription yet"]
