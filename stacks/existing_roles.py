"""Roles that exist before the deploy, such as the Airflow workers' roles that the settings name."""

from collections.abc import Iterable

from aws_cdk import aws_iam as iam
from constructs import Construct


def roles_from_arns(scope: Construct, arns: Iterable[str]) -> list[iam.IRole]:
    """Return the roles with these ARNs.

    The roles are imported by name, so that a wrong name fails the deploy. A wrong path does not fail the deploy.
    """
    return [iam.Role.from_role_name(scope, name, name) for name in (arn.rsplit("/", 1)[-1] for arn in arns)]
