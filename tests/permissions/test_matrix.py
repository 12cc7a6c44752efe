"""Tests of least privilege: of all actions, each principal may do exactly those in the table of expected.py."""

from tests.permissions import matrix, simulator
from tests.permissions.account import Account
from tests.permissions.callers import callers_of
from tests.permissions.expected import EVERYTHING, assumed_by, expected_in
from tests.permissions.requests import Requests, Target, number_of


def test_each_principal_may_do_and_assume_exactly_what_the_table_says(
    requests: list[Requests], comparison: matrix.Comparison
) -> None:
    [wrong] = comparison.wrong

    print(f"{number_of(requests)} decisions")
    assert number_of(requests) > 900_000
    assert not wrong, matrix.report(wrong)


def test_requests_to_which_the_same_statements_apply_get_the_same_decision(
    account: Account, targets: dict[str, Target], requests: list[Requests]
) -> None:
    """evaluate.mjs decides such requests once. This test decides a sample of requests separately."""
    alone = {action: (action,) for each in requests for action in each.actions}
    sample = [
        Requests(principal, target, alone[actions[number % len(actions)]])
        for number, (principal, target, actions) in enumerate(requests[::15])
    ]

    decisions = simulator.decide(account.policies, simulator.questions_of(account, targets, sample), one_by_one=True)

    assert decisions == matrix.are_expected(account, sample)


def test_the_matrix_has_a_request_for_everything_that_the_table_lists(
    account: Account, requests: list[Requests]
) -> None:
    asked = {(principal, target): actions for principal, target, actions in requests}

    missing = []
    for principal, permissions in expected_in(account).items():
        for target, names in permissions.items():
            listed, known = {name.removeprefix("not ") for name in names}, asked.get((principal, target))
            missing += [(principal, target, name) for name in (listed - EVERYTHING.union(known) if known else listed)]
    assert not missing, missing
    assert {request.principal for request in requests} == set(account.principals)


def test_every_caller_of_the_table_tries_to_assume_a_role(account: Account) -> None:
    named = {
        caller
        for environment in account.environments
        for callers in assumed_by(environment).values()
        for caller in callers
    }

    assert named <= set(callers_of(account)), named - set(callers_of(account))
