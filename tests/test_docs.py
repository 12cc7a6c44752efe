"""Tests of the documentation: links, named files, shell blocks, Airflow's settings and the table of costs."""

import json
import re
from pathlib import Path

import pytest

from tools import ROOT

DOCS = ROOT / "docs"
README = ROOT / "README.md"
PAGES = [*sorted(ROOT.glob("*.md")), *(page for page in sorted(DOCS.rglob("*.md")) if "_build" not in page.parts)]
FOLDERS = "bench|dags|docs|environments|examples|lambda|local|scanners|settings|stacks|tests|tools"

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def blocks(text: str, language: str) -> list[str]:
    """Return the code blocks of a language, without the indentation that a list gives them."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)
    return ["".join(line.removeprefix(indent) for line in block.splitlines(True)) for indent, block in found]


def without_code(text: str) -> str:
    return re.sub(r"^ *```.*?^ *```", "", text, flags=re.DOTALL | re.MULTILINE)


@each_page
def test_every_link_and_every_named_file_exists(page: Path) -> None:
    text = page.read_text()
    links = re.findall(r"\]\((?!https?:|mailto:)([^)#\s]+)", without_code(text))
    named = re.findall(rf"`((?:{FOLDERS})/[\w./-]*)`", text)
    # The build of the documentation makes this folder.
    named = [name for name in named if not name.startswith("docs/_build/")]

    assert [link for link in links if not (page.parent / link).exists()] == []
    if page.name != "CHANGELOG.md":  # which also names files of earlier versions
        assert [name for name in named if not (ROOT / name).exists()] == []


@each_page
def test_shell_blocks_export_the_variables_that_they_set(page: Path) -> None:
    """A variable that is not exported does not reach the programs that a reader starts next."""
    lines = [line for block in blocks(page.read_text(), "sh") for line in block.splitlines()]

    assert [line for line in lines if re.match(r"[A-Za-z_]\w*=\S*$", line)] == []


@each_page
def test_code_blocks_name_their_language(page: Path) -> None:
    opening = re.findall(r"^ *```(.*)$", page.read_text(), re.MULTILINE)[::2]

    assert "" not in opening


def test_the_readme_fits_100_lines_of_100_columns() -> None:
    lines = README.read_text().splitlines()

    assert len(lines) <= 100
    assert [line for line in lines if len(line) > 100] == []


def test_every_page_is_in_the_table_of_contents() -> None:
    toctrees = "\n".join(blocks((DOCS / "index.md").read_text(), "{toctree}"))
    listed = {line for line in toctrees.splitlines() if line and not line.startswith(":")}
    pages = {str(page.relative_to(DOCS).with_suffix("")) for page in PAGES if page.is_relative_to(DOCS)}
    pages -= {"index"}
    pages = {page for page in pages if not re.match(r"decisions/\d", page)}  # the index of the decisions lists these

    assert listed == pages


def test_every_way_to_configure_airflow_says_the_same() -> None:
    page = (DOCS / "airflow" / "configure.md").read_text()
    arguments = re.findall(r"""backend_kwargs ?[=:] ?'?(\{.*?\})'?$""", page, re.IGNORECASE | re.MULTILINE)
    backends = re.findall(r"backend ?[=:] ?(airflow\S+)", page, re.IGNORECASE)

    assert len(arguments) == len(backends) == 5  # variables, airflow.cfg, Docker Compose, Helm and MWAA
    assert len({json.dumps(json.loads(each), sort_keys=True) for each in arguments}) == 1
    assert len(set(backends)) == 1


def test_the_table_of_costs_follows_from_the_formula_and_the_prices() -> None:
    page = (DOCS / "costs.md").read_text()
    (formula,) = blocks(page, "python")
    scope: dict[str, object] = {}
    exec(formula, scope)  # noqa: S102 - the code is part of this repository
    monthly_costs = scope["monthly_costs"]
    assert callable(monthly_costs)

    summary = page.split("## Summary")[1].split("## ")[0]
    connections, _, *rows = [
        [cell.strip(" *") for cell in line.split("|")[1:-1]] for line in summary.splitlines() if "|" in line
    ]
    assert connections == ["Connections", "1", "10", "35"]
    expected = [monthly_costs(int(count)) for count in connections[1:]]
    for costs in expected:
        costs["Total with the key"] = sum(costs.values())
        costs["Total"] = costs["Total with the key"] - costs["Customer managed key"]
    assert {name: cells for name, *cells in rows} == {
        name: [f"{costs[name]:.2f}" for costs in expected] for name in expected[0]
    }

    prices = re.findall(r"^\| [^|]+ \| ([\d.]+) (?:per|a) ", page.split("## Prices")[1].split("## ")[0], re.MULTILINE)
    assert len(prices) == 10
    assert [price for price in prices if not re.search(rf"(?<![\d.]){re.escape(price)}(?![\d.])", formula)] == []
