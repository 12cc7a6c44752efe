"""When a connection's login is refreshed, and where a start goes that was not delivered."""

from aws_cdk import Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_scheduler_targets as targets
from constructs import Construct

from stacks.docker_login import timings
from stacks.docker_login.failure_queue import FailureQueue


class RefreshSchedule(Construct):
    """Invokes the function at an interval, with a role that can do nothing else."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        function: lambda_.IFunction,
        every_minutes: int,
        failures: FailureQueue,
        role_path: str,
    ) -> None:
        super().__init__(scope, construct_id)

        # Permissions
        # The `aws:SourceArn` of Scheduler is the ARN of the schedule's group, and our schedules are in the default one.
        # The ARN holds the account, so a condition on aws:SourceAccount would add nothing.
        group_arn = Stack.of(self).format_arn(service="scheduler", resource="schedule-group", resource_name="default")
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
                        failures.report_permission(),
                    ]
                )
            },
        )

        # Schedule
        scheduler.Schedule(
            self,
            "Schedule",
            description="Refreshes a docker login",
            schedule=scheduler.ScheduleExpression.rate(Duration.minutes(every_minutes)),
            time_window=scheduler.TimeWindow.flexible(Duration.minutes(timings.SCHEDULE_WINDOW_MINUTES)),
            target=targets.LambdaInvoke(
                function,
                # Scheduler retries and reports only the delivery. Lambda retries and reports errors of the function.
                dead_letter_queue=failures,
                max_event_age=Duration.minutes(timings.SCHEDULE_MAX_EVENT_AGE_MINUTES),
                retry_attempts=timings.SCHEDULE_RETRIES,
                # CDK's target would also grant the invocation of every version of the function.
                role=role.without_policy_updates(),
            ),
        )
