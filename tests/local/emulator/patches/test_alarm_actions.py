"""Actions and history of alarms."""

import json
from typing import Any

import pytest

from local.embedded_aws import ACCOUNT, REGION, EmbeddedAws
from tests.local.emulator.patches.support import received

ALARM = "acting"
ARN = f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{ALARM}"
OTHER = f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:other"


def allow(action: str, **elements: Any) -> str:
    statement = {"Effect": "Allow", "Action": action, "Resource": "*", **elements}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def cloudwatch_may_publish(alarm_arn: str) -> str:
    return allow(
        "sns:Publish",
        Principal={"Service": "cloudwatch.amazonaws.com"},
        Condition={"ArnEquals": {"aws:SourceArn": alarm_arn}, "StringEquals": {"aws:SourceAccount": ACCOUNT}},
    )


@pytest.fixture(scope="module")
def queue(aws: EmbeddedAws) -> str:
    """A queue with the messages of the topic `acting`. The alarm `acting` publishes to the topic."""
    sns, sqs = aws.client("sns"), aws.client("sqs")
    url: str = sqs.create_queue(QueueName=ALARM, Attributes={"Policy": allow("sqs:SendMessage", Principal="*")})[
        "QueueUrl"
    ]
    topic = sns.create_topic(Name=ALARM)["TopicArn"]
    sns.subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=f"arn:aws:sqs:{REGION}:{ACCOUNT}:{ALARM}",
        Attributes={"RawMessageDelivery": "true"},
    )
    aws.client("cloudwatch").put_metric_alarm(
        AlarmName=ALARM,
        AlarmActions=[topic],
        Namespace="tests",
        MetricName="None",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="notBreaching",
    )
    return url


@pytest.mark.parametrize(
    ("policy", "state"),
    [(None, "Succeeded"), (cloudwatch_may_publish(ARN), "Succeeded"), (cloudwatch_may_publish(OTHER), "Failed")],
    ids=["default policy", "policy for the alarm", "policy for another alarm"],
)
def test_the_action_of_an_alarm_needs_the_policy_of_the_topic_and_is_in_the_history(
    aws: EmbeddedAws, queue: str, policy: str | None, state: str
) -> None:
    cloudwatch, sns = aws.client("cloudwatch"), aws.client("sns")
    [alarm] = cloudwatch.describe_alarms(AlarmNames=[ALARM])["MetricAlarms"]
    [topic] = alarm["AlarmActions"]
    if policy:
        sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)

    for value in ("OK", "ALARM"):
        cloudwatch.set_alarm_state(AlarmName=ALARM, StateValue=value, StateReason="a test")

    sent = [message["NewStateValue"] for message in received(aws, queue)]
    assert sent == (["ALARM"] if state == "Succeeded" else [])
    item = cloudwatch.describe_alarm_history(AlarmName=ALARM, HistoryItemType="Action")["AlarmHistoryItems"][0]
    beginning = "Successfully executed" if state == "Succeeded" else "Failed to execute"
    assert item["HistorySummary"] == f"{beginning} action {topic}"
    assert json.loads(item["HistoryData"])["actionState"] == state
    # The state in the answer may be OK again: an alarm returns to its actual state within seconds.
    [alarm] = cloudwatch.describe_alarms(AlarmNames=[ALARM])["MetricAlarms"]
    assert "StateTransitionedTimestamp" in alarm


def test_the_history_of_an_alarm_begins_with_its_creation(aws: EmbeddedAws, queue: str) -> None:
    history = aws.client("cloudwatch").describe_alarm_history(AlarmName=ALARM, ScanBy="TimestampAscending")
    first = history["AlarmHistoryItems"][0]
    assert (first["HistoryItemType"], first["HistorySummary"]) == ("ConfigurationUpdate", 'Alarm "acting" created')
