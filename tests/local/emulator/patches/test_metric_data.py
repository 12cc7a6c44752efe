"""Metrics: requests with metric math, and the age of data points and alarms."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.embedded_aws import EmbeddedAws
from tests.local.emulator.patches.support import refused


def metric(name: str) -> dict[str, Any]:
    return {
        "Id": name,
        "MetricStat": {"Metric": {"Namespace": "tests", "MetricName": name}, "Period": 60, "Stat": "Sum"},
    }


@pytest.mark.parametrize("order", [None, "TimestampAscending"])
def test_get_metric_data_evaluates_metric_math(aws: EmbeddedAws, order: str | None) -> None:
    cloudwatch = aws.client("cloudwatch")
    start = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(hours=1)
    for minute, value in ((0, 3), (2, 5)):
        at = start + timedelta(minutes=minute)
        cloudwatch.put_metric_data(
            Namespace="tests", MetricData=[{"MetricName": f"math{order}", "Timestamp": at, "Value": value}]
        )
    queries = [
        {**metric(f"math{order}"), "Id": "beats", "ReturnData": False},
        {"Id": "filled", "Expression": "FILL(beats, 0)", "ReturnData": False},
        {"Id": "doubled", "Expression": "2 * filled"},
    ]
    window = {"StartTime": start, "EndTime": start + timedelta(minutes=3), **({"ScanBy": order} if order else {})}

    [result] = cloudwatch.get_metric_data(MetricDataQueries=queries, **window)["MetricDataResults"]

    minutes = [0, 1, 2] if order else [2, 1, 0]
    assert result["Id"] == "doubled"
    assert result["Values"] == [{0: 6, 1: 0, 2: 10}[minute] for minute in minutes]
    assert result["Timestamps"] == [start + timedelta(minutes=minute) for minute in minutes]
    unknown = [{"Id": "unknown", "Expression": "ANOMALY_DETECTION_BAND(beats)"}]
    refusal = refused(cloudwatch.get_metric_data, MetricDataQueries=[*queries, *unknown], **window)
    assert refusal.startswith("ValidationError: ")


def test_metrics_and_alarms_become_older_when_the_clock_is_moved(aws_in_time: EmbeddedAws) -> None:
    cloudwatch, now = aws_in_time.client("cloudwatch"), datetime.now(UTC)
    cloudwatch.put_metric_data(Namespace="tests", MetricData=[{"MetricName": "aging", "Timestamp": now, "Value": 1}])
    cloudwatch.put_metric_alarm(
        AlarmName="aging",
        Namespace="tests",
        MetricName="aging",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="notBreaching",
    )

    def times() -> list[datetime]:
        window = {"StartTime": now - timedelta(hours=3), "EndTime": now + timedelta(minutes=1)}
        [data] = cloudwatch.get_metric_data(MetricDataQueries=[metric("aging")], **window)["MetricDataResults"]
        [alarm] = cloudwatch.describe_alarms(AlarmNames=["aging"])["MetricAlarms"]
        history = cloudwatch.describe_alarm_history(AlarmName="aging", ScanBy="TimestampAscending")
        created = history["AlarmHistoryItems"][0]
        return [*data["Timestamps"], alarm["AlarmConfigurationUpdatedTimestamp"], created["Timestamp"]]

    before = times()
    aws_in_time.advance_clock(90)
    assert times() == [at - timedelta(minutes=90) for at in before]
