"""The refresh function that `local` deploys, with a docker login in its secret."""

from collections.abc import Iterator

import pytest

from local.account import Account
from local.embedded_aws import EmbeddedAws
from tests.faults.refresh import Refresh, Worker, schedules_off


@pytest.fixture
def refresh(aws: EmbeddedAws, local: dict[str, str], account: Account) -> Refresh:
    """The deployed refresh function. Its secret contains a docker login that can pull an image."""
    deployed = Refresh(aws, local, Worker(aws, account))
    deployed.push_an_image()
    return deployed


@pytest.fixture(scope="module")
def every_run_writes(aws: EmbeddedAws, local: dict[str, str], account: Account) -> Iterator[None]:
    """Let the runs of the module's tests replace a login that is only some milliseconds old.

    The schedules are off, because a scheduled run would write too, and tests count the requests.
    """
    every_run = Refresh(aws, local, Worker(aws, account)).configured(variables={"SHORTEST_INTERVAL_MINUTES": "0.0001"})
    with schedules_off(aws), every_run:
        yield
