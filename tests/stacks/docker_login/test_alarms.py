"""When somebody is told: each alarm goes off when it should and stays quiet otherwise, on all that can happen."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from local.emulator.alarm_evaluation import Alarm, Evaluation, Series
from tests.stacks.conftest import PLAIN, RICH, of_type, statements, the_one
from tests.templates import Template, Templates, synthesize
from tools import ROOT

INTERVALS = (10, 11, 30, 60, 97, 180)  # minutes
# What nothing is said of, and how soon figures arrive: an alarm has to be right whichever it is.
POSSIBLE = [
    Evaluation(delay_minutes=delay, looks_back=back, fills_emptiness=fills)
    for delay in (0, 3)
    for back in (0, 20)
    for fills in (True, False)
]
# A run is late by the schedule's time window of 5 minutes at most, and ends within the function's timeout of 2.
LATE = 5 + 2


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """An environment with a connection for each interval."""
    folder = tmp_path_factory.mktemp("environments")
    connections = "".join(
        f'[connections.docker_{interval}]\nteams = ["analytics"]\nrefresh_every_minutes = {interval}\n'
        for interval in INTERVALS
    )
    (folder / "every.toml").write_text(PLAIN.replace("off_because", "emails = ['a@b.c'] #") + connections)
    return synthesize(folder, folder / "cdk.out")["every-DockerLogin"]


def alarm(template: Template, name: str) -> Alarm:
    found: Alarm
    [found] = [r["Properties"] for id_, r in template["Resources"].items() if id_.startswith(f"Alarms{name}")]
    return found


def runs(*minutes: int, failed: bool = False) -> dict[str, Series]:
    """What Lambda tells of runs at these minutes."""
    return {"Invocations": dict.fromkeys(minutes, 1), "Errors": dict.fromkeys(minutes, int(failed))}


def together(*metrics: Mapping[str, Series]) -> dict[str, Series]:
    return {name: {**metrics[0][name], **metrics[1][name]} for name in ("Invocations", "Errors")}


def state(evaluation: Evaluation, properties: Alarm, metrics: Mapping[str, Series], minute: int) -> str:
    return evaluation.state(properties, lambda metric: metrics[metric["MetricName"]], minute)


def rings(evaluation: Evaluation, properties: Alarm, metrics: Mapping[str, Series], minutes: range) -> list[int]:
    """The minutes at whose end the alarm goes off."""
    states = {minute: state(evaluation, properties, metrics, minute) for minute in minutes}
    return [minute for minute in minutes if states[minute] == "ALARM" != states.get(minute - 1, "OK")]


@pytest.mark.parametrize("interval", INTERVALS)
def test_one_missed_run_does_not_ring(template: Template, interval: int) -> None:
    # The run before it as early as can be, the one after it as late; and the missed one fails, with its two retries.
    metrics = together(runs(0, 2 * interval + LATE), runs(interval, interval + 3, interval + 6, failed=True))
    minutes = range(2 * interval - 10, 2 * interval + LATE + 10)

    for kind in ("NotRefreshed", "LoginExpires"):
        properties = alarm(template, f"Docker{interval}{kind}")
        assert [rings(each, properties, metrics, minutes) for each in POSSIBLE] == [[]] * len(POSSIBLE)


SILENCE = [
    pytest.param(lambda _: runs(), id="the schedule is gone"),
    pytest.param(lambda every: runs(*range(every, 2000, every), failed=True), id="each run fails or is killed"),
]


@pytest.mark.parametrize("after", SILENCE)
@pytest.mark.parametrize("interval", INTERVALS)
def test_an_alarm_rings_once_when_successes_stay_out(template: Template, interval: int, after: Any) -> None:
    metrics = together(runs(0), after(interval))

    for kind, allowed in (("NotRefreshed", 2 * interval + 30), ("LoginExpires", 8 * 60)):
        properties, minutes = alarm(template, f"Docker{interval}{kind}"), range(allowed - 10, allowed + 30)
        # On the minute: nothing is missing, so CloudWatch never looks further back for something better.
        assert [rings(each, properties, metrics, minutes) for each in POSSIBLE] == [[allowed]] * len(POSSIBLE)


@pytest.mark.parametrize("evaluation", POSSIBLE, ids=str)
def test_an_alarm_goes_on_for_days_and_ends_with_the_next_success(template: Template, evaluation: Evaluation) -> None:
    for kind in ("NotRefreshed", "LoginExpires"):
        properties = alarm(template, f"Docker30{kind}")
        metrics = runs(0, 5000)

        states = [state(evaluation, properties, metrics, minute) for minute in (600, 1500, 4999, 5003)]

        assert states == ["ALARM", "ALARM", "ALARM", "OK"]


# Figures of a queue that nobody used for hours come up to a quarter of an hour late.
LATE_FIGURES = [Evaluation(delay_minutes=delay, looks_back=back) for delay in (0, 5, 15) for back in (0, 2, 20)]


@pytest.mark.parametrize("evaluation", LATE_FIGURES, ids=str)
def test_what_arrives_in_the_failure_queue_rings_and_ends_by_itself(template: Template, evaluation: Evaluation) -> None:
    properties = alarm(template, "RefreshFailed")
    metrics = {"NumberOfMessagesSent": {7: 1.0, 300: 2.0}}

    assert rings(evaluation, properties, metrics, range(400)) == [
        7 + evaluation.delay_minutes,
        300 + evaluation.delay_minutes,
    ]
    assert state(evaluation, properties, metrics, 250) == "OK"


@pytest.mark.parametrize("evaluation", POSSIBLE, ids=str)
@pytest.mark.parametrize("figures", [{}, dict.fromkeys(range(400), 0.0)], ids=["nobody uses the queue", "zeros"])
def test_an_empty_failure_queue_does_not_ring(template: Template, evaluation: Evaluation, figures: Series) -> None:
    properties = alarm(template, "RefreshFailed")

    assert rings(evaluation, properties, {"NumberOfMessagesSent": figures}, range(400)) == []


def test_no_alarm_is_there_before_the_deploys_own_first_refresh(template: Template) -> None:
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
        assert resources[version]["Properties"]["FunctionName"] == {"Ref": function}, "of another connection"


def test_every_alarm_tells_and_says_what_to_do(templates: Templates) -> None:
    template = templates["rich-DockerLogin"]
    [topic] = [name for name, r in template["Resources"].items() if r["Type"] == "AWS::SNS::Topic"]
    headings = {
        re.sub("[^a-z0-9]+", "-", heading.lower())
        for heading in re.findall("^## (.+)$", (ROOT / "docs" / "runbook.md").read_text(), re.MULTILINE)
    }

    alarms = of_type(template, "AWS::CloudWatch::Alarm")
    assert len(alarms) == 5
    for properties in alarms:
        assert properties["AlarmActions"] == [{"Ref": topic}]
        text, _, heading = properties["AlarmDescription"].partition(" What to do: docs/runbook.md#")
        assert text
        assert heading in headings


def test_the_topic_of_ones_own_lets_alarms_publish_and_mails(templates: Templates) -> None:
    template = templates["rich-DockerLogin"]

    publish = statements(the_one(template, "AWS::SNS::TopicPolicy")["PolicyDocument"])["AlarmsPublish"]
    assert publish["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert publish["Condition"] == {"StringEquals": {"aws:SourceAccount": "210987654321"}}
    assert the_one(template, "AWS::SNS::Subscription")["Endpoint"] == "data-platform@example.com"


def test_alarms_go_to_a_topic_that_is_there_already_and_link_to_the_runbook_of_the_settings(tmp_path: Path) -> None:
    topic = "arn:aws:sns:eu-west-1:210987654321:on-call"
    there = f'topic_arn = "{topic}"\nrunbook = "https://git.example.com/runbook.md"'
    (tmp_path / "there.toml").write_text(RICH.replace('emails = ["data-platform@example.com"]', there))

    template = synthesize(tmp_path, tmp_path / "cdk.out")["there-DockerLogin"]

    assert not of_type(template, "AWS::SNS::Topic")
    for properties in of_type(template, "AWS::CloudWatch::Alarm"):
        assert properties["AlarmActions"] == [topic]
        assert "https://git.example.com/runbook.md#" in properties["AlarmDescription"]


def test_without_alerts_there_is_no_alarm_and_still_a_dashboard(templates: Templates) -> None:
    template = templates["plain-DockerLogin"]

    assert not of_type(template, "AWS::CloudWatch::Alarm")
    assert not of_type(template, "AWS::SNS::Topic")
    assert "Successes" in json.dumps(the_one(template, "AWS::CloudWatch::Dashboard"))
