"""Tests of the deployed alarms: when the alarms change their state, and which messages they send."""

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
    """A queue that receives the messages of the alert topic."""
    [topic] = {topic for alarm in _alarms(aws).values() for topic in alarm["AlarmActions"]}
    sqs = aws.client("sqs")
    let_in = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [let_in]})
    url: str = sqs.create_queue(QueueName="mailbox", Attributes={"Policy": policy})["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    aws.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    return url


def test_one_failed_run_fires_only_the_alarm_for_failed_refreshes(
    aws: EmbeddedAws, refresh: Refresh, mailbox: str
) -> None:
    _succeed(refresh)
    with refresh.denied("secretsmanager:PutSecretValue"):
        aws.advance_clock(30)
        mail = eventually(lambda: received(aws, mailbox), 20)

    [sent] = mail
    assert (sent["NewStateValue"], "RefreshFailed" in sent["AlarmName"]) == ("ALARM", True)
    assert sent["AlarmDescription"].endswith("docs/runbook.md#refresh-failed")
    for _ in range(4):
        before = refresh.login()
        aws.advance_clock(30)
        eventually(lambda before=before: refresh.login() != before)  # type: ignore[misc]
    eventually(lambda: _states(aws) == {"RefreshFailed": "OK", "NotRefreshed": "OK", "LoginExpires": "OK"})
    assert _mails(aws, mailbox) == [("RefreshFailed", "OK")]


def test_two_alarms_fire_90_minutes_and_8_hours_after_the_last_success_and_end_at_the_next_success(
    aws: EmbeddedAws, refresh: Refresh, mailbox: str
) -> None:
    with schedules_off(aws):
        _succeed(refresh)
        seen = []
        for minutes in (89, 2, 388, 2):
            aws.advance_clock(minutes)
            seen.append((_states(aws), _mails(aws, mailbox)))
        _succeed(refresh)
        seen.append((_states(aws), _mails(aws, mailbox)))

    quiet = {"RefreshFailed": "OK", "NotRefreshed": "OK", "LoginExpires": "OK"}
    assert seen == [
        (quiet, []),
        ({**quiet, "NotRefreshed": "ALARM"}, [("NotRefreshed", "ALARM")]),
        ({**quiet, "NotRefreshed": "ALARM"}, []),
        ({**quiet, "NotRefreshed": "ALARM", "LoginExpires": "ALARM"}, [("LoginExpires", "ALARM")]),
        (quiet, [("LoginExpires", "OK"), ("NotRefreshed", "OK")]),
    ]


def test_an_alarm_fires_for_a_stopped_function_although_its_schedule_continues(
    aws: EmbeddedAws, refresh: Refresh
) -> None:
    _succeed(refresh)
    with refresh.stopped():
        aws.advance_clock(91)
        eventually(lambda: _states(aws)["NotRefreshed"] == "ALARM")
        eventually(lambda: received(aws, refresh.failure_queue()))
    _succeed(refresh)
    eventually(lambda: _states(aws)["NotRefreshed"] == "OK")


def test_the_dashboard_has_the_name_of_the_output(aws: EmbeddedAws, local: dict[str, str]) -> None:
    dashboard = aws.client("cloudwatch").get_dashboard(DashboardName=local["DashboardName"])

    titles = [widget["properties"]["title"] for widget in json.loads(dashboard["DashboardBody"])["widgets"]]
    assert titles == [
        "Alarms",
        "Minutes since the last success",
        "Successes",
        "Failures",
        "Duration of the slowest run",
        "Latest runs",
        "Failure queue",
        "Pulls from analytics, per hour",
        "Pulls from risk, per hour",
    ]


def _succeed(refresh: Refresh) -> None:
    """Invoke the function and assert that the run succeeds. An earlier run of the schedule may still be running."""
    error = refresh.run().error
    assert error is None


def _alarms(aws: EmbeddedAws) -> dict[str, dict[str, Any]]:
    """Return the alarms of `local`: kind to alarm."""
    found = aws.client("cloudwatch").describe_alarms(AlarmNamePrefix="local-")["MetricAlarms"]
    return {_kind(alarm["AlarmName"]): alarm for alarm in found}


def _kind(alarm_name: str) -> str:
    [kind] = [kind for kind in ("RefreshFailed", "NotRefreshed", "LoginExpires") if kind in alarm_name]
    return kind


def _states(aws: EmbeddedAws) -> dict[str, str]:
    # The emulator evaluates every alarm when it receives metric data.
    aws.client("cloudwatch").put_metric_data(Namespace="tests", MetricData=[{"MetricName": "look", "Value": 1}])
    return {kind: alarm["StateValue"] for kind, alarm in _alarms(aws).items()}


def _mails(aws: EmbeddedAws, mailbox: str) -> list[tuple[str, str]]:
    return sorted((_kind(mail["AlarmName"]), mail["NewStateValue"]) for mail in received(aws, mailbox))


def test_the_runbook_lists_every_reason_of_a_failed_refresh() -> None:
    lasting = {code for _, code in [*test_ecr.TRIED_AGAIN.values(), *test_secrets_manager.TRIED_AGAIN.values()]}
    refused = [*test_ecr.REFUSED.values(), *test_secrets_manager.REFUSED.values()]
    unusable = {reason.split(" than ")[0].split(" at ")[0] for _, reason in test_ecr.UNUSABLE.values()}
    reasons = lasting | {fault["body"]["__type"] for fault in refused} | {"KeyError", "EndpointConnectionError"}

    runbook = (ROOT / "docs" / "runbook.md").read_text()
    assert [reason for reason in reasons if reason not in runbook] == []
    assert [reason for reason in unusable if " ".join(reason.split()[:4]) not in runbook] == []
