"""The refresh function that `local` deploys, with a docker login in its secret."""

from typing import Any

import pytest

from local.embedded_aws import EmbeddedAws
from tests.faults.refresh import Refresh


@pytest.fixture
def refresh(aws: EmbeddedAws, local: dict[str, str], worker: Any) -> Refresh:
    """The deployed refresh function. Its secret contains a docker login that can pull an image."""
    deployed = Refresh(aws, local, worker)
    deployed.push_an_image()
    return deployed
