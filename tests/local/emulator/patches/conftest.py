"""An embedded AWS beside the one of all tests."""

from collections.abc import Iterator

import pytest

from local.embedded_aws import EmbeddedAws


@pytest.fixture(scope="package")
def aws_in_time(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedAws]:
    """One whose clock the tests move on."""
    with EmbeddedAws.start(tmp_path_factory.mktemp("embedded-aws")) as running:
        yield running
