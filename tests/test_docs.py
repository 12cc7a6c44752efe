"""What the documentation points to is there."""

import json
import re
from pathlib import Path

import pytest

from tools import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FOLDERS = "app.py|bench|dags|docs|environments|examples|lambda|local|scanners|settings|stacks|tests|tools"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_a_page_names_exists(page: Path) -> None:
    text = page.read_text()
    links = re.findall(r"\]\((?!https?:)([^)#]+)", text)
    named = re.findall(rf"`((?:{FOLDERS})/[\w./-]*)`", text)

    assert [link for link in links if not (page.parent / link).exists()] == []
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_every_way_to_set_airflow_up_says_the_same() -> None:
    page = (ROOT / "docs" / "airflow.md").read_text() + (ROOT / "README.md").read_text()
    arguments = re.findall(r"""backend_kwargs ?[=:] ?'?(\{.*?\})'?$""", page, re.IGNORECASE | re.MULTILINE)
    backends = re.findall(r"backend ?[=:] ?(airflow\S+)", page, re.IGNORECASE)

    assert len(arguments) == len(backends) == 4  # variables, airflow.cfg, Helm's values, and the README
    assert len({json.dumps(json.loads(each), sort_keys=True) for each in arguments}) == 1
    assert len(set(backends)) == 1
