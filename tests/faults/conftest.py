"""The refresh that `local` deploys, with a login to lose."""

from typing import Any

import pytest

from local.embedded_aws import EmbeddedAws
from tests.faults.refresh import Refresh


@pytest.fixture
def refresh(aws: EmbeddedAws, local: dict[str, str], worker: Any) -> Refresh:
    """The deployed function, whose secret holds a login that opens an image."""
    deployed = Refresh(aws, local, worker)
    deployed.push_an_image()
    return deployed
