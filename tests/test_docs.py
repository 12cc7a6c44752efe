"""Tests of the documentation: links, named files, shell blocks, the command line, Airflow's settings, and numbers."""

import ast
import base64
import json
import re
import shlex
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import fields
from itertools import pairwise
from pathlib import Path
from typing import Any

import click
import pytest
import yaml  # type: ignore[import-untyped]

from ops.command_line import COMMANDS, ecr_login
from ops.doctor.run import GROUPS
from ops.preflight.checks import ACTIONS
from ops.results import EXIT_CODES, Check, State
from stacks.docker_login import timings
from tests.stacks.docker_login.test_timings import LONGEST, SHORTEST
from tools import ROOT

DOCS = ROOT / "docs"
README = ROOT / "README.md"
OPERATE = DOCS / "operate.md"
PAGES = [*sorted(ROOT.glob("*.md")), *(page for page in sorted(DOCS.rglob("*.md")) if "_build" not in page.parts)]
FOLDERS = "bench|dags|docs|environments|examples|lambda|local|ops|scanners|settings|stacks|tests|tools"

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


def test_every_command_on_the_pages_exists_with_its_options() -> None:
    found = {words: page.name for page in PAGES for words in command_lines(page.read_text())}
    wrong = {}
    for words, page in found.items():
        try:
            parse(words)
        except click.ClickException as error:
            wrong[f"{page}: ecr-login {words}"] = error.format_message()

    assert len(found) > 25
    assert wrong == {}


def command_lines(text: str) -> Iterator[str]:
    """Return the words after `ecr-login` of each command, in shell blocks and in the text."""
    program = r"(?:\.venv/bin/)?ecr-login "
    for block in blocks(text, "sh"):
        lines = block.replace("\\\n", " ").splitlines()
        yield from (line[found.end() :] for line in lines if (found := re.match(program, line)))
    yield from re.findall(rf"`{program}([^`]+)`", without_code(text))


def parse(words: str) -> None:
    """Let click parse a command without running it. A command without arguments only has to exist."""
    words = re.sub(r" [>|] .*", "", re.sub(r"<[\w-]+>", "value", words))
    name, *arguments = shlex.split(words, comments=True)
    with suppress(click.exceptions.Exit):  # --help
        context = ecr_login.make_context("ecr-login", [name])
        command = ecr_login.resolve_command(context, [name])[1]
        assert command is not None
        if arguments:
            command.make_context(name, arguments, parent=context)


def table(page: Path, heading: str) -> list[list[str]]:
    """Return the cells of all tables below a heading, up to the next heading, without the first rows."""
    section = re.split(r"^#+ ", page.read_text().split(f"# {heading}\n")[1], flags=re.MULTILINE)[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in section.splitlines() if line.startswith("|")]
    below = [number for number, row in enumerate(rows) if set(row[0]) <= {"-", ":"}]
    return [row for number, row in enumerate(rows) if number not in below and number + 1 not in below]


def test_the_page_about_the_command_line_has_every_command() -> None:
    commands = [cells[0].strip("`") for cells in table(OPERATE, "Commands")]

    for each in commands:
        parse(each)
    assert {each.split()[0] for each in commands} == COMMANDS.keys()


def test_the_page_about_the_command_line_has_every_state_and_exit_code() -> None:
    codes = {code: set(re.findall("`(.+?)`", states)) for code, states, _ in table(OPERATE, "Exit codes")}
    [example] = blocks(OPERATE.read_text(), "json")

    assert codes == {
        str(code): {str(state) for state in State if EXIT_CODES[state] == code} for code in EXIT_CODES.values()
    }
    assert [each.keys() for each in json.loads(example)["checks"]] == [{field.name for field in fields(Check)}]


@pytest.mark.parametrize(
    ("heading", "module", "name"),
    [("JSON", "results.py", "State"), ("Freshness of a docker login", "freshness.py", "Freshness")],
)
def test_the_page_about_the_command_line_defines_words_as_the_code_does(heading: str, module: str, name: str) -> None:
    tree = ast.parse((ROOT / "ops" / module).read_text())
    [body] = [node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name]
    defined = {}
    for member, text in pairwise(body):
        match member, text:
            case ast.Assign(value=ast.Constant(str(word))), ast.Expr(value=ast.Constant(str(docstring))):
                defined[word] = docstring
    written = {word.strip("`"): meaning for word, meaning in table(OPERATE, heading)}

    assert len(defined) >= 4
    assert {word: written.get(word) for word in defined} == defined


def test_the_pages_list_every_check_of_preflight_and_doctor() -> None:
    preflight = {cells[0].strip("`") for cells in table(DOCS / "deploy.md", "Checks before the deployment")}
    doctor = {name for cells in table(OPERATE, "Check a deployment") for name in re.findall("`(.+?)`", cells[0])}

    assert preflight == set(ACTIONS)
    assert doctor == {name for group in GROUPS.values() for name in group}


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


AIRFLOW = DOCS / "airflow"


def test_every_way_to_configure_airflow_says_the_same() -> None:
    found = {**ways_to_configure(AIRFLOW / "configure.md"), **ways_to_configure(AIRFLOW / "another-backend.md")}
    vault = found.pop("another-backend.md: Airflow 2")

    assert len(found) == 8  # variables, airflow.cfg, Docker Compose, Helm, Astronomer, MWAA, and twice [workers]
    assert len({json.dumps(arguments, sort_keys=True) for _, arguments in found.values()}) == 1
    assert len({backend for backend, _ in found.values()}) == 1
    _, arguments = next(iter(found.values()))
    assert vault == (
        "vault_and_docker_logins.VaultAndDockerLogins",
        {"url": "https://<vault>:8200", "docker_logins": arguments},
    )


def ways_to_configure(page: Path) -> dict[str, tuple[str, dict[str, Any]]]:
    """Return the class and the arguments of the backend, as a program reads them, by the page and the heading."""
    found = {}
    for heading, text in re.findall(r"^##+ (.*?)\n(.*?)(?=^##+ |\Z)", page.read_text(), re.DOTALL | re.MULTILINE):
        for language in ("sh", "ini", "yaml", "properties"):
            for block in blocks(text, language):
                values = {name.lower(): value for name, value in settings_in(block, language).items()}
                classes = [value for name, value in values.items() if re.search(r"(^|_|\.)backend$", name)]
                kwargs = [value for name, value in values.items() if name.endswith("backend_kwargs")]
                if kwargs:
                    [backend], [text_of_arguments] = classes, kwargs
                    way = f"{page.name}: {heading}" + (" (ini)" if language == "ini" and "workers" in block else "")
                    found[way] = (backend, json.loads(text_of_arguments))
    return found


def settings_in(block: str, language: str) -> dict[str, str]:
    if language == "sh":
        words = [shlex.split(line)[1] for line in block.splitlines() if line.startswith("export ")]
        return dict(word.split("=", 1) for word in words)
    if language == "yaml":
        content = yaml.safe_load(block)
        compose, helm = content.get("x-airflow-common", {}), content.get("config", {})
        return compose.get("environment") or helm.get("secrets") or {}
    lines = [re.split(r" ?= ?", line, maxsplit=1) for line in block.splitlines() if "=" in line]
    return dict(lines)


def test_the_json_for_mwaa_is_the_same_as_its_configuration_options() -> None:
    text = (AIRFLOW / "configure.md").read_text()
    [command] = [block for block in blocks(text, "sh") if "aws mwaa" in block]
    options = json.loads(command.split("<<'END'\n")[1].split("END\n")[0])
    [written] = [settings_in(block, "ini") for block in blocks(text, "ini") if "secrets.backend" in block]

    assert options == written


def test_the_recipe_for_kubernetes_makes_a_docker_login() -> None:
    """External Secrets makes a value of each key of the secret, and evaluates the template. This is a part of it."""
    manifests = [each for block in blocks((AIRFLOW / "kubernetes.md").read_text(), "yaml") for each in documents(block)]
    account, store, external = manifests
    spec = external["spec"]
    # Printable characters of an ECR token. A quote or a backslash is not in a token.
    login = {"host": "1.dkr.ecr.x.amazonaws.com", "login": "AWS", "password": "eyJ+/=" * 400, "extra": "{}"}

    secret = evaluated(spec["target"]["template"]["data"][".dockerconfigjson"], login)

    assert spec["target"]["template"]["type"] == "kubernetes.io/dockerconfigjson"
    assert json.loads(secret) == {
        "auths": {
            login["host"]: {
                "username": "AWS",
                "password": login["password"],
                "auth": base64.b64encode(f"AWS:{login['password']}".encode()).decode(),
            }
        }
    }
    assert spec["secretStoreRef"] == {"kind": store["kind"], "name": store["metadata"]["name"]}
    assert store["spec"]["provider"]["aws"]["auth"]["jwt"]["serviceAccountRef"]["name"] == account["metadata"]["name"]
    [pull_secret] = re.findall(r"V1LocalObjectReference\(\"(.*?)\"\)", (AIRFLOW / "kubernetes.md").read_text())
    assert pull_secret == spec["target"]["name"]


def documents(block: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(block))


def evaluated(template: str, values: dict[str, str]) -> str:
    """Evaluate a template of the language Go that contains only what this recipe uses."""
    template = re.sub(r"{{ \.(\w+) }}", lambda found: values[found[1]], template)
    joined = re.compile(r'{{ printf "%s:%s" \.(\w+) \.(\w+) \| b64enc }}')
    result = joined.sub(lambda it: base64.b64encode(f"{values[it[1]]}:{values[it[2]]}".encode()).decode(), template)
    assert "{{" not in result
    return result


def test_the_security_page_has_a_command_for_every_event_in_its_tables() -> None:
    page = (DOCS / "security.md").read_text()
    section = page.split("## What to watch in CloudTrail\n")[1].split("### What the events do not show\n")[0]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| ")]
    in_tables = {name for cell in cells for name in re.findall(r"<br>`(\w+)`", cell)}
    commands = "".join(blocks(section, "sh")).replace("\\\n", " ")
    in_commands = {
        name for arguments in re.findall(r"events ([A-Z].*)$", commands, re.MULTILINE) for name in arguments.split()
    }

    assert len(in_tables) > 50
    assert in_commands == in_tables


def test_the_security_page_has_the_limits_of_the_timings() -> None:
    page = (DOCS / "security.md").read_text()
    rows = re.findall(r"^\| (\d+)(?: or more)? \| (\d+) minutes \| (\d+), plus 20 \|$", page, re.MULTILINE)

    assert [int(every) for every, _, _ in rows] == [10, 20, 30]
    for every, limit, versions in rows:
        assert int(limit) == timings.shortest_interval_minutes(int(every))
        assert int(versions) == 24 * 60 // int(limit) + 1
    assert timings.shortest_interval_minutes(LONGEST) == timings.shortest_interval_minutes(30)


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


def test_decisions_8_and_9_contain_the_durations_of_the_timings() -> None:
    run, wait, function = timings.RUN_SECONDS, timings.NEW_PERMISSIONS_WAIT_SECONDS, timings.FUNCTION_TIMEOUT_MINUTES
    refresh = timings.REFRESH_SECONDS
    runs = 1 + timings.FUNCTION_RETRIES
    failed_runs_seconds = runs * run + timings.FUNCTION_RETRY_WAITS_MINUTES * 60
    ended_runs_minutes = runs * function + timings.FUNCTION_RETRY_WAITS_MINUTES
    kept = timings.shortest_interval_minutes(LONGEST)
    left = timings.LOGIN_MINUTES - LONGEST - kept - timings.DUE_TO_DONE_MINUTES
    assert runs == 3, "the pages write this number as a word"

    assert_contains(
        "0008-retry-each-failure-in-one-place.md",
        f"{timings.ATTEMPTS_PER_CALL} attempts per call, {timings.CALL_SECONDS} s per call",
        f"{run} s per run",
        f"at most {timings.LISTING_SECONDS} s to list the versions, and {refresh} s to refresh",
        f"{wait} s, plus a last attempt of {refresh} s: {wait + refresh} s",
        f"| the function's timeout | nothing; it ends a run that hangs | {60 * function} s |",
        f"it gives up after {timings.FUNCTION_MAX_EVENT_AGE_MINUTES} minutes",
        f"{timings.SCHEDULE_RETRIES} times; it gives up after {timings.SCHEDULE_MAX_EVENT_AGE_MINUTES} minutes",
        f"every {SHORTEST} to {LONGEST} minutes",
        f"at most {timings.CONNECT_TIMEOUT_SECONDS} s to connect and {timings.READ_TIMEOUT_SECONDS} s to read",
        f" {run} s + {timings.FUNCTION_RETRY_WAITS_MINUTES} min = "
        f"{failed_runs_seconds // 60} min {failed_runs_seconds % 60} s, or {ended_runs_minutes} minutes",
        f"delays a run by {timings.SCHEDULE_WINDOW_MINUTES} minutes",
        f"delivers it {timings.SCHEDULE_MAX_EVENT_AGE_MINUTES} minutes later",
        f"queue for {timings.FUNCTION_MAX_EVENT_AGE_MINUTES} minutes, and it takes {function} minutes",
        f"in the failure queue after {timings.DUE_TO_DONE_MINUTES} minutes",
        f"{timings.LOGIN_MINUTES // 60} hours minus one interval and {kept + timings.DUE_TO_DONE_MINUTES} minutes",
        f"that is {left // 60} hours and {left % 60} minutes",
    )
    assert_contains(
        "0009-alarms-count-successes.md",
        f"after two intervals and {timings.NOT_REFRESHED_ALLOWANCE_MINUTES} minutes",
        f"The time window ({timings.SCHEDULE_WINDOW_MINUTES} minutes)",
        f"timeout ({function} minutes)",
        f"arrive {timings.FUNCTION_METRIC_DELAY_MINUTES} minutes late",
        f"that is two intervals and {timings.ONE_MISSED_RUN_MINUTES} minutes",
        f"fires after {timings.LOGIN_EXPIRES_AFTER_MINUTES // 60} hours",
        f"valid for {timings.LOGIN_EXPIRES_LEFT_MINUTES // 60} hours more",
        f"fires after {timings.not_refreshed_after_minutes(LONGEST) / 60:g} hours".replace(".5", "½"),
        f"can be {timings.QUEUE_METRIC_DELAY_MINUTES} minutes late",
        f"evaluates {timings.FAILURE_PERIODS * timings.FAILURE_PERIOD_MINUTES} minutes",
    )


def assert_contains(decision: str, *texts: str) -> None:
    page = (DOCS / "decisions" / decision).read_text()
    assert [text for text in texts if text not in page] == []
