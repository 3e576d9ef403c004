"""Health of the new platform, against the emulated autoscaling groups and target groups."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from migrator.contracts.params import Seconds
from migrator.errors import Refused
from migrator.tools.aws import BotoAws
from phases.deploy import Healthy, HealthyParams
from tests.phases.world import Step, bad

IMAGE = "111122223333.dkr.ecr.us-west-2.amazonaws.com/backend@sha256:" + "a" * 64
OTHER = IMAGE.replace("a" * 64, "b" * 64)


@dataclass
class Platform:
    """A launch template, its autoscaling group, and a target group."""

    aws: BotoAws
    template: str
    target_group: str

    def new_version(self, image: str) -> None:
        """One more launch template version; nobody runs it yet."""
        data = {"UserData": user_data(image), "ImageId": "ami-12c6146b", "InstanceType": "t3.small"}
        self.aws.call(
            "ec2", "create_launch_template_version", LaunchTemplateId=self.template, LaunchTemplateData=data
        )

    def step(self, work: Path, **more: Any) -> Step:
        params = HealthyParams(
            target_group_arns={"backend": self.target_group},
            autoscaling_group_names={"backend": "shop-backend"},
            images={"backend": more.pop("image", IMAGE)},
            timeout=Seconds(more.pop("timeout", 30.0)),
        )
        return Step(Healthy(), params, work, {"aws": more.pop("aws", self.aws)})


def user_data(image: str) -> str:
    return base64.b64encode(f"#!/bin/bash\nIMAGE={image}\n".encode()).decode()


@pytest.fixture
def platform(aws: BotoAws) -> Platform:
    subnets = [each["SubnetId"] for each in aws.pages("ec2", "describe_subnets", "Subnets")]
    vpc = next(aws.pages("ec2", "describe_vpcs", "Vpcs"))["VpcId"]
    data = {"UserData": user_data(IMAGE), "ImageId": "ami-12c6146b", "InstanceType": "t3.small"}
    template = aws.call("ec2", "create_launch_template", LaunchTemplateName="b", LaunchTemplateData=data)
    identity = template["LaunchTemplate"]["LaunchTemplateId"]
    group = aws.call("elbv2", "create_target_group", Name="b", Protocol="HTTP", Port=3000, VpcId=vpc)
    arn = group["TargetGroups"][0]["TargetGroupArn"]
    aws.call(
        "autoscaling",
        "create_auto_scaling_group",
        AutoScalingGroupName="shop-backend",
        MinSize=2,
        MaxSize=2,
        DesiredCapacity=2,
        LaunchTemplate={"LaunchTemplateId": identity, "Version": "$Latest"},
        VPCZoneIdentifier=",".join(subnets[:2]),
        TargetGroupARNs=[arn],
    )
    return Platform(aws, identity, arn)


class Ill:
    """An AWS whose targets are ill for the first `looks`."""

    def __init__(self, aws: BotoAws, looks: int) -> None:
        self.aws = aws
        self.looks = looks

    def call(self, service: str, operation: str, **given: Any) -> dict[str, Any]:
        answer = self.aws.call(service, operation, **given)
        if operation == "describe_target_health":
            for each in answer["TargetHealthDescriptions"]:
                self.looks -= 1
                state = "unhealthy" if self.looks >= 0 else "healthy"
                reason = "Health checks failed with these codes: [502]"
                each["TargetHealth"] = {"State": state} | (
                    {"Description": reason} if state != "healthy" else {}
                )
        return answer


def test_healthy(platform: Platform, tmp_path: Path) -> None:
    done = platform.step(tmp_path, aws=Ill(platform.aws, 0)).verify()
    assert done.ok, bad(done)
    assert done.outputs == {"healthy": {"backend": 2}}


def test_it_waits_until_targets_are_healthy(platform: Platform, tmp_path: Path) -> None:
    step = platform.step(tmp_path, aws=Ill(platform.aws, 4))
    assert step.verify().ok
    assert len(step.notebook.reports) == 2


def test_time_runs_out_with_the_targets_own_reasons(platform: Platform, tmp_path: Path) -> None:
    step = platform.step(tmp_path, aws=Ill(platform.aws, 1_000))
    red = bad(step.verify())
    assert len(red) == 1
    assert red[0].count("is unhealthy: Health checks failed with these codes: [502]") == 2


def test_the_wrong_image(platform: Platform, tmp_path: Path) -> None:
    red = bad(platform.step(tmp_path, aws=Ill(platform.aws, 0), image=OTHER, timeout=0.0).verify())
    assert red == [f"backend: the launch template names the image: {OTHER}"]


def test_instances_on_an_older_version(platform: Platform, tmp_path: Path) -> None:
    platform.new_version(IMAGE)
    red = bad(platform.step(tmp_path, aws=Ill(platform.aws, 0), timeout=0.0).verify())
    assert len(red) == 1
    assert "instances are on launch template version 2" in red[0]


def test_too_few_instances(platform: Platform, tmp_path: Path) -> None:
    class Fewer(Ill):
        def call(self, service: str, operation: str, **given: Any) -> dict[str, Any]:
            answer = super().call(service, operation, **given)
            if operation == "describe_auto_scaling_groups":
                answer["AutoScalingGroups"][0]["Instances"][0]["LifecycleState"] = "Pending"
                answer["AutoScalingGroups"][0]["Instances"].pop()
            return answer

    red = bad(platform.step(tmp_path, aws=Fewer(platform.aws, 0), timeout=0.0).verify())
    assert "1 of 2 instances" in red[0]
    assert "is Pending" in red[0]


def test_no_group(platform: Platform, tmp_path: Path) -> None:
    step = platform.step(tmp_path, timeout=0.0)
    step.params = HealthyParams({"x": platform.target_group}, {"x": "none"}, {"x": IMAGE}, Seconds(0.0))
    assert bad(step.verify()) == ["x: the autoscaling group is there: none"]


def test_maps_must_name_the_same_services(platform: Platform, tmp_path: Path) -> None:
    step = platform.step(tmp_path)
    step.params = HealthyParams({"backend": "arn"}, {"frontend": "asg"}, {"backend": IMAGE})
    with pytest.raises(Refused, match="same services"):
        step.verify()
