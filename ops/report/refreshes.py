"""The refreshes of the last week, hour by hour, from Lambda's metrics."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from ops.clients import Clients, NoAnswer, answers
from ops.deployment import Connection, Deployment

DAYS = 7
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Hour:
    """The refreshes of one hour.

    Attributes:
        start: The start of the hour, in UTC.
        state: `succeeded` if a refresh succeeded, `failed` if every refresh failed, `none` if there was no refresh.
        text: The numbers of refreshes in words.
    """

    start: datetime
    state: str
    text: str


@dataclass(frozen=True)
class Week:
    """The refreshes of a connection. Without an answer of CloudWatch, `hours` is empty and `problem` is the reason."""

    connection: str
    hours: list[Hour]
    problem: str = ""


def read_refreshes(clients: Clients, deployment: Deployment) -> list[Week]:
    """Return the refreshes of the last week for each connection."""
    end = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + HOUR
    return [_week(clients, connection, end) for connection in deployment.connections.values()]


def _week(clients: Clients, connection: Connection, end: datetime) -> Week:
    start = end - timedelta(days=DAYS)
    queries = [_query(name, connection) for name in ("Invocations", "Errors")]
    counts: dict[str, dict[datetime, float]] = {}
    try:
        with answers():
            pages = clients.cloudwatch.get_paginator("get_metric_data").paginate(
                MetricDataQueries=queries, StartTime=start, EndTime=end
            )
            for page in pages:
                for found in page["MetricDataResults"]:
                    sums = counts.setdefault(found["Id"], {})
                    for time, value in zip(found["Timestamps"], found["Values"], strict=True):
                        sums[time.astimezone(UTC)] = value
    except NoAnswer as error:
        return Week(connection.id, [], str(error))
    runs, errors = counts.get("invocations", {}), counts.get("errors", {})
    times = [start + number * HOUR for number in range(DAYS * 24)]
    return Week(connection.id, [_hour(time, int(runs.get(time, 0)), int(errors.get(time, 0))) for time in times])


def _hour(start: datetime, runs: int, errors: int) -> Hour:
    state = "none" if not runs else "failed" if errors >= runs else "succeeded"
    text = (
        f"{start:%a %d %b, %H:00 UTC}: {runs - errors} succeeded, {errors} failed"
        if runs
        else (f"{start:%a %d %b, %H:00 UTC}: no refresh")
    )
    return Hour(start, state, text)


def _query(metric: str, connection: Connection) -> dict[str, Any]:
    dimensions = [{"Name": "FunctionName", "Value": connection.function_name}]
    named = {"Namespace": "AWS/Lambda", "MetricName": metric, "Dimensions": dimensions}
    return {
        "Id": metric.lower(),
        "MetricStat": {"Metric": named, "Period": int(HOUR.total_seconds()), "Stat": "Sum"},
    }
