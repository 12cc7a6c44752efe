"""The alarms fire if refreshes fail or do not run, and do not fire after one missed run."""

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest

from local.emulator.alarm_evaluation import Alarm, Evaluation, Series
from tests.stacks.conftest import PLAIN, of_type, statements, the_one
from tests.templates import Template, Templates, synthesize
from tools import ROOT

INTERVALS = (10, 11, 30, 60, 97, 180)  # minutes
# The documentation of CloudWatch does not specify these parts of an evaluation. An alarm must be correct in each case.
POSSIBLE = [
    Evaluation(delay_minutes=delay, looks_back=back, fills_emptiness=fills)
    for delay in (0, 3)
    for back in (0, 20)
    for fills in (True, False)
]
# A run starts within the time window of the schedule. The run ends within the timeout of the function.
LATE = 5 + 2
TOPIC = "arn:aws:sns:eu-west-1:111111111111:on-call"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """The template of an environment with one connection per interval, an existing topic, and the URL of a runbook."""
    folder = tmp_path_factory.mktemp("environments")
    connections = "".join(
        f'[connections.docker_{interval}]\nteams = ["analytics"]\nrefresh_every_minutes = {interval}\n'
        for interval in INTERVALS
    )
    alerts = f'topic_arn = "{TOPIC}"\nrunbook = "https://git.example.com/runbook.md" #'
    (folder / "every.toml").write_text(PLAIN.replace("off_because", alerts) + connections)
    return synthesize(folder, folder / "cdk.out")["every-DockerLogin"]


def alarm(template: Template, name: str) -> Alarm:
    found: Alarm
    [found] = [r["Properties"] for id_, r in template["Resources"].items() if id_.startswith(f"Alarms{name}")]
    return found


def runs(*minutes: int, failed: bool = False) -> dict[str, Series]:
    """Return the metrics that Lambda has if the function ran at these minutes."""
    return {"Invocations": dict.fromkeys(minutes, 1), "Errors": dict.fromkeys(minutes, int(failed))}


def together(*metrics: Mapping[str, Series]) -> dict[str, Series]:
    return {name: {**metrics[0][name], **metrics[1][name]} for name in ("Invocations", "Errors")}


def state(evaluation: Evaluation, properties: Alarm, metrics: Mapping[str, Series], minute: int) -> str:
    return evaluation.state(properties, lambda metric: metrics[metric["MetricName"]], minute)


def fires(evaluation: Evaluation, properties: Alarm, metrics: Mapping[str, Series], minutes: range) -> list[int]:
    """Return each minute at the end of which the alarm fires."""
    states = {minute: state(evaluation, properties, metrics, minute) for minute in minutes}
    return [minute for minute in minutes if states[minute] == "ALARM" != states.get(minute - 1, "OK")]


@pytest.mark.parametrize("interval", INTERVALS)
def test_one_missed_run_fires_no_alarm(template: Template, interval: int) -> None:
    # The missed run and both of its retries fail. The run before the missed run is as early as possible. The run after
    # the missed run is as late as possible.
    metrics = together(runs(0, 2 * interval + LATE), runs(interval, interval + 3, interval + 6, failed=True))
    minutes = range(2 * interval - 10, 2 * interval + LATE + 10)

    for kind in ("NotRefreshed", "LoginExpires"):
        properties = alarm(template, f"Docker{interval}{kind}")
        assert [fires(each, properties, metrics, minutes) for each in POSSIBLE] == [[]] * len(POSSIBLE)


SILENCE = [
    pytest.param(lambda _: runs(), id="the schedule is gone"),
    pytest.param(lambda every: runs(*range(every, 2000, every), failed=True), id="each run fails or is killed"),
]


@pytest.mark.parametrize("after", SILENCE)
@pytest.mark.parametrize("interval", INTERVALS)
def test_an_alarm_fires_once_if_there_are_no_more_successes(template: Template, interval: int, after: Any) -> None:
    metrics = together(runs(0), after(interval))

    for kind, allowed in (("NotRefreshed", 2 * interval + 30), ("LoginExpires", 8 * 60)):
        # If the alarm fires too early, `fires` returns the first of these minutes, because the state is ALARM then.
        properties, minutes = alarm(template, f"Docker{interval}{kind}"), range(allowed - 10, allowed + 30)
        # The alarm fires exactly at this minute, because FILL replaces missing data. CloudWatch then evaluates no older
        # data.
        assert [fires(each, properties, metrics, minutes) for each in POSSIBLE] == [[allowed]] * len(POSSIBLE)


@pytest.mark.parametrize("evaluation", POSSIBLE, ids=str)
def test_an_alarm_stays_in_alarm_for_days_until_the_next_success(template: Template, evaluation: Evaluation) -> None:
    for kind in ("NotRefreshed", "LoginExpires"):
        properties = alarm(template, f"Docker30{kind}")
        metrics = runs(0, 5000)

        states = [state(evaluation, properties, metrics, minute) for minute in (600, 1500, 4999, 5003)]

        assert states == ["ALARM", "ALARM", "ALARM", "OK"]


# If a queue was unused for hours, its metrics arrive up to 15 minutes late.
LATE_METRICS = [Evaluation(delay_minutes=delay, looks_back=back) for delay in (0, 5, 15) for back in (0, 2, 20)]


@pytest.mark.parametrize("evaluation", LATE_METRICS, ids=str)
def test_a_message_that_arrives_in_the_failure_queue_fires_an_alarm_that_ends_after_some_minutes(
    template: Template, evaluation: Evaluation
) -> None:
    properties = alarm(template, "RefreshFailed")
    metrics = {"NumberOfMessagesSent": {7: 1.0, 300: 2.0}}

    assert fires(evaluation, properties, metrics, range(400)) == [
        7 + evaluation.delay_minutes,
        300 + evaluation.delay_minutes,
    ]
    assert state(evaluation, properties, metrics, 250) == "OK"


@pytest.mark.parametrize("evaluation", POSSIBLE, ids=str)
@pytest.mark.parametrize("series", [{}, dict.fromkeys(range(400), 0.0)], ids=["an unused queue", "zeros"])
def test_an_empty_failure_queue_fires_no_alarm(template: Template, evaluation: Evaluation, series: Series) -> None:
    properties = alarm(template, "RefreshFailed")

    assert fires(evaluation, properties, {"NumberOfMessagesSent": series}, range(400)) == []


def test_the_alarms_of_a_connection_are_created_after_its_first_refresh(template: Template) -> None:
    resources = template["Resources"]
    counting = [r for r in resources.values() if r["Type"] == "AWS::CloudWatch::Alarm" and "Metrics" in r["Properties"]]

    assert len(counting) == 2 * (len(INTERVALS) + 1)
    for found in counting:
        [function] = {
            dimension["Value"]["Ref"]
            for metric in found["Properties"]["Metrics"]
            for dimension in metric.get("MetricStat", {}).get("Metric", {}).get("Dimensions", [])
        }
        [first] = found["DependsOn"]
        version = resources[first]["Properties"]["HandlerArn"]["Ref"]
        assert resources[version]["Properties"]["FunctionName"] == {"Ref": function}, (
            "the first refresh of another connection"
        )


def test_the_alarms_count_all_messages_runs_and_errors(template: Template) -> None:
    failed = alarm(template, "RefreshFailed")
    assert (failed["Namespace"], failed["MetricName"], failed["Statistic"]) == (
        "AWS/SQS",
        "NumberOfMessagesSent",
        "Sum",
    )

    for kind in ("NotRefreshed", "LoginExpires"):
        expression, *counted = alarm(template, f"Docker30{kind}")["Metrics"]
        assert (expression["Expression"], expression["Label"]) == (
            "FILL(runs0, 0) - FILL(errors0, 0)",
            "Refreshes that succeeded",
        )
        found = {each["Id"]: each["MetricStat"] for each in counted}
        assert {
            id_: (each["Metric"]["Namespace"], each["Metric"]["MetricName"], each["Stat"], each["Period"])
            for id_, each in found.items()
        } == {"runs0": ("AWS/Lambda", "Invocations", "Sum", 60), "errors0": ("AWS/Lambda", "Errors", "Sum", 60)}


def test_the_text_of_an_alarm_says_what_happened(template: Template) -> None:
    assert alarm(template, "RefreshFailed")["AlarmDescription"] == (
        "A docker login was not refreshed after all retries. The failure queue contains the error. "
        "What to do: https://git.example.com/runbook.md#refresh-failed"
    )
    assert alarm(template, "Docker10NotRefreshed")["AlarmDescription"] == (
        "The docker login of docker_10 was not refreshed for 50 minutes. "
        "The login that Airflow reads works for at least 11.0 more hours. "
        "What to do: https://git.example.com/runbook.md#not-refreshed"
    )


def test_every_alarm_notifies_and_links_to_the_runbook(templates: Templates) -> None:
    template = templates["rich-DockerLogin"]
    [topic] = [name for name, r in template["Resources"].items() if r["Type"] == "AWS::SNS::Topic"]
    headings = {
        re.sub("[^a-z0-9]+", "-", heading.lower())
        for heading in re.findall("^## (.+)$", (ROOT / "docs" / "runbook.md").read_text(), re.MULTILINE)
    }

    alarms = {id_: r["Properties"] for id_, r in template["Resources"].items() if r["Type"] == "AWS::CloudWatch::Alarm"}
    assert len(alarms) == 5
    for id_, properties in alarms.items():
        assert properties["AlarmActions"] == properties["OKActions"] == [{"Ref": topic}]
        text, _, heading = properties["AlarmDescription"].partition(" What to do: docs/runbook.md#")
        assert text
        assert heading in headings
        # The link leads to the section about this alarm: `login-expires` in the alarm `DockerDefaultLoginExpires`.
        assert "".join(map(str.title, heading.split("-"))) in id_


@pytest.mark.parametrize(
    ("interval", "not_refreshed", "expires"),
    [(10, "11.0", "3.8"), (30, "10.0", "3.5"), (180, "5.0", "3.5")],
)
def test_an_alarm_promises_no_more_hours_than_the_oldest_possible_login_has(
    template: Template, interval: int, not_refreshed: str, expires: str
) -> None:
    # The last success can be a run that kept a login, which is up to 25 minutes old. A login works for 12 hours.
    for kind, hours in (("NotRefreshed", not_refreshed), ("LoginExpires", expires)):
        text = alarm(template, f"Docker{interval}{kind}")["AlarmDescription"]
        assert f"The login that Airflow reads works for at least {hours} more hours." in text


def test_a_new_topic_allows_alarms_to_publish_and_sends_mails(templates: Templates) -> None:
    template = templates["rich-DockerLogin"]

    publish = statements(the_one(template, "AWS::SNS::TopicPolicy")["PolicyDocument"])["AlarmsPublish"]
    assert publish["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert publish["Condition"] == {"StringEquals": {"aws:SourceAccount": "444455556666"}}
    assert the_one(template, "AWS::SNS::Subscription")["Endpoint"] == "data-platform@example.com"


def test_alarms_publish_to_an_existing_topic_and_link_to_the_runbook_of_the_settings(template: Template) -> None:
    assert not of_type(template, "AWS::SNS::Topic")
    for properties in of_type(template, "AWS::CloudWatch::Alarm"):
        assert properties["AlarmActions"] == [TOPIC]
        assert "https://git.example.com/runbook.md#" in properties["AlarmDescription"]


@pytest.mark.parametrize("interval", INTERVALS)
def test_a_schedule_has_the_interval_that_the_alarms_expect(template: Template, interval: int) -> None:
    [expression] = {
        r["Properties"]["ScheduleExpression"]
        for id_, r in template["Resources"].items()
        if r["Type"] == "AWS::Scheduler::Schedule" and id_.startswith(f"Docker{interval}Schedule")
    }

    [number, unit] = expression.removeprefix("rate(").removesuffix(")").split()
    assert int(number) * {"minute": 1, "hour": 60}[unit.removesuffix("s")] == interval


def test_an_environment_without_alerts_has_a_dashboard_and_no_alarms(templates: Templates) -> None:
    template = templates["plain-DockerLogin"]

    assert not of_type(template, "AWS::CloudWatch::Alarm")
    assert not of_type(template, "AWS::SNS::Topic")
    assert "Successes" in json.dumps(the_one(template, "AWS::CloudWatch::Dashboard"))
