"""Tests of least privilege for other settings: the table of expected.py holds for every pair of settings."""

from fnmatch import fnmatchcase

import pytest

from tests.permissions import matrix
from tests.permissions.account import Account, account_of
from tests.permissions.combinations import ENVIRONMENTS, missing_pairs
from tests.permissions.environments import Environment
from tests.permissions.expected import EVERYTHING, NEVER, expected_in, is_in
from tests.permissions.mutants import listed
from tests.permissions.requests import number_of, requests_of, targets_of
from tests.templates import Templates


def one_of_each_kind(account: Account, actions: dict[str, list[str]]) -> dict[str, list[str]]:
    """Return one of all actions for which no policy and no rule of the table differs.

    The matrix of the two other environments has requests for every action.
    """
    patterns = sorted(
        {
            pattern
            for _, document in account.policies.values()
            for statement in document["Statement"]
            for pattern in listed(statement.get("Action", statement.get("NotAction")))
        }
    )
    named = {frozenset(allowed) for table in expected_in(account).values() for allowed in table.values()}
    sets = sorted((named | {frozenset(NEVER)}) - {frozenset(EVERYTHING)}, key=sorted)
    kinds: dict[object, str] = {}
    for action, types in actions.items():
        kind = (
            action.partition(":")[0],
            tuple(types),
            tuple(fnmatchcase(action, pattern) for pattern in patterns),
            tuple(is_in(action, allowed) for allowed in sets),
        )
        kinds.setdefault(kind, action)
    return {action: actions[action] for action in kinds.values()}


@pytest.fixture(scope="module")
def wrong(combinations: Templates, actions: dict[str, list[str]]) -> dict[str, list[str]]:
    """A dict of environment to the decisions that are not the expected ones. One process decides all of them."""
    batches = []
    for environment in ENVIRONMENTS:
        account = account_of(combinations, [environment])
        targets = targets_of(account)
        requests = list(requests_of(account, targets, one_of_each_kind(account, actions)))
        batches.append((account, targets, requests))
    print(f"{sum(number_of(requests) for _, _, requests in batches)} decisions on combinations of settings")
    found = matrix.compare(batches).wrong
    return dict(zip((environment.name for environment in ENVIRONMENTS), found, strict=True))


def test_the_combinations_cover_every_pair_of_settings() -> None:
    assert missing_pairs() == []


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda environment: str(environment.name))
def test_each_principal_may_do_and_assume_exactly_what_the_table_says(
    environment: Environment, wrong: dict[str, list[str]]
) -> None:
    assert not wrong[environment.name], matrix.report(wrong[environment.name])
