"""Least privilege, whole: for everybody and every action, exactly what the table in expected.py allows."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from tests.permissions import simulator
from tests.permissions.account import Account
from tests.permissions.callers import CALLERS
from tests.permissions.expected import ASSUMED_BY, EVERYTHING, EXPECTED
from tests.permissions.requests import Request, Target

# AWS allows it to everybody, whatever policies say (API reference, GetCallerIdentity).
NEEDS_NO_RIGHT = "sts:GetCallerIdentity"


def is_expected(request: Request) -> bool:
    """Whether the table allows it."""
    if request.action == NEEDS_NO_RIGHT:
        return True
    allowed = EXPECTED[request.principal].get(request.target, set())
    return allowed == EVERYTHING or request.action in allowed


def test_everybody_may_do_what_the_table_says_and_nothing_else(
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
    assert not wrong, _told(wrong)


def test_actions_that_the_same_statements_name_are_decided_alike(
    account: Account, targets: dict[str, Target], requests: list[Request]
) -> None:
    """The matrix and the mutants ask such questions once. A sample of them, each asked by itself, confirms it."""
    sample = simulator.questions_of(account, targets, requests[::50])

    assert simulator.decide(account, sample, one_by_one=True) == [is_expected(request) for request in requests[::50]]


def test_the_table_speaks_of_nothing_that_is_not_asked(requests: list[Request]) -> None:
    asked = {(request.principal, request.target, request.action) for request in requests}
    listed = {
        (principal, target, action)
        for principal, rights in EXPECTED.items()
        for target, actions in rights.items()
        for action in actions - EVERYTHING
    }

    assert listed <= asked, listed - asked
    assert {request.principal for request in requests} == set(EXPECTED)


# The ways into a role, and what could be smuggled into the session.
TAKE_A_ROLE = (
    "sts:AssumeRole",
    "sts:AssumeRoleWithSAML",
    "sts:AssumeRoleWithWebIdentity",
    "sts:SetSourceIdentity",
    "sts:TagSession",
)


@dataclass(frozen=True)
class Attempt:
    """Somebody tries to take a role."""

    role: str
    caller: str
    action: str


def attempts_of(account: Account) -> Iterator[Attempt]:
    for role in account.trusts:
        for caller in CALLERS:
            for action in TAKE_A_ROLE:
                yield Attempt(role, caller, action)


def questions_of(account: Account, attempts: Iterable[Attempt]) -> list[simulator.Question]:
    """The attempts as questions. They come role by role and caller by caller."""
    return [
        question
        for (role, caller), group in groupby(attempts, key=lambda attempt: (attempt.role, attempt.caller))
        for question in simulator.questions_of_a_trust(account, role, caller, [a.action for a in group])
    ]


def is_expected_attempt(attempt: Attempt) -> bool:
    return attempt.action == "sts:AssumeRole" and attempt.caller in ASSUMED_BY[attempt.role]


def test_every_role_is_assumed_by_those_of_the_table_and_nobody_else(account: Account) -> None:
    attempts = list(attempts_of(account))

    decisions = simulator.decide(account, questions_of(account, attempts))

    wrong = [
        f"{attempt.caller} {'may' if allowed else 'may not'} {attempt.action} of {attempt.role}"
        for attempt, allowed in zip(attempts, decisions, strict=True)
        if allowed != is_expected_attempt(attempt)
    ]
    assert not wrong, _told(wrong)
    assert set(account.trusts) == set(ASSUMED_BY)


def _told(wrong: Iterable[str]) -> str:
    return "not as in tests/permissions/expected.py:\n" + "\n".join(wrong)
