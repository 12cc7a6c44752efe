"""The queue that receives every refresh that failed after all retries, and every start that was not delivered."""

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
                "AwsSolutions-SQS3": "This queue is itself a dead-letter queue: it holds what failed after all retries",
                "CKV_AWS_27": "SQS encrypts the queue with its own key; no message holds a login",
            },
        )

    def report_permission(self) -> iam.PolicyStatement:
        """Return a statement that allows a role to report a failure, and not to read the queue or its attributes."""
        return iam.PolicyStatement(sid="ReportFailure", actions=["sqs:SendMessage"], resources=[self.queue_arn])
