"""The CloudWatch dashboard of an environment: the age of the logins, the failures, and the number of image pulls."""

from collections.abc import Mapping, Sequence

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from settings.names import repository_name
from stacks.docker_login import timings
from stacks.docker_login.metrics import runs_metric

# For each period, the expression calculates the time since the latest period with a success. The result also increases
# while the function does not run.
_AGE_MINUTES = "(EPOCH(runs) - FILL(IF(runs - errors > 0, EPOCH(runs)), REPEAT)) / 60"

_FULL, _TWO_THIRDS, _THIRD = 24, 16, 8  # widths in the grid units of a dashboard


class LoginDashboard(cloudwatch.Dashboard):
    """The alarms, graphs with a line for each connection, the latest runs, and the pulls of each team's images.

    A table shows the registries of the connections for another account or Region, if there are any.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        functions: Mapping[str, lambda_.IFunction],
        log_groups: Sequence[logs.ILogGroup],
        failures: sqs.IQueue,
        alarms: Sequence[cloudwatch.IAlarm],
        repositories: Mapping[str, Sequence[str]],
        registries_elsewhere: Mapping[str, str],
    ) -> None:
        """
        Args:
            scope: The parent construct.
            construct_id: The construct's id.
            functions: A dict of connection id to the function that refreshes the connection's docker login.
            log_groups: The log groups of the functions.
            failures: The failure queue.
            alarms: The alarms. The sequence is empty if alerts are off.
            repositories: A dict of team to the full names of the team's repositories.
            registries_elsewhere: A dict of connection id to the host of the registry, for each connection whose
                registry is not the environment's own.
        """
        super().__init__(scope, construct_id, default_interval=Duration.days(1))

        def for_each(expression: str) -> list[cloudwatch.IMetric]:
            return [
                runs_metric(function, expression, label=connection_id, period=Duration.minutes(5), number=number)
                for number, (connection_id, function) in enumerate(functions.items())
            ]

        if alarms:
            self.add_widgets(cloudwatch.AlarmStatusWidget(title="Alarms", alarms=alarms, width=_FULL))
        if registries_elsewhere:
            rows = [f"| {connection} | {host} |" for connection, host in registries_elsewhere.items()]
            self.add_widgets(
                cloudwatch.TextWidget(
                    markdown="\n".join(["| Connection | Registry of another account or Region |", "|---|---|", *rows]),
                    width=_FULL,
                    height=min(2 + len(rows), 6),  # The graphs stay near the top.
                )
            )
        self.add_widgets(
            cloudwatch.GraphWidget(
                title="Minutes since the last success",
                left=for_each(_AGE_MINUTES),
                left_y_axis=cloudwatch.YAxisProps(min=0, label="minutes", show_units=False),
                left_annotations=[
                    cloudwatch.HorizontalAnnotation(
                        value=timings.LOGIN_EXPIRES_AFTER_MINUTES,
                        label=f"at most {timings.LOGIN_EXPIRES_LEFT_MINUTES // 60} hours left",
                    ),
                    cloudwatch.HorizontalAnnotation(value=timings.LOGIN_MINUTES, label="the login has expired"),
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
                "Duration of the slowest run",
                [f.metric_duration(label=connection, statistic="Maximum") for connection, f in functions.items()],
            ),
        )
        self.add_widgets(
            cloudwatch.LogQueryWidget(
                title="Latest runs",
                log_group_names=[log_group.log_group_name for log_group in log_groups],
                query_lines=[
                    "fields @timestamp, connection, expires_at, written_at, version_id, reason, operation, code, "
                    "record.status, requestId",
                    # A run that was killed writes no log line. Lambda's report of the run contains the status.
                    'filter ispresent(connection) or (type = "platform.report" and record.status != "success")',
                    "sort @timestamp desc",
                    "limit 100",
                ],
                width=_TWO_THIRDS,
                height=6,
            ),
            _graph(
                "Failure queue",
                [
                    failures.metric_number_of_messages_sent(label="messages that arrived", statistic="Sum"),
                    failures.metric_approximate_number_of_messages_visible(
                        label="messages in the queue", statistic="Maximum"
                    ),
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
                            dimensions_map={"RepositoryName": name},
                            label=name.removeprefix(repository_name(team, "")),
                            statistic="Sum",
                            period=Duration.hours(1),
                        )
                        for name in names
                    ],
                )
                for team, names in repositories.items()
                if names
            )
        )


def _graph(title: str, metrics: Sequence[cloudwatch.IMetric]) -> cloudwatch.GraphWidget:
    axis = cloudwatch.YAxisProps(min=0, show_units=False)
    return cloudwatch.GraphWidget(title=title, left=list(metrics), left_y_axis=axis, width=_THIRD)
