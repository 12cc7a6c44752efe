"""A model of an AWS account with the resources of the templates. The templates are synthesized and read once."""

import pytest

from tests.permissions import simulator
from tests.permissions.account import Account, account_of
from tests.permissions.environments import DIRECT, ENV, write
from tests.permissions.requests import SERVICES, Request, Target, requests_of, targets_of
from tests.templates import synthesize


@pytest.fixture(scope="session")
def account(tmp_path_factory: pytest.TempPathFactory) -> Account:
    folder = tmp_path_factory.mktemp("environments")
    write([ENV, DIRECT], folder)
    return account_of(synthesize(folder, folder / "cdk.out"), [ENV, DIRECT])


@pytest.fixture(scope="session")
def targets(account: Account) -> dict[str, Target]:
    return targets_of(account)


@pytest.fixture(scope="session")
def actions() -> dict[str, list[str]]:
    """Every action of the services, with the resource types that the action supports."""
    return simulator.actions_of(SERVICES)


@pytest.fixture(scope="session")
def requests(account: Account, targets: dict[str, Target], actions: dict[str, list[str]]) -> list[Request]:
    return list(requests_of(account, targets, actions))
