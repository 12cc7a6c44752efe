"""Tests that the matrix notices every mistake: each mutant of a policy must change at least one expected decision."""

from tests.permissions import matrix
from tests.permissions.account import Account
from tests.permissions.mutants import Mutant, mutants_of
from tests.permissions.requests import Requests, Target
from tests.permissions.simulator import caught, questions_of


def test_the_matrix_catches_every_mutant(
    account: Account, targets: dict[str, Target], requests: list[Requests], actions: dict[str, list[str]]
) -> None:
    mutants = [mutant for mutant in mutants_of(account, actions) if mutant.kind != "trust"]
    questions, expected = questions_of(account, targets, requests), matrix.are_expected(account, requests)

    found = caught(account.policies, questions, expected, mutants)

    _all_caught(mutants, found)
    assert len(mutants) > 2_500


def test_the_callers_catch_every_mutant_of_a_trust_policy(account: Account, actions: dict[str, list[str]]) -> None:
    mutants = [mutant for mutant in mutants_of(account, actions) if mutant.kind == "trust"]
    attempts = matrix.attempts_of(account)
    questions, expected = matrix.questions_of(account, attempts), matrix.are_expected_attempts(account, attempts)

    found = caught(account.policies, questions, expected, mutants)

    _all_caught(mutants, found)
    assert len(mutants) > 500


def _all_caught(mutants: list[Mutant], shown: list[bool]) -> None:
    survivors = [mutant.id for mutant, shows in zip(mutants, shown, strict=True) if not shows]
    print(f"{len(mutants)} mutants, {len(survivors)} survivors")
    assert not survivors, "the matrix lacks a request, or a statement is not needed:\n" + "\n".join(survivors)
