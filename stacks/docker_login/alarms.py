"""Who is told of a login that is not refreshed, and when; docs/runbook.md has a heading for each kind of alarm."""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as cloudwatch_actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from settings.environment import Environment
from settings.names import pascal_case
from stacks.acknowledgements import acknowledge
from stacks.docker_login.metrics import LOGIN_MINUTES, WARNING_MINUTES, of_runs


class Alarms(Construct):
    """Ring for a refresh that failed for good, and for each connection whose successes stay out."""

    def __init__(self, scope: Construct, construct_id: str, *, environment: Environment, failures: sqs.IQueue) -> None:
        super().__init__(scope, construct_id)
        self._environment = environment

        # Resources
        self._tell = cloudwatch_actions.SnsAction(_topic(self, environment))
        failed = cloudwatch.Alarm(
            self,
            "RefreshFailed",
            alarm_description="Rings when a docker login could not be refreshed; the failure queue says why. "
            + self._what_to_do("refresh-failed"),
            # What arrives, not what lies there: it ends by itself, and the next failure rings again.
            metric=failures.metric_number_of_messages_sent(period=Duration.minutes(5), statistic="Sum"),
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            threshold=0,
            # In any of four: of a queue that nobody used for hours, figures come up to 15 minutes late (SQS Developer
            # Guide, "Available CloudWatch metrics"). Nor are there any while nobody uses it: that is the good case.
            evaluation_periods=4,
            datapoints_to_alarm=1,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        failed.add_alarm_action(self._tell)
        failed.add_ok_action(self._tell)
        self.all = [failed]

    def watch(self, connection_id: str, function: lambda_.IFunction, *, first_refresh: Construct) -> None:
        """Ring when no refresh succeeded for two intervals and half an hour, and again when none did for 8 hours.

        One missed run, with all its retries, does not ring: docs/decisions/0009 has the arithmetic.
        """
        stale_minutes = 2 * self._environment.connections[connection_id].refresh_every_minutes + 30
        for kind, heading, minutes in (
            ("NotRefreshed", "not-refreshed", stale_minutes),
            ("LoginExpires", "login-expires", WARNING_MINUTES),
        ):
            alarm = cloudwatch.Alarm(
                self,
                f"{pascal_case(connection_id)}{kind}",
                alarm_description=f"Rings when the docker login of {connection_id} was not refreshed for {minutes} "
                f"minutes; what Airflow has then works for {(LOGIN_MINUTES - minutes) / 60:.1f} more hours. "
                + self._what_to_do(heading),
                # With zeros filled in: where data is missing, CloudWatch looks further back than the evaluation
                # periods, for data that would keep the alarm quiet.
                metric=of_runs(
                    function,
                    "FILL(runs, 0) - FILL(errors, 0)",
                    label="Refreshes that succeeded",
                    period=Duration.minutes(1),
                ),
                comparison_operator=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
                threshold=1,
                evaluation_periods=minutes,  # one for each: no success in any of them
                treat_missing_data=cloudwatch.TreatMissingData.BREACHING,
            )
            alarm.add_alarm_action(self._tell)
            alarm.add_ok_action(self._tell)
            alarm.node.add_dependency(first_refresh)  # Before that there is nothing but silence.
            self.all.append(alarm)

    def _what_to_do(self, heading: str) -> str:
        return f"What to do: {self._environment.alerts.runbook}#{heading}"


def _topic(scope: Construct, environment: Environment) -> sns.ITopic:
    """The settings' topic, or one of our own that mails."""
    if environment.alerts.topic_arn:
        return sns.Topic.from_topic_arn(scope, "Topic", environment.alerts.topic_arn)
    topic = sns.Topic(scope, "Topic", enforce_ssl=True)
    acknowledge(topic, {"CKV_AWS_26": "Mailed in the clear; and alarms cannot publish under AWS's key for SNS"})
    # A topic that has a policy of its own lets nobody in by itself.
    topic.add_to_resource_policy(
        iam.PolicyStatement(
            sid="AlarmsPublish",
            principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
            actions=["sns:Publish"],
            resources=[topic.topic_arn],
            conditions={"StringEquals": {"aws:SourceAccount": environment.account}},
        )
    )
    for email in environment.alerts.emails:
        topic.add_subscription(subscriptions.EmailSubscription(email))
    return topic
