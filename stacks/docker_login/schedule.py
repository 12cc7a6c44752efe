"""The schedule that refreshes the docker login of a connection, and the role of the schedule."""

from aws_cdk import Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_scheduler_targets as targets
from constructs import Construct

from stacks.docker_login import timings
from stacks.docker_login.failure_queue import FailureQueue


class RefreshSchedule(Construct):
    """A schedule that invokes the function at an interval.

    EventBridge Scheduler sends invocations that it cannot deliver to the failure queue. The schedule's role can only
    invoke the function and send messages to the failure queue.
    """

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
        """
        Args:
            scope: The parent construct.
            construct_id: The construct's id.
            function: The function that the schedule invokes.
            every_minutes: The interval.
            failures: The queue for invocations that Scheduler cannot deliver.
            role_path: The path of the schedule's role in IAM.
        """
        super().__init__(scope, construct_id)

        # Permissions
        # Scheduler sets `aws:SourceArn` to the ARN of the schedule's group, and this schedule is in the default group.
        # The ARN contains the account id, so a condition on aws:SourceAccount is not necessary.
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
        self._schedule = scheduler.Schedule(
            self,
            "Schedule",
            description="Refreshes a docker login",
            schedule=scheduler.ScheduleExpression.rate(Duration.minutes(every_minutes)),
            time_window=scheduler.TimeWindow.flexible(Duration.minutes(timings.SCHEDULE_WINDOW_MINUTES)),
            target=targets.LambdaInvoke(
                function,
                # Scheduler retries and reports only failed deliveries. Lambda retries and reports failed runs.
                dead_letter_queue=failures,
                max_event_age=Duration.minutes(timings.SCHEDULE_MAX_EVENT_AGE_MINUTES),
                retry_attempts=timings.SCHEDULE_RETRIES,
                # Without this call, CDK also allows the role to invoke every version of the function.
                role=role.without_policy_updates(),
            ),
        )

    def start_after(self, *first_refreshes: Construct) -> None:
        """Create the schedule after the first refreshes of a deployment.

        EventBridge Scheduler invokes the target of a new rate schedule at once (EventBridge Scheduler User Guide,
        "Schedule types"). Before the first refresh, the function may not have all of its permissions.
        """
        self._schedule.node.add_dependency(*first_refreshes)
