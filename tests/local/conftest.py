from collections.abc import Iterator

import pytest

from local.embedded_aws import EmbeddedAws


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedAws]:
    """One embedded AWS for all tests; each names its own resources."""
    with EmbeddedAws.start(tmp_path_factory.mktemp("embedded-aws")) as running:
        yield running
