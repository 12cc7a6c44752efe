"""The dashboard of an environment."""

import json
import re

from tests.stacks.conftest import the_one
from tests.templates import Templates


def test_the_latest_runs_contain_runs_that_were_killed_and_no_reports_of_runs_that_succeeded(
    templates: Templates,
) -> None:
    body = the_one(templates["rich-DockerLogin"], "AWS::CloudWatch::Dashboard")["DashboardBody"]["Fn::Join"][1]
    text = "".join(part if isinstance(part, str) else "reference" for part in body)
    [query] = [w["properties"]["query"] for w in json.loads(text)["widgets"] if w["type"] == "log"]

    [shown] = re.findall(r"^\| filter (.*)$", query, re.MULTILINE)
    # The function writes the field connection. Lambda writes the reports.
    assert shown == 'ispresent(connection) or (type = "platform.report" and record.status != "success")'
