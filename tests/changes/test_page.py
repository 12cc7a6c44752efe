"""docs/changes.md: the rows of its tables, and the headings that the checks before a deployment name."""

import re

from settings.reference import page_text

# These modules fill PLAYED.
from tests.changes import test_create_on_push, test_in_place, test_names, test_registries, test_roles  # noqa: F401
from tests.changes.rows import PLAYED
from tools import ROOT

PAGE = (ROOT / "docs" / "changes.md").read_text()
MODULES = [*(ROOT / "ops" / "preflight").glob("*.py")]
ROWS = {
    cells[1].strip(): line
    for line in re.sub(r"^ *```.*?^ *```", "", PAGE, flags=re.DOTALL | re.MULTILINE).splitlines()
    if (cells := line.split("|")) and line.startswith("| ") and cells[1].strip() not in ("Setting", "Name", "Effect")
}
PLAYED_ELSEWHERE = {"The CDK's roles"}  # tests/local/test_locked_out.py
MEANINGS = {"In place", "Replaced", "Refused", "Steps"}


def test_every_setting_has_a_row() -> None:
    settings = set(re.findall(r"^### (`.*`)$", page_text(), re.MULTILINE))
    assert len(settings) > 25
    assert settings - set(ROWS) == set()


def test_the_settings_of_the_page_exist() -> None:
    headings = set(re.findall(r"^##+ `(.*)`$", page_text(), re.MULTILINE))
    tables = {heading.strip("[]") for heading in headings}
    named = {row.strip("`").strip("[]") for row in ROWS if row.startswith("`")}
    assert named - tables == set()


def test_a_test_plays_every_row_that_is_not_marked_as_not_tested() -> None:
    rows = {row.strip("`") for row, line in ROWS.items() if row not in MEANINGS and "(not tested)" not in line}
    assert rows == PLAYED | PLAYED_ELSEWHERE


def test_the_headings_that_a_finding_names_exist() -> None:
    source = re.sub(r'["\']\s*\n\s*f?["\']', "", "".join(module.read_text() for module in MODULES))
    named = re.findall(r'"([A-Z][^"\n]*)"(?: and "([A-Z][^"\n]*)")? in (docs/[\w/-]+\.md)', source)
    assert len(named) > 5
    for *headings, page in named:
        text = (ROOT / page).read_text()
        for heading in filter(None, headings):
            assert re.search(rf"^##+ {re.escape(heading)}$", text, re.MULTILINE), (heading, page)
