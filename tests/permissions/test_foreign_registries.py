"""Tests of least privilege with registries of other accounts and Regions, for the policies of both sides."""

import pytest

from tests.permissions import matrix
from tests.permissions.account import Account, account_of
from tests.permissions.environments import OWNERS, READERS
from tests.permissions.expected import EVERYTHING, expected_in
from tests.permissions.mutants import Mutant, mutants_of
from tests.permissions.requests import Requests, number_of, requests_of, targets_of
from tests.templates import Templates


@pytest.fixture(scope="module")
def account(templates_of_readers: Templates) -> Account:
    """The account of the readers, with the policies of the repositories that they pull."""
    return account_of(templates_of_readers, READERS, OWNERS)


@pytest.fixture(scope="module")
def requests(account: Account, actions: dict[str, list[str]]) -> list[Requests]:
    return list(requests_of(account, targets_of(account), actions))


@pytest.fixture(scope="module")
def mutants(account: Account, actions: dict[str, list[str]]) -> list[Mutant]:
    return list(mutants_of(account, actions))


@pytest.fixture(scope="module")
def comparison(account: Account, requests: list[Requests], mutants: list[Mutant]) -> matrix.Comparison:
    return matrix.compare([(account, targets_of(account), requests)], mutants)


def test_each_principal_may_do_exactly_what_the_table_says(
    requests: list[Requests], comparison: matrix.Comparison
) -> None:
    [wrong] = comparison.wrong

    print(f"{number_of(requests)} decisions")
    assert not wrong, matrix.report(wrong)


def test_the_matrix_catches_every_mutant(mutants: list[Mutant], comparison: matrix.Comparison) -> None:
    survivors = [mutant.id for mutant, is_caught in zip(mutants, comparison.caught, strict=True) if not is_caught]

    print(f"{len(mutants)} mutants, {len(survivors)} survivors")
    assert not survivors, "the matrix lacks a request, or a statement is not needed:\n" + "\n".join(survivors)


def test_the_matrix_has_a_request_for_everything_that_the_table_lists(
    account: Account, requests: list[Requests]
) -> None:
    asked = {(principal, target): actions for principal, target, actions in requests}

    missing = [
        (principal, target, name)
        for principal, permissions in expected_in(account).items()
        for target, names in permissions.items()
        for name in {name.removeprefix("not ") for name in names} - EVERYTHING
        if name not in asked.get((principal, target), ())
    ]
    assert not missing, missing[:20]
