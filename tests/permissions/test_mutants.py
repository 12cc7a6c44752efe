"""Tests that the matrix notices every mistake: each mutant of a policy must change at least one expected decision."""

from collections import defaultdict
from itertools import zip_longest
from zlib import crc32

from tests.permissions import test_matrix as matrix
from tests.permissions.account import Account
from tests.permissions.mutants import Mutant, mutants_of
from tests.permissions.requests import Request, Target
from tests.permissions.simulator import caught, questions_of


def test_the_matrix_catches_every_mutant(
    account: Account, targets: dict[str, Target], requests: list[Request], actions: dict[str, list[str]]
) -> None:
    mutants = [mutant for mutant in mutants_of(account, actions) if mutant.kind != "trust"]
    expected = [matrix.is_expected(request) for request in requests]
    concerned: dict[str, list[int]] = defaultdict(list)
    for number, request in enumerate(requests):
        own, of_target = account.principals[request.principal].policies, targets[request.target].policy
        for policy in {*own, of_target} - {None}:
            concerned[str(policy)].append(number)
    asked = {policy: _mixed(numbers, requests, expected) for policy, numbers in concerned.items()}

    found = caught(account, questions_of(account, targets, requests), expected, mutants, asked)

    _all_caught(mutants, found)
    assert len(mutants) > 1_000


def test_the_callers_catch_every_mutant_of_a_trust_policy(account: Account, actions: dict[str, list[str]]) -> None:
    mutants = [mutant for mutant in mutants_of(account, actions) if mutant.kind == "trust"]
    attempts = list(matrix.attempts_of(account))
    expected = [matrix.is_expected_attempt(attempt) for attempt in attempts]
    asked: dict[str, list[int]] = defaultdict(list)
    for number, attempt in enumerate(attempts):
        asked[account.trusts[attempt.role]].append(number)

    found = caught(account, matrix.questions_of(account, attempts), expected, mutants, asked)

    _all_caught(mutants, found)
    assert len(mutants) > 100


def _mixed(numbers: list[int], requests: list[Request], expected: list[bool]) -> list[int]:
    """Return the numbers of the requests in an order that catches most mutants after few requests.

    The simulator decides the requests of a mutant in this order until the mutant is caught. Requests that must be
    allowed catch a missing permission. Requests that must be denied catch an additional permission. The two kinds
    alternate.
    """
    mixed = sorted(numbers, key=lambda number: crc32(repr(requests[number]).encode()))
    allowed, denied = ([number for number in mixed if expected[number] == must] for must in (True, False))
    return [number for pair in zip_longest(allowed, denied) for number in pair if number is not None]


def _all_caught(mutants: list[Mutant], shown: list[bool]) -> None:
    survivors = [mutant.id for mutant, shows in zip(mutants, shown, strict=True) if not shows]
    print(f"{len(mutants)} mutants, {len(survivors)} survivors")
    assert not survivors, "the matrix lacks a request, or a statement is not needed:\n" + "\n".join(survivors)
