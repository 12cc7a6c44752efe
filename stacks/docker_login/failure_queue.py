"""The queue for refreshes that failed after all retries, and for invocations that Scheduler did not deliver."""

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.acknowledgements import acknowledge


class FailureQueue(sqs.Queue):
    """A queue that keeps failures for 14 days."""

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(
            scope,
            construct_id,
            retention_period=Duration.days(14),
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
        )
        acknowledge(
            self,
            {
                "AwsSolutions-SQS3": "The queue is a dead-letter queue for refreshes that failed after all retries",
                "CKV_AWS_27": "SQS encrypts the queue, and no message contains a docker login",
            },
        )

    def report_permission(self) -> iam.PolicyStatement:
        """Return a statement that allows a role to send messages, but not to read the queue or its attributes."""
        return iam.PolicyStatement(sid="ReportFailure", actions=["sqs:SendMessage"], resources=[self.queue_arn])
