"""Roles that exist before the deployment, such as the roles of the Airflow workers in the settings."""

from collections.abc import Iterable

from aws_cdk import aws_iam as iam
from constructs import Construct


def roles_from_arns(scope: Construct, arns: Iterable[str]) -> list[iam.IRole]:
    """Return the roles with these ARNs.

    The roles are imported by name. The deployment fails if a role with the name does not exist. The deployment does not
    fail if the path in an ARN is wrong.
    """
    return [iam.Role.from_role_name(scope, name, name) for name in (arn.rsplit("/", 1)[-1] for arn in arns)]
