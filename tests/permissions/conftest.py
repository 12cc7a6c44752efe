"""A model of an AWS account with the resources of the templates. The templates are synthesized and read once."""

from pathlib import Path

import pytest

from tests.permissions import matrix
from tests.permissions.account import Account, account_of
from tests.permissions.actions import actions_of, examples_of, exceptions, sources
from tests.permissions.combinations import ENVIRONMENTS
from tests.permissions.environments import ACCOUNT, DIRECT, ENV, OWNERS, READERS, REGION, Environment, write
from tests.permissions.mutants import Mutant, mutants_of
from tests.permissions.requests import Requests, Target, requests_of, targets_of
from tests.templates import Templates, synthesize


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Templates:
    """The templates of `env` and `direct`, synthesized once."""
    return _synthesize([ENV, DIRECT], tmp_path_factory.mktemp("environments"))


@pytest.fixture(scope="session")
def templates_of_readers(tmp_path_factory: pytest.TempPathFactory) -> Templates:
    """The templates of environments that pull from other registries, and of the owners of two of these registries."""
    return _synthesize([*READERS, *OWNERS], tmp_path_factory.mktemp("readers"))


@pytest.fixture(scope="session")
def combinations(tmp_path_factory: pytest.TempPathFactory) -> Templates:
    """The templates of the combinations of settings, synthesized once. Only rehearsals need them."""
    return _synthesize(ENVIRONMENTS, tmp_path_factory.mktemp("combinations"))


def _synthesize(environments: list[Environment], folder: Path) -> Templates:
    write(environments, folder)
    return synthesize(folder, folder / "cdk.out")


@pytest.fixture(scope="session")
def account(templates: Templates) -> Account:
    """The account with the environments `env` and `direct`."""
    return account_of(templates, [ENV, DIRECT])


@pytest.fixture(scope="session")
def targets(account: Account) -> dict[str, Target]:
    """The resources of the matrix, with a made-up resource for each resource type that has none."""
    named = targets_of(account)
    present = {target.resource_type for target in named.values()}
    examples = {
        kind.partition(":")[::2]: arn for kind, arn in examples_of(sources(), exceptions(), ACCOUNT, REGION).items()
    }
    missing = {
        f"any {name} of {service}": Target(arn, name)
        for (service, name), arn in examples.items()
        if name not in present
    }
    return named | missing


@pytest.fixture(scope="session")
def actions() -> dict[str, list[str]]:
    """Every action of the services, with the resource types that the action supports."""
    return actions_of(sources(), exceptions())


@pytest.fixture(scope="session")
def requests(account: Account, targets: dict[str, Target], actions: dict[str, list[str]]) -> list[Requests]:
    return list(requests_of(account, targets, actions))


@pytest.fixture(scope="session")
def mutants(account: Account, actions: dict[str, list[str]]) -> list[Mutant]:
    return list(mutants_of(account, actions))


@pytest.fixture(scope="session")
def comparison(
    account: Account, targets: dict[str, Target], requests: list[Requests], mutants: list[Mutant]
) -> matrix.Comparison:
    """The comparison of the account and of all mutants with the table. One process decides everything, to save time."""
    return matrix.compare([(account, targets, requests)], mutants)
