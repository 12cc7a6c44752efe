"""The deployed alarms, on the function's own figures: who would be told what, and when."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from local.embedded_aws import EmbeddedAws
from tests.local.mends.support import eventually, received

DENY = {"Effect": "Deny", "Action": "secretsmanager:PutSecretValue", "Resource": "*"}


@pytest.fixture(scope="module")
def mailbox(aws: EmbeddedAws, local: dict[str, str]) -> str:
    """A queue that is told what the alerts' topic mails."""
    [topic] = {topic for alarm in _alarms(aws).values() for topic in alarm["AlarmActions"]}
    sqs = aws.client("sqs")
    let_in = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [let_in]})
    url: str = sqs.create_queue(QueueName="mailbox", Attributes={"Policy": policy})["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    aws.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    return url


def test_a_failure_rings_at_once_and_one_missed_run_alone_does_not(
    aws: EmbeddedAws, local: dict[str, str], mailbox: str
) -> None:
    _refresh(aws, local)
    with _denied(aws, local):
        aws.advance_clock(30)
        mail = eventually(lambda: received(aws, mailbox), 20)

    [told] = mail
    assert (told["NewStateValue"], "RefreshFailed" in told["AlarmName"]) == ("ALARM", True)
    assert told["AlarmDescription"].endswith("docs/runbook.md#refresh-failed")
    aws.advance_clock(30)
    eventually(lambda: _states(aws) == {"RefreshFailed": "OK", "NotRefreshed": "OK", "LoginExpires": "OK"})
    assert received(aws, mailbox) == []


def test_silence_rings_after_90_minutes_and_again_after_8_hours_until_a_refresh_ends_it(
    aws: EmbeddedAws, local: dict[str, str], mailbox: str
) -> None:
    with _schedule_disabled(aws):
        _refresh(aws, local)
        said = []
        for minutes in (89, 2, 388, 2):
            aws.advance_clock(minutes)
            said.append((_states(aws), _mails(aws, mailbox)))
        _refresh(aws, local)
        said.append((_states(aws), _mails(aws, mailbox)))

    quiet = {"RefreshFailed": "OK", "NotRefreshed": "OK", "LoginExpires": "OK"}
    assert said == [
        (quiet, []),
        ({**quiet, "NotRefreshed": "ALARM"}, [("NotRefreshed", "ALARM")]),
        ({**quiet, "NotRefreshed": "ALARM"}, []),
        ({**quiet, "NotRefreshed": "ALARM", "LoginExpires": "ALARM"}, [("LoginExpires", "ALARM")]),
        (quiet, [("LoginExpires", "OK"), ("NotRefreshed", "OK")]),
    ]


def test_the_dashboard_is_there_under_the_name_of_the_output(aws: EmbeddedAws, local: dict[str, str]) -> None:
    dashboard = aws.client("cloudwatch").get_dashboard(DashboardName=local["DashboardName"])

    titles = [widget["properties"]["title"] for widget in json.loads(dashboard["DashboardBody"])["widgets"]]
    assert titles == [
        "Alarms",
        "Minutes since the last success",
        "Successes",
        "Failures",
        "Duration, slowest run",
        "Latest runs",
        "Dead letters",
        "Pulls from analytics, per hour",
        "Pulls from risk, per hour",
    ]


def _refresh(aws: EmbeddedAws, local: dict[str, str]) -> None:
    run = aws.client("lambda").invoke(FunctionName=local["RefreshFunctionNameDockerDefault"])
    assert "FunctionError" not in run


@contextmanager
def _denied(aws: EmbeddedAws, local: dict[str, str]) -> Iterator[None]:
    iam, role = aws.client("iam"), local["PullRoleArnDockerDefault"].rsplit("/", 1)[-1]
    document = json.dumps({"Version": "2012-10-17", "Statement": [DENY]})
    iam.put_role_policy(RoleName=role, PolicyName="Deny", PolicyDocument=document)
    yield
    iam.delete_role_policy(RoleName=role, PolicyName="Deny")


@contextmanager
def _schedule_disabled(aws: EmbeddedAws) -> Iterator[None]:
    scheduler = aws.client("scheduler")
    [name] = [s["Name"] for s in scheduler.list_schedules()["Schedules"] if s["Name"].startswith("local-")]
    schedule = scheduler.get_schedule(Name=name)
    settings = {key: schedule[key] for key in ("Name", "ScheduleExpression", "FlexibleTimeWindow", "Target")}
    scheduler.update_schedule(**settings, State="DISABLED")
    yield
    scheduler.update_schedule(**settings, State="ENABLED")


def _alarms(aws: EmbeddedAws) -> dict[str, dict[str, Any]]:
    """Those of `local`, by kind."""
    found = aws.client("cloudwatch").describe_alarms(AlarmNamePrefix="local-")["MetricAlarms"]
    return {_kind(alarm["AlarmName"]): alarm for alarm in found}


def _kind(alarm_name: str) -> str:
    [kind] = [kind for kind in ("RefreshFailed", "NotRefreshed", "LoginExpires") if kind in alarm_name]
    return kind


def _states(aws: EmbeddedAws) -> dict[str, str]:
    # Whatever is put, the embedded AWS looks at every alarm.
    aws.client("cloudwatch").put_metric_data(Namespace="tests", MetricData=[{"MetricName": "look", "Value": 1}])
    return {kind: alarm["StateValue"] for kind, alarm in _alarms(aws).items()}


def _mails(aws: EmbeddedAws, mailbox: str) -> list[tuple[str, str]]:
    return sorted((_kind(mail["AlarmName"]), mail["NewStateValue"]) for mail in received(aws, mailbox))
