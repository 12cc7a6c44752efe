"""A second AWS emulator, for tests that move its clock."""

from collections.abc import Iterator

import pytest

from local.embedded_aws import EmbeddedAws


@pytest.fixture(scope="package")
def aws_in_time(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedAws]:
    """An AWS emulator whose clock the tests move forward."""
    with EmbeddedAws.start(tmp_path_factory.mktemp("embedded-aws")) as running:
        yield running
