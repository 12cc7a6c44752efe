"""Lambda's own metrics of the refreshes, for the alarms and the dashboard.

Lambda counts every run, including one that was killed and could not report anything.
"""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_


def runs_metric(
    function: lambda_.IFunction, expression: str, *, label: str, period: Duration, number: int = 0
) -> cloudwatch.MathExpression:
    """Return metric math on the runs of a function.

    Args:
        function: The function.
        expression: The expression; in it, `runs` and `errors` are the sums of each period.
        label: The name of the line in a graph.
        period: The length of a period.
        number: Distinguishes the metrics of several functions in one graph.
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
