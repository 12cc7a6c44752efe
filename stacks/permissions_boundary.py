"""The organisation's limit on what roles may ever do."""

from aws_cdk import Stack
from aws_cdk import aws_iam as iam

from settings.environment import Environment


def keep_within_boundary(stack: Stack, environment: Environment) -> None:
    """Give every role of the stack the permissions boundary of the settings, CDK's own roles included."""
    if environment.permissions_boundary_arn:
        boundary = iam.ManagedPolicy.from_managed_policy_arn(
            stack, "PermissionsBoundary", environment.permissions_boundary_arn
        )
        iam.PermissionsBoundary.of(stack).apply(boundary)
