"""The page of `ecr-login report` in Chromium."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from ops.clients import NoAnswer
from ops.report import render
from ops.report.access import access
from ops.report.picture import WIDTH, draw
from ops.report.refreshes import DAYS, HOUR, Hour, Week
from ops.repository_status import Repository, findings_in_words
from ops.results import Check, State
from settings.files import load_environments
from tools import ROOT

NOW = datetime(2030, 1, 8, tzinfo=UTC)
CHECKS = [
    Check("login_docker_default", State.OK, "fresh, valid until 14:03 UTC"),
    Check("alarms", State.DEGRADED, f"{'a-long-name' * 20} is in the state ALARM", f"aws cloudwatch {'x' * 200}"),
    Check("subscription", State.BROKEN, "<script>alert(1)</script>"),
    Check("drift", State.NOT_TRIED, "not tried"),
]
REPOSITORIES = [
    Repository("analytics/web-scraper", [{"imagePushedAt": NOW, "lastRecordedPullTime": NOW}], {"HIGH": 2}, None),
    Repository("a" * 200, None, None, None),
    Repository("risk/var", NoAnswer("DescribeImages answered AccessDeniedException"), NoAnswer("x"), NoAnswer("x")),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report about the largest example, with every state of a check and of an hour."""
    [environment] = [each for each in load_environments(ROOT / "examples") if each.name == "prod"]
    states = ["succeeded", "failed", "none"]
    hours = [Hour(NOW - timedelta(days=DAYS) + HOUR * n, states[n % 3], f"hour {n}") for n in range(DAYS * 24)]
    weeks = [Week(connection, hours) for connection in environment.connections] + [Week("docker_x", [], "no answer")]
    file = tmp_path_factory.mktemp("report") / "report.html"
    file.write_text(
        render(
            environment=environment,
            picture=draw(environment),
            width=WIDTH,
            refreshes=weeks,
            access=access(environment),
            repositories=REPOSITORIES,
            findings_in_words=findings_in_words,
            checks=CHECKS,
            state=State.BROKEN,
            verdict="1 check is broken",
            now=NOW,
        )
    )
    return file


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 800, 1280])
def test_the_page_fits_the_screen_loads_nothing_and_has_no_errors(
    browser: Browser, page_file: Path, width: int, scheme: Any
) -> None:
    problems: list[str] = []
    requests: list[str] = []
    with browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme) as context:
        page = context.new_page()
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(page_file.as_uri())

        assert problems == []
        assert requests == [page_file.as_uri()]
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator("li.broken").inner_text().startswith("broken subscription: <script>")
        assert unreadable(page) == []


def test_the_page_forbids_scripts(browser: Browser, page_file: Path) -> None:
    page = browser.new_page()
    page.goto(page_file.as_uri())
    page.evaluate(
        """() => { const script = document.createElement("script");
        script.textContent = "window.ran = true"; document.body.append(script); }"""
    )
    assert page.evaluate("window.ran") is None


def test_the_page_is_printed_dark_on_white_also_in_dark_mode(browser: Browser, page_file: Path) -> None:
    page = browser.new_page(color_scheme="dark")
    page.goto(page_file.as_uri())
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert unreadable(page) == []
    assert page.pdf(format="A4").startswith(b"%PDF")


def unreadable(page: Page) -> list[str]:
    """Return the texts whose contrast with the page is less than 4.5 (WCAG 2.2, success criterion 1.4.3)."""
    found: list[str] = page.evaluate(
        """() => {
          const luminance = color => {
            const [r, g, b] = color.match(/[\\d.]+/g).slice(0, 3).map(value => value / 255)
              .map(value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
          };
          const page = luminance(getComputedStyle(document.body).backgroundColor);
          const own = element => [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
          return [...document.querySelectorAll("body *")].filter(own).filter(element => {
            if (element.closest("title")) return false;
            const style = getComputedStyle(element);
            const text = luminance(element instanceof SVGElement ? style.fill : style.color);
            return (Math.max(text, page) + 0.05) / (Math.min(text, page) + 0.05) < 4.5;
          }).map(element => element.textContent);
        }"""
    )
    return found
