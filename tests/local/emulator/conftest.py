"""The emulator for the tests in this folder, which need no deployment."""

import pytest

from local.embedded_aws import EmbeddedAws


@pytest.fixture(scope="session")
def aws(empty_aws: EmbeddedAws) -> EmbeddedAws:
    """An emulator with an empty account."""
    return empty_aws
