"""The alarms for docker logins that are not refreshed. docs/runbook.md has a section for each kind of alarm."""

import math
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
    """The alarms of an environment.

    One alarm fires if a refresh failed after all retries. Each connection has two more alarms, which fire if no refresh
    of the connection succeeds for some time.

    Attributes:
        all: Every alarm.
        topic: The topic that the alarms publish to.
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
            topic_arn: The ARN of an existing SNS topic that the alarms publish to. If None, a topic is created.
            emails: The e-mail addresses that subscribe to the new topic.
            runbook: The URL or path of the runbook. Alarms link to its headings.
            failures: The failure queue.
        """
        super().__init__(scope, construct_id)
        self._runbook = runbook

        # Resources
        self.topic = sns.Topic.from_topic_arn(self, "Topic", topic_arn) if topic_arn else _mail_topic(self, emails)
        self._action = cloudwatch_actions.SnsAction(self.topic)

        # Alarms
        self.all: list[cloudwatch.Alarm] = []
        self._add(
            cloudwatch.Alarm(
                self,
                "RefreshFailed",
                alarm_description="A docker login was not refreshed after all retries. "
                "The failure queue contains the error. " + self._what_to_do("refresh-failed"),
                # The metric counts the messages that arrive, not the messages in the queue. Therefore, the alarm ends
                # while old messages are still in the queue, and the alarm fires again after a new failure.
                metric=failures.metric_number_of_messages_sent(
                    period=Duration.minutes(timings.FAILURE_PERIOD_MINUTES), statistic="Sum"
                ),
                comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
                threshold=0,
                # If a queue was unused for hours, its metrics arrive late. Therefore, the alarm evaluates several
                # periods.
                evaluation_periods=timings.FAILURE_PERIODS,
                datapoints_to_alarm=1,
                # An unused queue has no metrics, so missing data means that no refresh failed.
                treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
            )
        )

    def add_connection(
        self,
        connection_id: str,
        function: lambda_.IFunction,
        *,
        refresh_every_minutes: int,
        first_refresh: Construct,
        registry_elsewhere: str | None,
    ) -> None:
        """Add the alarms "Not refreshed" and "Login expires" for a connection.

        Args:
            connection_id: The Airflow connection.
            function: The function that refreshes the connection's docker login.
            refresh_every_minutes: The interval of the connection's schedule.
            first_refresh: The refresh that a deployment runs. The alarms are created after this refresh, because the
                function has no metrics before its first run.
            registry_elsewhere: The host of the registry, or None if the login is for the environment's own registry.
        """
        login = f"docker login of {connection_id}" + (f" to {registry_elsewhere}" if registry_elsewhere else "")
        for kind, heading, minutes in (
            ("NotRefreshed", "not-refreshed", timings.not_refreshed_after_minutes(refresh_every_minutes)),
            ("LoginExpires", "login-expires", timings.LOGIN_EXPIRES_AFTER_MINUTES),
        ):
            # The last success can be a run that kept a young login.
            oldest_minutes = minutes + timings.shortest_interval_minutes(refresh_every_minutes)
            hours_left = math.floor((timings.LOGIN_MINUTES - oldest_minutes) / 6) / 10
            alarm = cloudwatch.Alarm(
                self,
                f"{pascal_case(connection_id)}{kind}",
                alarm_description=f"The {login} was not refreshed for {minutes} minutes. "
                f"The login that Airflow reads works for at least {hours_left} more hours. "
                + self._what_to_do(heading),
                # If data is missing, CloudWatch evaluates data that is older than the evaluation periods. A success in
                # the older data would keep the alarm from firing. FILL replaces missing data with 0.
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
    """Create a topic that sends e-mails to these addresses. The alarms of this account can publish to the topic."""
    topic = sns.Topic(scope, "Topic", enforce_ssl=True)
    acknowledge(topic, {"CKV_AWS_26": "E-mails are not encrypted, and alarms cannot use the key alias/aws/sns"})
    # enforce_ssl adds a resource policy to the topic. A topic with a resource policy has no default permissions, so the
    # policy must also allow alarms to publish.
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
