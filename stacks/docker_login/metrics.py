"""Lambda's metrics of the refreshes. The alarms and the dashboard use these metrics.

Lambda counts every run, including the runs that were killed and could not write a log line.
"""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_


def runs_metric(
    function: lambda_.IFunction, expression: str, *, label: str, period: Duration, number: int = 0
) -> cloudwatch.MathExpression:
    """Return a math expression on the metrics of a function.

    Args:
        function: The function.
        expression: The expression. It can contain `runs` and `errors`, the numbers of runs and of errors in a period.
        label: The name of the line in a graph.
        period: The length of a period.
        number: The number of the function in a graph with several functions. It makes the ids of the metrics unique.
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
