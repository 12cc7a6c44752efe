"""Names on AWS that are built from settings."""

import pytest

from settings.names import pascal_case, repository_name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("docker_default", "DockerDefault"),
        ("web-scraper", "WebScraper"),
        ("a/b.c", "ABC"),
        ("var2", "Var2"),
        ("airflowWorker", "AirflowWorker"),
    ],
)
def test_pascal_case_keeps_letters_and_digits(name: str, expected: str) -> None:
    assert pascal_case(name) == expected


def test_a_repository_name_starts_with_its_team() -> None:
    assert repository_name("analytics", "web-scraper") == "analytics/web-scraper"
