"""The generated files: settings/schema.json and docs/settings.md."""

import re
from pathlib import Path

import pytest

from settings.reference import PAGE, SCHEMA, page_text, schema_text
from tests.settings.test_json_schema import SHIPPED

PAGE_TEXT = page_text()
HEADINGS = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", PAGE_TEXT, flags=re.DOTALL), re.MULTILINE)


@pytest.mark.parametrize(("file", "text"), [(SCHEMA, schema_text()), (PAGE, PAGE_TEXT)], ids=["schema", "page"])
def test_the_generated_file_is_current(file: Path, text: str) -> None:
    assert file.read_text() == text, "run `python -m settings.reference`"


def test_every_setting_has_a_heading_with_its_full_name() -> None:
    assert "`account`" in HEADINGS
    assert "`teams.<team>.push.require_mfa`" in HEADINGS
    assert "`connections.<id>.refresh_every_minutes`" in HEADINGS
    assert '`ecs.tasks."<team>/<name>".image_tag`' in HEADINGS
    assert "`alerts.runbook`" in HEADINGS


def test_every_heading_is_unique_and_every_link_leads_to_a_heading() -> None:
    # GitHub and MyST make a heading's anchor from its letters, digits, hyphens and underscores.
    anchors = [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in HEADINGS]
    links = re.findall(r"\]\(#([^)]*)\)", PAGE_TEXT)

    assert len(set(anchors)) == len(anchors)
    assert len(links) > 25
    assert set(links) <= set(anchors)


def test_the_page_states_default_range_and_format_of_a_setting() -> None:
    sections = {part.partition("\n")[0]: part for part in re.split(r"^#+ ", PAGE_TEXT, flags=re.MULTILINE)}

    assert "- Default: `30`\n- Allowed: 10 to 180" in sections["`connections.<id>.refresh_every_minutes`"]
    assert "- Default: none, this setting is required" in sections["`account`"]
    assert "write it like `team@example.com`" in sections["`alerts.emails`"]
    assert "- Entries: 10 or fewer" in sections["`alerts.emails`"]
    assert "start and end it with a slash, like `/data-platform/`" in sections["`role_path`"]


def test_the_page_has_one_sentence_per_line() -> None:
    prose = re.sub(r"```.*?```|`[^`]*`", "", PAGE_TEXT, flags=re.DOTALL)

    assert re.findall(r"^[^|\n]*[.!?] [A-Z0-9].*$", prose, re.MULTILINE) == []


def test_the_page_has_no_html() -> None:
    assert re.findall(r"<[^>]*>", re.sub(r"```.*?```|`[^`]*`", "", PAGE_TEXT, flags=re.DOTALL)) == []


def test_the_examples_together_show_every_setting() -> None:
    shown = "\n".join(file.read_text() for file in SHIPPED)
    keys = {heading.strip("`").rpartition(".")[2] for heading in HEADINGS if re.fullmatch(r"`[^\[].*`", heading)}

    assert [key for key in sorted(keys) if not re.search(rf"\b{key} = |\[{key}\]", shown)] == []
