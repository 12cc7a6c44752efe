"""One stage for all tests. Every test is skipped outside the namespaces that `make e2e` creates."""

import os
from collections.abc import Iterator

import pytest

from tests.e2e import INSIDE
from tests.e2e.stage import Stage, staged


@pytest.fixture(scope="session", autouse=True)
def _only_inside() -> None:
    group = os.environ.get(INSIDE, "no: run these tests with `make e2e`")
    if group.startswith("no: "):
        pytest.skip(group.removeprefix("no: "))


@pytest.fixture(scope="session")
def stage(_only_inside: None) -> Iterator[Stage]:
    """The stacks on an emulator, and one Airflow worker for each version of Airflow."""
    with staged() as running:
        yield running
