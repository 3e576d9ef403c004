"""What a plan must not do: delete or replace what holds data, unless its address was named."""

from __future__ import annotations

from collections.abc import Iterable

from migrator.contracts.terraform import PlannedChange, StateResource
from migrator.errors import Refused

STATEFUL = frozenset(
    {
        "aws_backup_vault",
        "aws_cognito_user_pool",
        "aws_db_instance",
        "aws_docdb_cluster",
        "aws_dynamodb_table",
        "aws_ebs_volume",
        "aws_ecr_repository",
        "aws_efs_file_system",
        "aws_elasticache_cluster",
        "aws_elasticache_replication_group",
        "aws_fsx_lustre_file_system",
        "aws_kms_key",
        "aws_lb",
        "aws_opensearch_domain",
        "aws_rds_cluster",
        "aws_rds_cluster_instance",
        "aws_redshift_cluster",
        "aws_route53_zone",
        "aws_s3_bucket",
        "aws_secretsmanager_secret",
        "aws_sqs_queue",
        "aws_ssm_parameter",
    }
)
"""Types whose loss is loss of data, or of a name that others rely on."""


def allowed(address: str, allow_destroy: Iterable[str]) -> bool:
    """Whether the address is named; a name that ends in `*` stands for all that begin so."""
    return any(
        address == name or (name.endswith("*") and address.startswith(name[:-1])) for name in allow_destroy
    )


def check_plan(
    changes: Iterable[PlannedChange], allow_destroy: Iterable[str], protect: Iterable[str], where: str
) -> None:
    """`Refused` when a protected resource would be deleted or replaced."""
    names, kinds = tuple(allow_destroy), STATEFUL | set(protect)
    harmed = [
        f"{change.action} {change.address}" + (f" ({change.reason})" if change.reason else "")
        for change in changes
        if change.action in ("delete", "replace")
        and (change.type in kinds or change.address in kinds)
        and not allowed(change.address, names)
    ]
    if harmed:
        raise Refused(
            f"the plan would destroy {len(harmed)} resource{'s' if len(harmed) > 1 else ''} that hold data",
            where=where,
            detail="\n".join(harmed),
            next="change the stack so that it keeps them, or name their addresses in allow_destroy",
        )


def check_protection(resources: Iterable[StateResource], where: str) -> None:
    """`Refused` when AWS's own deletion protection stands against a destroy."""
    protected = [resource.address for resource in resources if resource.protected]
    if protected:
        raise Refused(
            "deletion protection is on",
            where=where,
            detail="\n".join(protected),
            next="turn it off in the stack's variables, apply, and undo again",
        )
