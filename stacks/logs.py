"""Log groups that are deleted with their stack, and the permission to write to them."""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from stacks.acknowledgements import acknowledge


class StackLogGroup(logs.LogGroup):
    """A log group that keeps events for three months and is deleted with its stack."""

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(
            scope, construct_id, retention=logs.RetentionDays.THREE_MONTHS, removal_policy=RemovalPolicy.DESTROY
        )
        acknowledge(
            self, {"CKV_AWS_158": "CloudWatch Logs encrypts the log group, and the log contains no docker login"}
        )

    def write_permission(self) -> iam.PolicyStatement:
        """Return a statement that allows a role to write to this log group, but not to create log groups."""
        return iam.PolicyStatement(
            sid="WriteLog",
            actions=["logs:CreateLogStream", "logs:PutLogEvents"],
            resources=[self.log_group_arn],
        )
