"""The comparison of IAM's decisions with the table of expected.py, for the policies of one account."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from tests.permissions import simulator
from tests.permissions.account import Account
from tests.permissions.callers import callers_of
from tests.permissions.expected import EVERYTHING, NEVER, assumed_by, expected_in, ways_to_assume
from tests.permissions.requests import Request, Target

# AWS allows this action to every principal, even if a policy denies the action (API reference, GetCallerIdentity).
NEEDS_NO_PERMISSION = "sts:GetCallerIdentity"
NOTHING: set[str] = set()
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


def are_expected(account: Account, requests: Iterable[Request]) -> list[bool]:
    """Return for each request whether the table allows it."""
    table = expected_in(account)
    return [_is_expected(table[request.principal].get(request.target, NOTHING), request.action) for request in requests]


def _is_expected(allowed: set[str], action: str) -> bool:
    if action in allowed or action == NEEDS_NO_PERMISSION:
        return action not in NEVER
    return allowed == EVERYTHING and action not in NEVER


def attempts_of(account: Account) -> Iterator[Attempt]:
    """Yield an attempt of every caller to assume every role in every way."""
    for role in account.trusts:
        for caller in callers_of(account):
            for action in ASSUME_A_ROLE:
                yield Attempt(role, caller, action)


def questions_of(account: Account, attempts: Iterable[Attempt]) -> list[simulator.Question]:
    """Return a question for each attempt. The attempts must be grouped by role and caller."""
    callers = callers_of(account)
    return [
        question
        for (role, caller), group in groupby(attempts, key=lambda attempt: (attempt.role, attempt.caller))
        for question in simulator.questions_of_a_trust(account, role, callers[caller], [a.action for a in group])
    ]


def are_expected_attempts(account: Account, attempts: Iterable[Attempt]) -> list[bool]:
    """Return for each attempt whether the table allows it."""
    table = {role: who for environment in account.environments for role, who in assumed_by(environment).items()}
    assert set(account.trusts) == set(table), "the table has other roles than the templates"
    return [a.caller in table[a.role] and a.action in ways_to_assume(a.role, a.caller) for a in attempts]


Batch = tuple[Account, dict[str, Target], Sequence[Request]]


def wrong_decisions_in(batches: Sequence[Batch]) -> list[list[str]]:
    """Return for each batch a line for each decision that is not the expected one.

    The decisions are those on the requests of a batch, and on all attempts to assume a role of the batch's account. One
    process decides all batches.
    """
    policies: simulator.Policies = {}
    questions: list[simulator.Question] = []
    expected: list[tuple[int, str, bool]] = []
    for number, (account, targets, requests) in enumerate(batches):
        attempts = list(attempts_of(account))
        policies |= account.policies
        questions += simulator.questions_of(account, targets, requests) + questions_of(account, attempts)
        expected += [
            (number, f"{r.principal} {{}} {r.action} on {r.target}", e)
            for r, e in zip(requests, are_expected(account, requests), strict=True)
        ]
        expected += [
            (number, f"{t.caller} {{}} {t.action} on {t.role}", e)
            for t, e in zip(attempts, are_expected_attempts(account, attempts), strict=True)
        ]
    wrong: list[list[str]] = [[] for _ in batches]
    for allowed, (number, text, must) in zip(simulator.decide(policies, questions), expected, strict=True):
        if allowed != must:
            wrong[number].append(text.format("may" if allowed else "may not"))
    return wrong


def report(wrong: Sequence[str]) -> str:
    lines = [*wrong[:200], f"and {len(wrong) - 200} more"] if len(wrong) > 200 else wrong
    return "these decisions differ from tests/permissions/expected.py:\n" + "\n".join(lines)
