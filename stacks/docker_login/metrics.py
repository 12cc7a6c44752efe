"""What Lambda itself counts of a refresh, for alarms and dashboard: it tells of runs that were killed, too."""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_

LOGIN_MINUTES = 12 * 60  # An ECR token's life (API reference, GetAuthorizationToken).
WARNING_MINUTES = 8 * 60  # Without a success for so long, 4 hours are left.


def of_runs(
    function: lambda_.IFunction, expression: str, *, label: str, period: Duration, number: int = 0
) -> cloudwatch.MathExpression:
    """Metric math on a function's runs.

    Args:
        expression: with `runs` and `errors` for their sums in each period.
        number: tells the metrics of several functions in one graph apart.
    """
    runs, errors = f"runs{number}", f"errors{number}"
    return cloudwatch.MathExpression(
        label=label,
        expression=expression.replace("runs", runs).replace("errors", errors),
        using_metrics={
            runs: function.metric_invocations(statistic="Sum"),
            errors: function.metric_errors(statistic="Sum"),
        },
        period=period,
    )
