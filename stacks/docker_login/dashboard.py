"""One page per environment for whoever is called: are the logins fresh, what failed, who pulls what."""

from collections.abc import Mapping, Sequence

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from settings.environment import Environment
from settings.names import repository_name
from stacks.docker_login.metrics import LOGIN_MINUTES, WARNING_MINUTES, of_runs

# The time of each period, less that of the latest one with a success: it goes on rising when nothing runs.
_AGE_MINUTES = "(EPOCH(runs) - FILL(IF(runs - errors > 0, EPOCH(runs)), REPEAT)) / 60"

_FULL, _THIRD = 24, 8  # widths, in the dashboard's grid units


class LoginDashboard(cloudwatch.Dashboard):
    """The alarms, a line for each connection in every graph, the latest runs, and pulls by team."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: Environment,
        functions: Mapping[str, lambda_.IFunction],
        log_groups: Sequence[logs.ILogGroup],
        failures: sqs.IQueue,
        alarms: Sequence[cloudwatch.IAlarm],
    ) -> None:
        """
        Args:
            functions: each connection's refresh, by connection id.
            alarms: none where alerts are off.
        """
        super().__init__(scope, construct_id, default_interval=Duration.days(1))

        def for_each(expression: str) -> list[cloudwatch.IMetric]:
            return [
                of_runs(function, expression, label=connection_id, period=Duration.minutes(5), number=number)
                for number, (connection_id, function) in enumerate(functions.items())
            ]

        if alarms:
            self.add_widgets(cloudwatch.AlarmStatusWidget(title="Alarms", alarms=alarms, width=_FULL))
        self.add_widgets(
            cloudwatch.GraphWidget(
                title="Minutes since the last success",
                left=for_each(_AGE_MINUTES),
                left_y_axis=cloudwatch.YAxisProps(min=0, label="minutes", show_units=False),
                left_annotations=[
                    cloudwatch.HorizontalAnnotation(value=WARNING_MINUTES, label="4 hours left"),
                    cloudwatch.HorizontalAnnotation(value=LOGIN_MINUTES, label="the login has expired"),
                ],
                width=_FULL,
            )
        )
        self.add_widgets(
            _graph("Successes", for_each("runs - errors")),
            _graph(
                "Failures",
                [f.metric_errors(label=connection, statistic="Sum") for connection, f in functions.items()],
            ),
            _graph(
                "Duration, slowest run",
                [f.metric_duration(label=connection, statistic="Maximum") for connection, f in functions.items()],
            ),
        )
        self.add_widgets(
            cloudwatch.LogQueryWidget(
                title="Latest runs",
                log_group_names=[log_group.log_group_name for log_group in log_groups],
                query_lines=[
                    "fields @timestamp, connection, expires_at, version_id, reason, record.status, requestId",
                    # A run that is killed has no line of its own: Lambda's tells of it.
                    'filter ispresent(connection) or (type = "platform.report" and record.status != "success")',
                    "sort @timestamp desc",
                    "limit 100",
                ],
                width=16,
                height=6,
            ),
            _graph(
                "Dead letters",
                [
                    failures.metric_number_of_messages_sent(label="arrived", statistic="Sum"),
                    failures.metric_approximate_number_of_messages_visible(label="lying there", statistic="Maximum"),
                ],
            ),
        )
        self.add_widgets(
            *(
                _graph(
                    f"Pulls from {team}, per hour",
                    [
                        cloudwatch.Metric(
                            namespace="AWS/ECR",
                            metric_name="RepositoryPullCount",
                            dimensions_map={"RepositoryName": repository_name(team, repository)},
                            label=repository,
                            statistic="Sum",
                            period=Duration.hours(1),
                        )
                        for repository in settings.repositories
                    ],
                )
                for team, settings in environment.teams.items()
            )
        )


def _graph(title: str, metrics: Sequence[cloudwatch.IMetric]) -> cloudwatch.GraphWidget:
    axis = cloudwatch.YAxisProps(min=0, show_units=False)
    return cloudwatch.GraphWidget(title=title, left=list(metrics), left_y_axis=axis, width=_THIRD)
