"""One stage for all tests, inside the namespaces that `make e2e` makes; elsewhere they are skipped."""

import os
from collections.abc import Iterator

import pytest

from tests.e2e import INSIDE
from tests.e2e.stage import Stage, staged


@pytest.fixture(scope="session", autouse=True)
def _only_inside() -> None:
    group = os.environ.get(INSIDE, "no: run them by `make e2e`")
    if group.startswith("no: "):
        pytest.skip(group.removeprefix("no: "))


@pytest.fixture(scope="session")
def stage(_only_inside: None) -> Iterator[Stage]:
    """The product deployed to an embedded AWS, and a worker with each version of Airflow."""
    with staged() as running:
        yield running
