"""docs/outputs.md lists the outputs of the stacks."""

import re

from settings.names import pascal_case
from tests.templates import Templates
from tools import ROOT

PAGE = (ROOT / "docs" / "outputs.md").read_text()
# The names in the environments of conftest.py, as they occur in outputs.
PLACEHOLDERS = {
    "Analytics": "<Team>",
    "Risk": "<Team>",
    "DockerDefault": "<Connection>",
    "DockerRisk": "<Connection>",
    "AnalyticsWebScraper": "<Repository>",
    "RiskReportsDaily": "<Repository>",
}


def test_the_page_lists_exactly_the_outputs_of_the_stacks(templates: Templates) -> None:
    names = {name for template in templates.values() for name in template.get("Outputs", {})}
    ending = re.compile("(" + "|".join(sorted(PLACEHOLDERS, key=len, reverse=True)) + ")$")
    deployed = {ending.sub(lambda name: PLACEHOLDERS[name[1]], name) for name in names}

    listed = re.findall(r"^\| `([A-Z]\w+(?:<\w+>)?)` \|", PAGE, re.MULTILINE)
    assert sorted(listed) == sorted(deployed)


def test_the_page_shows_how_names_occur_in_outputs() -> None:
    rows = re.findall(r"^\| `([a-z][^`]*)` \| `(\w+)` \|$", PAGE, re.MULTILINE)

    assert len(rows) == 3
    assert [row for row in rows if pascal_case(row[0]) != row[1]] == []
