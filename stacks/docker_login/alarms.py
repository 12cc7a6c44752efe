"""The alarms for logins that are not refreshed. docs/runbook.md has a heading for each kind of alarm."""

from collections.abc import Sequence

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as cloudwatch_actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from settings.names import pascal_case
from stacks.acknowledgements import acknowledge
from stacks.docker_login import timings
from stacks.docker_login.metrics import runs_metric


class Alarms(Construct):
    """One alarm for refreshes that failed after all retries, and two for each connection without a success.

    Attributes:
        all: Every alarm.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        topic_arn: str | None,
        emails: Sequence[str],
        runbook: str,
        failures: sqs.IQueue,
    ) -> None:
        """
        Args:
            scope: The parent construct.
            construct_id: The construct's id.
            topic_arn: An existing topic that the alarms publish to; None creates a topic.
            emails: The addresses that the new topic mails to.
            runbook: The URL or path of the runbook. Alarms link to its headings.
            failures: The failure queue.
        """
        super().__init__(scope, construct_id)
        self._runbook = runbook

        # Resources
        topic = sns.Topic.from_topic_arn(self, "Topic", topic_arn) if topic_arn else _mail_topic(self, emails)
        self._action = cloudwatch_actions.SnsAction(topic)

        # Alarms
        self.all: list[cloudwatch.Alarm] = []
        self._add(
            cloudwatch.Alarm(
                self,
                "RefreshFailed",
                alarm_description="A docker login was not refreshed after all retries. The failure queue says why. "
                + self._what_to_do("refresh-failed"),
                # Messages that arrive, not messages in the queue: the alarm ends by itself, and a new failure fires it.
                metric=failures.metric_number_of_messages_sent(
                    period=Duration.minutes(timings.FAILURE_PERIOD_MINUTES), statistic="Sum"
                ),
                comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
                threshold=0,
                # The metrics of a queue that was unused for hours arrive late, so the alarm looks at several periods.
                evaluation_periods=timings.FAILURE_PERIODS,
                datapoints_to_alarm=1,
                # An unused queue has no metrics. That is the good case.
                treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
            )
        )

    def add_connection(
        self, connection_id: str, function: lambda_.IFunction, *, refresh_every_minutes: int, first_refresh: Construct
    ) -> None:
        """Add the alarms "Not refreshed" and "Login expires" for a connection.

        Args:
            connection_id: The Airflow connection.
            function: The function that refreshes its login.
            refresh_every_minutes: The interval of its schedule.
            first_refresh: The deploy's own refresh. The alarms are created after it, because there are no metrics
                before it.
        """
        for kind, heading, minutes in (
            ("NotRefreshed", "not-refreshed", timings.not_refreshed_after_minutes(refresh_every_minutes)),
            ("LoginExpires", "login-expires", timings.LOGIN_EXPIRES_AFTER_MINUTES),
        ):
            hours_left = (timings.LOGIN_MINUTES - minutes) / 60
            alarm = cloudwatch.Alarm(
                self,
                f"{pascal_case(connection_id)}{kind}",
                alarm_description=f"The docker login of {connection_id} was not refreshed for {minutes} minutes. "
                f"The login that Airflow reads works for {hours_left:.1f} more hours. " + self._what_to_do(heading),
                # FILL, because CloudWatch looks further back than the evaluation periods where data is missing, and
                # older data would keep the alarm from firing.
                metric=runs_metric(
                    function,
                    "FILL(runs, 0) - FILL(errors, 0)",
                    label="Refreshes that succeeded",
                    period=Duration.minutes(1),
                ),
                comparison_operator=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
                threshold=1,
                evaluation_periods=minutes,  # The alarm fires if no minute has a success.
                treat_missing_data=cloudwatch.TreatMissingData.BREACHING,
            )
            alarm.node.add_dependency(first_refresh)
            self._add(alarm)

    def _add(self, alarm: cloudwatch.Alarm) -> None:
        alarm.add_alarm_action(self._action)
        alarm.add_ok_action(self._action)
        self.all.append(alarm)

    def _what_to_do(self, heading: str) -> str:
        return f"What to do: {self._runbook}#{heading}"


def _mail_topic(scope: Construct, emails: Sequence[str]) -> sns.Topic:
    """Create a topic that only alarms of this account publish to, and that mails to these addresses."""
    topic = sns.Topic(scope, "Topic", enforce_ssl=True)
    acknowledge(
        topic, {"CKV_AWS_26": "E-mails are not encrypted, and alarms cannot publish with the key alias/aws/sns"}
    )
    # A topic with a policy of its own allows nothing by default.
    topic.add_to_resource_policy(
        iam.PolicyStatement(
            sid="AlarmsPublish",
            principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
            actions=["sns:Publish"],
            resources=[topic.topic_arn],
            conditions={"StringEquals": {"aws:SourceAccount": Stack.of(scope).account}},
        )
    )
    for email in emails:
        topic.add_subscription(subscriptions.EmailSubscription(email))
    return topic
