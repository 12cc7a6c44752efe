"""For every test: silence of a tool whose notice would only be noise, and one embedded AWS for those that need it.

The tests on it share what is deployed there; each names its own resources, and leaves the rest as it was.
"""

import os
from collections.abc import Iterator
from typing import Any

import pytest

from local import cdk
from local.account import WORKER_ROLE_ARN, Account, assume, create_account, outputs
from local.embedded_aws import EmbeddedAws

# Node 20, which jsii no longer supports, does run it; make says the same.
os.environ.setdefault("JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION", "20")


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedAws]:
    """An embedded AWS, as it starts."""
    with EmbeddedAws.start(tmp_path_factory.mktemp("embedded-aws")) as running:
        yield running


@pytest.fixture(scope="session")
def bootstrapped(aws: EmbeddedAws) -> EmbeddedAws:
    """The same, ready for the CDK CLI to deploy to."""
    cdk.bootstrap(aws)
    return aws


@pytest.fixture(scope="session")
def account(aws: EmbeddedAws) -> Account:
    """Its principals, as `make demo` creates them."""
    return create_account(aws)


@pytest.fixture(scope="session")
def local(bootstrapped: EmbeddedAws, account: Account, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """`local`, deployed; its outputs."""
    assembly = tmp_path_factory.mktemp("local") / "cdk.out"
    with cdk.synthesizing(assembly):
        pass
    cdk.deploy(bootstrapped, assembly)
    return outputs(bootstrapped)


@pytest.fixture(scope="session")
def worker_role(aws: EmbeddedAws, account: Account) -> Any:
    """Secrets Manager as an Airflow worker may use it; its session lasts as long as the tests."""
    return aws.client("secretsmanager", assume(aws, WORKER_ROLE_ARN, account.operator))


@pytest.fixture
def worker(aws: EmbeddedAws, account: Account) -> Any:
    """Secrets Manager as an Airflow worker may use it."""
    return aws.client("secretsmanager", assume(aws, WORKER_ROLE_ARN, account.operator))
