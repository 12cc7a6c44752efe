"""The deployed alarms, on the function's own figures: who would be told what, and when."""

import json
from typing import Any

import pytest

from local.embedded_aws import EmbeddedAws
from tests.faults import test_ecr, test_secrets_manager
from tests.faults.refresh import Refresh, schedules_off
from tests.local.emulator.patches.support import eventually, received
from tools import ROOT


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
    aws: EmbeddedAws, refresh: Refresh, mailbox: str
) -> None:
    _succeed(refresh)
    with refresh.denied("secretsmanager:PutSecretValue"):
        aws.advance_clock(30)
        mail = eventually(lambda: received(aws, mailbox), 20)

    [told] = mail
    assert (told["NewStateValue"], "RefreshFailed" in told["AlarmName"]) == ("ALARM", True)
    assert told["AlarmDescription"].endswith("docs/runbook.md#refresh-failed")
    for _ in range(4):
        before = refresh.login()
        aws.advance_clock(30)
        eventually(lambda before=before: refresh.login() != before)  # type: ignore[misc]
    eventually(lambda: _states(aws) == {"RefreshFailed": "OK", "NotRefreshed": "OK", "LoginExpires": "OK"})
    assert _mails(aws, mailbox) == [("RefreshFailed", "OK")]


def test_silence_rings_after_90_minutes_and_again_after_8_hours_until_a_refresh_ends_it(
    aws: EmbeddedAws, refresh: Refresh, mailbox: str
) -> None:
    with schedules_off(aws):
        _succeed(refresh)
        said = []
        for minutes in (89, 2, 388, 2):
            aws.advance_clock(minutes)
            said.append((_states(aws), _mails(aws, mailbox)))
        _succeed(refresh)
        said.append((_states(aws), _mails(aws, mailbox)))

    quiet = {"RefreshFailed": "OK", "NotRefreshed": "OK", "LoginExpires": "OK"}
    assert said == [
        (quiet, []),
        ({**quiet, "NotRefreshed": "ALARM"}, [("NotRefreshed", "ALARM")]),
        ({**quiet, "NotRefreshed": "ALARM"}, []),
        ({**quiet, "NotRefreshed": "ALARM", "LoginExpires": "ALARM"}, [("LoginExpires", "ALARM")]),
        (quiet, [("LoginExpires", "OK"), ("NotRefreshed", "OK")]),
    ]


def test_a_function_that_is_stopped_rings_although_its_schedule_goes_on(aws: EmbeddedAws, refresh: Refresh) -> None:
    _succeed(refresh)
    with refresh.stopped():
        aws.advance_clock(91)
        eventually(lambda: _states(aws)["NotRefreshed"] == "ALARM")
        eventually(lambda: received(aws, refresh.failure_queue()))
    _succeed(refresh)
    eventually(lambda: _states(aws)["NotRefreshed"] == "OK")


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
        "Failure queue",
        "Pulls from analytics, per hour",
        "Pulls from risk, per hour",
    ]


def _succeed(refresh: Refresh) -> None:
    """Run it; others may run beside it, which a schedule started before."""
    error = refresh.run().error
    assert error is None


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


def test_the_runbook_knows_every_reason_that_a_refresh_gives() -> None:
    lasting = {code for _, code in [*test_ecr.TRIED_AGAIN.values(), *test_secrets_manager.TRIED_AGAIN.values()]}
    refused = [*test_ecr.REFUSED.values(), *test_secrets_manager.REFUSED.values()]
    unusable = {reason.split(" than ")[0].split(" at ")[0] for _, reason in test_ecr.UNUSABLE.values()}
    reasons = lasting | {fault["body"]["__type"] for fault in refused} | {"KeyError", "EndpointConnectionError"}

    runbook = (ROOT / "docs" / "runbook.md").read_text()
    assert [reason for reason in reasons if reason not in runbook] == []
    assert [reason for reason in unusable if " ".join(reason.split()[:4]) not in runbook] == []
