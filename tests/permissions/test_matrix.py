"""Tests of least privilege: of all actions, each principal may do exactly those in the table of expected.py."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from tests.permissions import simulator
from tests.permissions.account import Account
from tests.permissions.callers import CALLERS
from tests.permissions.expected import ASSUMED_BY, EVERYTHING, EXPECTED, NEVER
from tests.permissions.requests import Request, Target

# AWS allows this action to every principal, even if a policy denies the action (API reference, GetCallerIdentity).
NEEDS_NO_PERMISSION = "sts:GetCallerIdentity"


def is_expected(request: Request) -> bool:
    """Return whether the table allows the request."""
    if request.action == NEEDS_NO_PERMISSION:
        return True
    if request.action in NEVER:
        return False
    allowed = EXPECTED[request.principal].get(request.target, set())
    return allowed == EVERYTHING or request.action in allowed


def test_each_principal_may_do_exactly_what_the_table_says(
    account: Account, targets: dict[str, Target], requests: list[Request]
) -> None:
    questions = simulator.questions_of(account, targets, requests)

    decisions = simulator.decide(account, questions)

    wrong = [
        f"{request.principal} {'may' if allowed else 'may not'} {request.action} on {request.target}"
        for request, allowed in zip(requests, decisions, strict=True)
        if allowed != is_expected(request)
    ]
    print(f"{len(requests)} decisions")
    assert len(requests) > 20_000
    assert not wrong, _report(wrong)


def test_actions_that_the_same_statements_name_get_the_same_decision(
    account: Account, targets: dict[str, Target], requests: list[Request]
) -> None:
    """evaluate.mjs decides such requests once. This test decides a sample of requests separately."""
    sample = simulator.questions_of(account, targets, requests[::50])

    assert simulator.decide(account, sample, one_by_one=True) == [is_expected(request) for request in requests[::50]]


def test_the_matrix_has_a_request_for_everything_that_the_table_lists(requests: list[Request]) -> None:
    asked = {(request.principal, request.target, request.action) for request in requests}
    listed = {
        (principal, target, action)
        for principal, permissions in EXPECTED.items()
        for target, actions in permissions.items()
        for action in actions - EVERYTHING
    }

    assert listed <= asked, listed - asked
    assert {request.principal for request in requests} == set(EXPECTED)


# The actions with which a caller assumes a role or adds data to its session.
ASSUME_A_ROLE = (
    "sts:AssumeRole",
    "sts:AssumeRoleWithSAML",
    "sts:AssumeRoleWithWebIdentity",
    "sts:SetSourceIdentity",
    "sts:TagSession",
)


@dataclass(frozen=True)
class Attempt:
    """An attempt of a caller to assume a role."""

    role: str
    caller: str
    action: str


def attempts_of(account: Account) -> Iterator[Attempt]:
    for role in account.trusts:
        for caller in CALLERS:
            for action in ASSUME_A_ROLE:
                yield Attempt(role, caller, action)


def questions_of(account: Account, attempts: Iterable[Attempt]) -> list[simulator.Question]:
    """Return a question for each attempt. The attempts must be grouped by role and caller."""
    return [
        question
        for (role, caller), group in groupby(attempts, key=lambda attempt: (attempt.role, attempt.caller))
        for question in simulator.questions_of_a_trust(account, role, caller, [a.action for a in group])
    ]


def is_expected_attempt(attempt: Attempt) -> bool:
    return attempt.action == "sts:AssumeRole" and attempt.caller in ASSUMED_BY[attempt.role]


def test_each_role_is_assumed_by_exactly_the_callers_of_the_table(account: Account) -> None:
    attempts = list(attempts_of(account))

    decisions = simulator.decide(account, questions_of(account, attempts))

    wrong = [
        f"{attempt.caller} {'may' if allowed else 'may not'} {attempt.action} on {attempt.role}"
        for attempt, allowed in zip(attempts, decisions, strict=True)
        if allowed != is_expected_attempt(attempt)
    ]
    assert not wrong, _report(wrong)
    assert set(account.trusts) == set(ASSUMED_BY)


def _report(wrong: Iterable[str]) -> str:
    return "these decisions differ from tests/permissions/expected.py:\n" + "\n".join(wrong)
