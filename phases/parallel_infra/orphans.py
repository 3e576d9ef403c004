"""Finds in AWS what an apply created and no state holds, so that it is adopted and never created twice."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from migrator.contracts.aws import AwsRefused
from migrator.contracts.context import StepContext
from migrator.contracts.terraform import StateSummary

_RUN, _STEP = "migrator:run", "migrator:step"

NO_SECOND = frozenset(
    {
        "aws_acm_certificate_validation",
        "aws_autoscaling_attachment",
        "aws_autoscaling_policy",
        "aws_cloudwatch_dashboard",
        "aws_cloudwatch_event_rule",
        "aws_cloudwatch_event_target",
        "aws_cloudwatch_log_metric_filter",
        "aws_cloudwatch_metric_alarm",
        "aws_ecr_lifecycle_policy",
        "aws_ecr_repository_policy",
        "aws_iam_role_policy",
        "aws_iam_role_policy_attachment",
        "aws_lb_listener_certificate",
        "aws_lb_target_group_attachment",
        "aws_s3_bucket_lifecycle_configuration",
        "aws_s3_bucket_ownership_controls",
        "aws_s3_bucket_policy",
        "aws_s3_bucket_public_access_block",
        "aws_s3_bucket_server_side_encryption_configuration",
        "aws_s3_bucket_versioning",
        "aws_secretsmanager_secret_policy",
        "aws_sns_topic",
        "aws_sns_topic_policy",
        "aws_sns_topic_subscription",
        "terraform_data",
    }
)
"""Types whose creation, sent again, sets the same thing and makes no second one."""

_BY_OTHER_ID = frozenset({"aws_route", "aws_route_table_association"})
"""Types whose import id is not the id that the event stream tells."""

_EC2 = {
    "aws_eip": "elastic-ip",
    "aws_flow_log": "vpc-flow-log",
    "aws_instance": "instance",
    "aws_internet_gateway": "internet-gateway",
    "aws_launch_template": "launch-template",
    "aws_nat_gateway": "natgateway",
    "aws_network_acl": "network-acl",
    "aws_route_table": "route-table",
    "aws_security_group": "security-group",
    "aws_subnet": "subnet",
    "aws_vpc": "vpc",
    "aws_vpc_endpoint": "vpc-endpoint",
}
"""EC2's types and the names that its tag list gives them."""

_NOT_THERE = ("NotFound", "NoSuch", "NonExist", "DoesNotExist", "404")


@dataclass(frozen=True)
class Found:
    """An import id, or proof that there is none, or neither: then `evidence` says why."""

    id: str = ""
    absent: bool = False
    evidence: str = ""


_ABSENT = Found(absent=True)
Values = Mapping[str, Any]


class Finder:
    """Looks for one resource at a time.

    `taken` are ids that already belong to another address; they count where AWS gives the id, not where a name
    is unique among its own kind only.
    """

    def __init__(self, ctx: StepContext[Any], state: StateSummary, taken: set[str]) -> None:
        self._ctx = ctx
        self._aws = ctx.tools.aws
        self._state = state
        self.taken = taken
        self._tagged: dict[str, list[tuple[str, dict[str, str]]]] | None = None
        self._since = self._until = ""
        self._by_type: dict[str, Callable[[Values], Found]] = {
            "aws_acm_certificate": self._certificate,
            "aws_autoscaling_group": self._autoscaling_group,
            "aws_cloudwatch_log_group": self._log_group,
            "aws_db_instance": self._db_instance,
            "aws_db_parameter_group": self._db_parameter_group,
            "aws_db_subnet_group": self._db_subnet_group,
            "aws_dynamodb_table": self._table,
            "aws_ecr_repository": self._repository,
            "aws_iam_instance_profile": self._instance_profile,
            "aws_iam_policy": self._policy,
            "aws_iam_role": self._role,
            "aws_lb": self._load_balancer,
            "aws_lb_listener": self._listener,
            "aws_lb_listener_rule": self._listener_rule,
            "aws_lb_target_group": self._target_group,
            "aws_route": self._route,
            "aws_route53_record": self._record,
            "aws_route53_zone": self._zone,
            "aws_route_table_association": self._association,
            "aws_s3_bucket": self._bucket,
            "aws_secretsmanager_secret": self._secret,
            "aws_vpc_security_group_egress_rule": self._rule,
            "aws_vpc_security_group_ingress_rule": self._rule,
        }

    @staticmethod
    def imports_by_id(kind: str) -> bool:
        """Whether the id in the event stream is the import id."""
        return kind not in _BY_OTHER_ID and kind not in NO_SECOND

    def find(self, kind: str, values: Values, since: str, until: str) -> Found:
        """What became of a creation of this type with these planned values, begun between two times (ISO 8601)."""
        self._since, self._until = since, until
        if kind in _EC2:
            return self._ec2(_EC2[kind], values)
        finder = self._by_type.get(kind)
        if finder is None:
            return Found(evidence=f"a resource of this type cannot be looked up here; {self._tagged_arns()}")
        try:
            return finder(values)
        except AwsRefused as error:
            if any(word in error.code for word in _NOT_THERE):
                return _ABSENT
            return Found(evidence=f"AWS answered {error.code} to the search")

    # --- whose is it --------------------------------------------------------------------------------------

    def _claim(self, found: str, tags: Mapping[str, str], what: str) -> Found:
        if all(tags.get(name) == self._ctx.tags[name] for name in (_RUN, _STEP)):
            return Found(id=found)
        return Found(evidence=f"{what} exists but does not carry this step's tags")

    def _claim_by_time(self, found: str, created: Any, what: str) -> Found:
        """For what cannot carry our tags: its name is unique in AWS, and it was made after our apply began."""
        if isinstance(created, datetime) and self._since:
            begun = datetime.fromisoformat(self._since)
            if created >= begun - timedelta(seconds=60):
                return Found(id=found)
        return Found(evidence=f"{what} exists, and nothing proves that this step made it")

    def _tagged_arns(self) -> str:
        filters = [{"Key": name, "Values": [self._ctx.tags[name]]} for name in (_RUN, _STEP)]
        try:
            found = self._aws.call("resourcegroupstaggingapi", "get_resources", TagFilters=filters)
        except AwsRefused as error:
            return f"AWS answered {error.code} when asked what carries this step's tags"
        arns = [item["ResourceARN"] for item in found.get("ResourceTagMappingList", [])]
        return "resources with this step's tags: " + (", ".join(arns[:20]) or "none")

    def _one(self, candidates: Iterable[str], what: str) -> Found:
        ids = [found for found in candidates if found not in self.taken]
        if len(ids) > 1:
            return Found(evidence=f"{len(ids)} {what} fit: {', '.join(sorted(ids)[:10])}")
        return Found(id=ids[0]) if ids else _ABSENT

    # --- EC2: one list of tags for all types --------------------------------------------------------------

    def _ec2(self, kind: str, values: Values) -> Found:
        if self._tagged is None:
            self._tagged = self._ec2_tags()
        wanted = values.get("tags_all") or values.get("tags") or {}
        fitting = (found for found, tags in self._tagged.get(kind, []) if wanted.items() <= tags.items())
        return self._one(fitting, f"resources of type {kind}")

    def _ec2_tags(self) -> dict[str, list[tuple[str, dict[str, str]]]]:
        ours = self._aws.pages(
            "ec2",
            "describe_tags",
            "Tags",
            Filters=[
                {"Name": "key", "Values": [_STEP]},
                {"Name": "value", "Values": [self._ctx.tags[_STEP]]},
            ],
        )
        ids = sorted({item["ResourceId"] for item in ours})
        tags: dict[str, tuple[str, dict[str, str]]] = {}
        for start in range(0, len(ids), 100):
            chunk = [{"Name": "resource-id", "Values": ids[start : start + 100]}]
            for item in self._aws.pages("ec2", "describe_tags", "Tags", Filters=chunk):
                entry = tags.setdefault(item["ResourceId"], (item["ResourceType"], {}))
                entry[1][item["Key"]] = item["Value"]
        found: dict[str, list[tuple[str, dict[str, str]]]] = {}
        for resource_id, (kind, its_tags) in tags.items():
            if its_tags.get(_RUN) == self._ctx.tags[_RUN]:
                found.setdefault(kind, []).append((resource_id, its_tags))
        return found

    def _rule(self, values: Values) -> Found:
        found = self._aws.call(
            "ec2",
            "describe_security_group_rules",
            Filters=[{"Name": "group-id", "Values": [values["security_group_id"]]}],
        )
        names = {
            "ip_protocol": "IpProtocol",
            "from_port": "FromPort",
            "to_port": "ToPort",
            "cidr_ipv4": "CidrIpv4",
            "cidr_ipv6": "CidrIpv6",
            "prefix_list_id": "PrefixListId",
        }
        fitting = []
        for rule in found["SecurityGroupRules"]:
            group = rule.get("ReferencedGroupInfo", {}).get("GroupId")
            same = all(values.get(ours) in (None, rule.get(theirs)) for ours, theirs in names.items())
            tags = {tag["Key"]: tag["Value"] for tag in rule.get("Tags", [])}
            if same and values.get("referenced_security_group_id") in (None, group) and tags.get(_RUN):
                fitting.append(rule["SecurityGroupRuleId"])
        return self._one(fitting, "rules")

    def _route(self, values: Values) -> Found:
        table = values["route_table_id"]
        target = values.get("destination_cidr_block") or values.get("destination_ipv6_cidr_block")
        found = self._aws.call("ec2", "describe_route_tables", RouteTableIds=[table])
        for route in found["RouteTables"][0]["Routes"]:
            if target in (route.get("DestinationCidrBlock"), route.get("DestinationIpv6CidrBlock")):
                return Found(id=f"{table}_{target}")
        return _ABSENT

    def _association(self, values: Values) -> Found:
        table = values["route_table_id"]
        found = self._aws.call("ec2", "describe_route_tables", RouteTableIds=[table])
        for association in found["RouteTables"][0].get("Associations", []):
            if values.get("subnet_id") and association.get("SubnetId") == values["subnet_id"]:
                return Found(id=f"{values['subnet_id']}/{table}")
        return _ABSENT

    # --- by name ------------------------------------------------------------------------------------------

    def _load_balancer(self, values: Values) -> Found:
        found = self._aws.call("elbv2", "describe_load_balancers", Names=[values["name"]])
        return self._elb(found["LoadBalancers"][0]["LoadBalancerArn"])

    def _target_group(self, values: Values) -> Found:
        found = self._aws.call("elbv2", "describe_target_groups", Names=[values["name"]])
        return self._elb(found["TargetGroups"][0]["TargetGroupArn"])

    def _elb(self, arn: str) -> Found:
        said = self._aws.call("elbv2", "describe_tags", ResourceArns=[arn])["TagDescriptions"]
        return self._claim(arn, _tags(said[0]["Tags"]), arn)

    def _listener(self, values: Values) -> Found:
        found = self._aws.call("elbv2", "describe_listeners", LoadBalancerArn=values["load_balancer_arn"])
        for listener in found["Listeners"]:
            if listener.get("Port") == values.get("port"):
                return self._elb(listener["ListenerArn"])
        return _ABSENT

    def _listener_rule(self, values: Values) -> Found:
        found = self._aws.call("elbv2", "describe_rules", ListenerArn=values["listener_arn"])
        for rule in found["Rules"]:
            if rule.get("Priority") == str(values.get("priority")):
                return self._elb(rule["RuleArn"])
        return _ABSENT

    def _zone(self, values: Values) -> Found:
        name = f"{values['name'].rstrip('.')}."
        found = self._aws.call("route53", "list_hosted_zones_by_name", DNSName=name)
        ours = []
        for zone in found["HostedZones"]:
            if zone["Name"] != name:
                continue
            zone_id = zone["Id"].rpartition("/")[2]
            said = self._aws.call(
                "route53", "list_tags_for_resource", ResourceType="hostedzone", ResourceId=zone_id
            )
            tags = _tags(said["ResourceTagSet"]["Tags"])
            if all(tags.get(key) == self._ctx.tags[key] for key in (_RUN, _STEP)) or (
                not tags and self._made_by_our_apply(zone.get("CallerReference", ""))
            ):
                ours.append(zone_id)
        return self._one(ours, "hosted zones")

    def _made_by_our_apply(self, reference: str) -> bool:
        """A zone gets its tags only after its creation; until then the provider's reference tells its second."""
        stamp = re.fullmatch(r"terraform-(\d{14})\d*[0-9a-f]*", reference)
        if stamp is None:
            return False
        made = datetime.strptime(stamp[1], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
        first, last = (datetime.fromisoformat(at) for at in (self._since, self._until))
        return first - timedelta(seconds=2) <= made <= last + timedelta(seconds=30)

    def _record(self, values: Values) -> Found:
        zone, name, kind = values["zone_id"], values["name"].rstrip("."), values["type"]
        found = self._aws.call(
            "route53",
            "list_resource_record_sets",
            HostedZoneId=zone,
            StartRecordName=f"{name}.",
            StartRecordType=kind,
            MaxItems="1",
        )
        for record in found["ResourceRecordSets"]:
            if record["Name"].replace("\\052", "*").rstrip(".") != name or record["Type"] != kind:
                continue
            there = {item["Value"].strip('"') for item in record.get("ResourceRecords", [])}
            if values.get("records") is not None and {v.strip('"') for v in values["records"]} == there:
                return Found(id=f"{zone}_{name}_{kind}")
            return Found(evidence=f"a record {name} {kind} exists with another value or an alias")
        return _ABSENT

    def _certificate(self, values: Values) -> Found:
        ours = []
        for item in self._aws.pages("acm", "list_certificates", "CertificateSummaryList"):
            if item["DomainName"] != values["domain_name"]:
                continue
            arn = item["CertificateArn"]
            tags = _tags(self._aws.call("acm", "list_tags_for_certificate", CertificateArn=arn)["Tags"])
            if all(tags.get(key) == self._ctx.tags[key] for key in (_RUN, _STEP)):
                ours.append(arn)
        return self._one(ours, "certificates")

    def _db_instance(self, values: Values) -> Found:
        name = values["identifier"]
        found = self._aws.call("rds", "describe_db_instances", DBInstanceIdentifier=name)["DBInstances"][0]
        return self._claim(name, _tags(found.get("TagList", [])), f"the database {name}")

    def _db_subnet_group(self, values: Values) -> Found:
        name = values["name"]
        found = self._aws.call("rds", "describe_db_subnet_groups", DBSubnetGroupName=name)
        return self._rds(name, found["DBSubnetGroups"][0]["DBSubnetGroupArn"])

    def _db_parameter_group(self, values: Values) -> Found:
        name = values["name"]
        found = self._aws.call("rds", "describe_db_parameter_groups", DBParameterGroupName=name)
        return self._rds(name, found["DBParameterGroups"][0]["DBParameterGroupArn"])

    def _rds(self, name: str, arn: str) -> Found:
        said = self._aws.call("rds", "list_tags_for_resource", ResourceName=arn)
        return self._claim(name, _tags(said.get("TagList", [])), arn)

    def _repository(self, values: Values) -> Found:
        name = values["name"]
        found = self._aws.call("ecr", "describe_repositories", repositoryNames=[name])
        arn = found["repositories"][0]["repositoryArn"]
        said = self._aws.call("ecr", "list_tags_for_resource", resourceArn=arn)
        return self._claim(name, _tags(said.get("tags", [])), arn)

    def _secret(self, values: Values) -> Found:
        found = self._aws.call("secretsmanager", "describe_secret", SecretId=values["name"])
        return self._claim(found["ARN"], _tags(found.get("Tags", [])), found["ARN"])

    def _role(self, values: Values) -> Found:
        role = self._aws.call("iam", "get_role", RoleName=values["name"])["Role"]
        return self._claim(role["RoleName"], _tags(role.get("Tags", [])), role["Arn"])

    def _instance_profile(self, values: Values) -> Found:
        found = self._aws.call("iam", "get_instance_profile", InstanceProfileName=values["name"])
        profile = found["InstanceProfile"]
        return self._claim(profile["InstanceProfileName"], _tags(profile.get("Tags", [])), profile["Arn"])

    def _policy(self, values: Values) -> Found:
        arn = f"arn:aws:iam::{self._ctx.account}:policy{values.get('path') or '/'}{values['name']}"
        policy = self._aws.call("iam", "get_policy", PolicyArn=arn)["Policy"]
        return self._claim(arn, _tags(policy.get("Tags", [])), arn)

    def _autoscaling_group(self, values: Values) -> Found:
        name = values["name"]
        found = self._aws.call("autoscaling", "describe_auto_scaling_groups", AutoScalingGroupNames=[name])[
            "AutoScalingGroups"
        ]
        if not found:
            return _ABSENT
        return self._claim_by_time(name, found[0].get("CreatedTime"), f"the autoscaling group {name}")

    def _log_group(self, values: Values) -> Found:
        name = values["name"]
        for group in self._aws.pages("logs", "describe_log_groups", "logGroups", logGroupNamePrefix=name):
            if group["logGroupName"] == name:
                said = self._aws.call("logs", "list_tags_log_group", logGroupName=name)
                return self._claim(name, said.get("tags", {}), f"the log group {name}")
        return _ABSENT

    def _bucket(self, values: Values) -> Found:
        name = values["bucket"]
        self._aws.call("s3", "head_bucket", Bucket=name)
        try:
            tags = _tags(self._aws.call("s3", "get_bucket_tagging", Bucket=name)["TagSet"])
        except AwsRefused as error:
            if error.code != "NoSuchTagSet":
                raise
            # A bucket gets its tags only after its creation.
            made = [
                b["CreationDate"]
                for b in self._aws.call("s3", "list_buckets")["Buckets"]
                if b["Name"] == name
            ]
            return self._claim_by_time(name, made[0] if made else None, f"the bucket {name}")
        return self._claim(name, tags, f"the bucket {name}")

    def _table(self, values: Values) -> Found:
        table = self._aws.call("dynamodb", "describe_table", TableName=values["name"])["Table"]
        said = self._aws.call("dynamodb", "list_tags_of_resource", ResourceArn=table["TableArn"])
        return self._claim(values["name"], _tags(said.get("Tags", [])), table["TableArn"])


def _tags(items: Iterable[Mapping[str, str]]) -> dict[str, str]:
    return {item["Key"]: item["Value"] for item in items}
