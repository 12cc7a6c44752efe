"""When a connection's login is refreshed, and what becomes of a start that could not be delivered."""

from aws_cdk import Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_scheduler_targets as targets
from aws_cdk import aws_sqs as sqs
from constructs import Construct


class RefreshSchedule(Construct):
    """Starts the function at an interval, with a role that can do nothing else."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        function: lambda_.IFunction,
        every_minutes: int,
        failures: sqs.IQueue,
        role_path: str,
    ) -> None:
        super().__init__(scope, construct_id)
        stack = Stack.of(self)

        # Scheduler names the group of a schedule in `aws:SourceArn`, not the schedule; ours are in the default group.
        # The ARN has the account in it: aws:SourceAccount would add nothing.
        group_arn = stack.format_arn(service="scheduler", resource="schedule-group", resource_name="default")
        role = iam.Role(
            self,
            "Role",
            path=role_path,
            description="Starts the refresh of a docker login",
            assumed_by=iam.ServicePrincipal(
                "scheduler.amazonaws.com",
                conditions={"StringEquals": {"aws:SourceArn": group_arn}},
            ),
            inline_policies={
                "Start": iam.PolicyDocument(
                    statements=[
                        iam.PolicyStatement(
                            sid="StartRefresh",
                            actions=["lambda:InvokeFunction"],
                            resources=[function.function_arn],
                        ),
                        iam.PolicyStatement(
                            sid="ReportFailure", actions=["sqs:SendMessage"], resources=[failures.queue_arn]
                        ),
                    ]
                )
            },
        )
        scheduler.Schedule(
            self,
            "Schedule",
            description="Refreshes a docker login",
            schedule=scheduler.ScheduleExpression.rate(Duration.minutes(every_minutes)),
            # Many connections must not refresh in the same second: PutSecretValue has 50 calls a second for a region.
            time_window=scheduler.TimeWindow.flexible(Duration.minutes(5)),
            target=targets.LambdaInvoke(
                function,
                # Scheduler's retries and queue are for delivery alone: the function's errors are Lambda's business.
                dead_letter_queue=failures,
                max_event_age=Duration.minutes(15),
                retry_attempts=3,
                # The target would also grant every version of the function.
                role=role.without_policy_updates(),
            ),
        )
