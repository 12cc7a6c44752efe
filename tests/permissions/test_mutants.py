"""The matrix is a proof only if it notices: every policy that went wrong by one mistake must come out otherwise."""

import re
from collections import defaultdict
from itertools import zip_longest
from zlib import crc32

from tests.permissions.account import Account
from tests.permissions.mutants import Mutant, Statement, listed, mutants_of
from tests.permissions.requests import Request, Target
from tests.permissions.simulator import Must, caught, question_of, question_of_trust
from tests.permissions.test_matrix import attempts_of, is_expected, is_expected_attempt


def test_the_matrix_catches_every_mutant(
    account: Account, targets: dict[str, Target], requests: list[Request], actions: dict[str, list[str]]
) -> None:
    mutants = [mutant for mutant in mutants_of(account, actions) if mutant.kind != "trust"]
    concerned = _concerned(account, targets, requests)

    def asked(mutant: Mutant) -> list[Must]:
        action, resource = (_pattern(element, mutant.before, mutant.after) for element in ("Action", "Resource"))
        return [
            (index, is_expected(request))
            for index, request in concerned[mutant.policy]
            if action.fullmatch(request.action) and resource.fullmatch(targets[request.target].arn)
        ]

    questions = [question_of(account, targets, request) for request in requests]
    _all_caught(mutants, caught(account, questions, mutants, asked))
    assert len(mutants) > 1_000


def test_the_callers_catch_every_mutant_of_a_trust(account: Account, actions: dict[str, list[str]]) -> None:
    mutants = [mutant for mutant in mutants_of(account, actions) if mutant.kind == "trust"]
    attempts = list(attempts_of(account))

    def asked(mutant: Mutant) -> list[Must]:
        return [
            (index, is_expected_attempt(attempt))
            for index, attempt in enumerate(attempts)
            if account.trusts[attempt.role] == mutant.policy
        ]

    questions = [question_of_trust(account, a.role, a.caller, a.action) for a in attempts]
    _all_caught(mutants, caught(account, questions, mutants, asked))
    assert len(mutants) > 100


def _concerned(
    account: Account, targets: dict[str, Target], requests: list[Request]
) -> dict[str, list[tuple[int, Request]]]:
    """By policy: the requests of its owners or on its resource, with their numbers."""
    found: dict[str, list[tuple[int, Request]]] = defaultdict(list)
    for index, request in enumerate(requests):
        own, of_target = account.principals[request.principal].policies, targets[request.target].policy
        for policy in {*own, of_target} - {None}:
            found[str(policy)].append((index, request))
    # Each mutant is asked until it shows. Well mixed, what must be allowed beside what must be denied, that is soon: a
    # right that was lost shows in the one, a right too many in the other.
    for policy, asked in found.items():
        asked.sort(key=lambda each: crc32(repr(each[1]).encode()))
        allowed, denied = ([each for each in asked if is_expected(each[1]) == must] for must in (True, False))
        found[policy] = [each for pair in zip_longest(allowed, denied) for each in pair if each]
    return found


def _all_caught(mutants: list[Mutant], shown: list[bool]) -> None:
    survivors = [mutant.id for mutant, shows in zip(mutants, shown, strict=True) if not shows]
    print(f"{len(mutants)} mutants, {len(survivors)} survivors")
    assert not survivors, "a hole in the matrix, or a needless statement:\n" + "\n".join(survivors)


def _pattern(element: str, *statements: Statement | None) -> re.Pattern[str]:
    """The actions or resources that a mistake can bear on: those of the statement as it was, and as it became."""
    values = [value for statement in statements if statement for value in listed(statement[element])]
    return re.compile("|".join(re.escape(value).replace(r"\*", ".*") for value in values), re.IGNORECASE)
