"""The dashboard of an environment."""

import json
import re
from typing import Any

import pytest

from tests.stacks.conftest import the_one
from tests.templates import Template, Templates

Widget = dict[str, Any]


def dashboard(template: Template) -> dict[str, Any]:
    """Return the body of the dashboard, with the logical ids of the resources instead of references."""
    parts = the_one(template, "AWS::CloudWatch::Dashboard")["DashboardBody"]["Fn::Join"][1]
    text = "".join(part if isinstance(part, str) else part.get("Ref") or part["Fn::GetAtt"][0] for part in parts)
    body: dict[str, Any] = json.loads(text)
    return body


@pytest.fixture(scope="module")
def widgets(templates: Templates) -> dict[str, Widget]:
    """The widgets of the environment `rich`, by title."""
    return {each["properties"]["title"]: each for each in dashboard(templates["rich-DockerLogin"])["widgets"]}


def lines(widget: Widget) -> list[tuple[str, ...]]:
    """Return the visible lines of a graph: an expression, or a metric with its source and statistic."""
    found: list[tuple[str, ...]] = []
    for *metric, options in widget["properties"]["metrics"]:
        if options.get("visible") is not False:
            named = [options["expression"]] if "expression" in options else [*metric, options["stat"]]
            found.append((options["label"], *named))
    return found


def without_hash(name: str) -> str:
    """Return a logical id without the hash that CDK adds."""
    return re.sub("[0-9A-F]{8}$", "", name)


def test_the_graphs_show_one_day_in_periods_of_five_minutes_and_start_at_zero(
    templates: Templates, widgets: dict[str, Widget]
) -> None:
    assert dashboard(templates["rich-DockerLogin"])["start"] == "-P1D"
    for title, widget in widgets.items():
        if widget["type"] == "metric":
            periods = {options.get("period", 300) for *_, options in widget["properties"]["metrics"]}
            assert periods == ({3600} if title.startswith("Pulls from") else {300}), title
            axis = widget["properties"]["yAxis"]["left"]
            assert (widget["properties"]["view"], axis["min"], axis["showUnits"]) == ("timeSeries", 0, False)


def test_the_widgets_are_in_rows_that_fill_the_width(widgets: dict[str, Widget]) -> None:
    rows: dict[int, list[tuple[str, int]]] = {}
    for title, widget in widgets.items():
        rows.setdefault(widget["y"], []).append((title, widget["width"]))

    assert [*rows.values()] == [
        [("Alarms", 24)],
        [("Minutes since the last success", 24)],
        [("Successes", 8), ("Failures", 8), ("Duration of the slowest run", 8)],
        [("Latest runs", 16), ("Failure queue", 8)],
        [("Pulls from analytics, per hour", 8), ("Pulls from risk, per hour", 8)],
    ]


def test_the_first_graph_shows_the_age_of_each_login_and_when_it_expires(widgets: dict[str, Widget]) -> None:
    graph = widgets["Minutes since the last success"]

    # The seconds between now and the latest period with a success. REPEAT repeats this period until the next success.
    age = "(EPOCH({0}) - FILL(IF({0} - {1} > 0, EPOCH({0})), REPEAT)) / 60"
    assert lines(graph) == [
        ("docker_default", age.format("runs0", "errors0")),
        ("docker_risk", age.format("runs1", "errors1")),
    ]
    assert [(each["value"], each["label"]) for each in graph["properties"]["annotations"]["horizontal"]] == [
        (8 * 60, "at most 4 hours left"),
        (12 * 60, "the login has expired"),
    ]
    assert graph["properties"]["yAxis"]["left"]["label"] == "minutes"


@pytest.mark.parametrize("title", ["Minutes since the last success", "Successes"])
def test_an_expression_counts_the_runs_and_errors_of_its_connection(widgets: dict[str, Widget], title: str) -> None:
    hidden = [each for each in widgets[title]["properties"]["metrics"] if each[-1].get("visible") is False]

    counted = {options["id"]: (*metric[:3], without_hash(metric[3]), options) for *metric, options in hidden}
    assert len(counted) == len(hidden)
    assert {id_: (name, function, options["stat"]) for id_, (_, name, _, function, options) in counted.items()} == {
        "runs0": ("Invocations", "DockerDefaultRefresh", "Sum"),
        "errors0": ("Errors", "DockerDefaultRefresh", "Sum"),
        "runs1": ("Invocations", "DockerRiskRefresh", "Sum"),
        "errors1": ("Errors", "DockerRiskRefresh", "Sum"),
    }


def test_the_other_graphs_show_runs_and_the_failure_queue(widgets: dict[str, Widget]) -> None:
    assert lines(widgets["Successes"]) == [("docker_default", "runs0 - errors0"), ("docker_risk", "runs1 - errors1")]
    for title, metric, statistic in (
        ("Failures", "Errors", "Sum"),
        ("Duration of the slowest run", "Duration", "Maximum"),
    ):
        assert [(*line[:-2], without_hash(line[-2]), line[-1]) for line in lines(widgets[title])] == [
            ("docker_default", "AWS/Lambda", metric, "FunctionName", "DockerDefaultRefresh", statistic),
            ("docker_risk", "AWS/Lambda", metric, "FunctionName", "DockerRiskRefresh", statistic),
        ]
    assert [(line[0], line[1], line[2], line[-1]) for line in lines(widgets["Failure queue"])] == [
        ("messages that arrived", "AWS/SQS", "NumberOfMessagesSent", "Sum"),
        ("messages in the queue", "AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum"),
    ]


def test_the_pulls_of_each_repository_are_counted_per_hour_with_the_short_name(widgets: dict[str, Widget]) -> None:
    def shown(title: str) -> list[tuple[str, ...]]:
        graph = widgets[title]
        assert {each[-1]["period"] for each in graph["properties"]["metrics"]} == {3600}
        return lines(graph)

    def line(label: str, repository: str) -> tuple[str, ...]:
        return (label, "AWS/ECR", "RepositoryPullCount", "RepositoryName", repository, "Sum")

    assert shown("Pulls from analytics, per hour") == [
        line("web-scraper", "analytics/web-scraper"),
        line("churn-model", "analytics/churn-model"),
    ]
    assert shown("Pulls from risk, per hour") == [
        line("var", "risk/var"),
        line("reports/daily", "risk/reports/daily"),
        line("var_old", "var_old"),
        line("old/var", "old/var"),
    ]


def test_the_latest_runs_contain_runs_that_were_killed_and_no_reports_of_runs_that_succeeded(
    widgets: dict[str, Widget],
) -> None:
    query = widgets["Latest runs"]["properties"]["query"]

    [shown] = re.findall(r"^\| filter (.*)$", query, re.MULTILINE)
    # The function writes the field connection. Lambda writes the reports.
    assert shown == 'ispresent(connection) or (type = "platform.report" and record.status != "success")'


def test_the_latest_runs_show_every_field_of_the_log_and_the_newest_run_first(widgets: dict[str, Widget]) -> None:
    *sources, fields, _, sort, limit = re.split(r"\s*\|\s*", widgets["Latest runs"]["properties"]["query"])

    assert [without_hash(source.split("'")[1]) for source in sources] == ["DockerDefaultLog", "DockerRiskLog"]
    of_the_function = ["connection", "expires_at", "written_at", "version_id", "reason", "operation", "code"]
    of_lambda = ["record.status", "requestId"]
    assert fields.removeprefix("fields ").split(", ") == ["@timestamp", *of_the_function, *of_lambda]
    assert (sort, limit) == ("sort @timestamp desc", "limit 100")
