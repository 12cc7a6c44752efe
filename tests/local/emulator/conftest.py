"""The emulator's own tests need nothing deployed."""

import pytest

from local.embedded_aws import EmbeddedAws


@pytest.fixture(scope="session")
def aws(empty_aws: EmbeddedAws) -> EmbeddedAws:
    """An embedded AWS with an empty account."""
    return empty_aws
