"""The permissions boundary that an organisation requires on every role."""

from aws_cdk import Stack
from aws_cdk import aws_iam as iam


def apply_permissions_boundary(stack: Stack, policy_arn: str | None) -> None:
    """Give every role of a stack a permissions boundary, including the roles that CDK creates.

    Args:
        stack: The stack.
        policy_arn: The ARN of the managed policy that is the boundary. If None, the roles get no boundary.
    """
    if policy_arn:
        boundary = iam.ManagedPolicy.from_managed_policy_arn(stack, "PermissionsBoundary", policy_arn)
        iam.PermissionsBoundary.of(stack).apply(boundary)
