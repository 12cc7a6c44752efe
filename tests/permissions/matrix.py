"""The comparison of IAM's decisions with the table of expected.py, for the policies of one account."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.permissions import simulator
from tests.permissions.account import Account
from tests.permissions.callers import callers_of
from tests.permissions.expected import NEVER, assumed_by, expected_in, is_in, ways_to_assume
from tests.permissions.mutants import Mutant
from tests.permissions.requests import Requests, Target
from tests.permissions.simulator import Decisions

# AWS allows this action to every principal, even if a policy denies the action (API reference, GetCallerIdentity).
NEEDS_NO_PERMISSION = "sts:GetCallerIdentity"
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
    """The attempts of a caller to assume a role in every way."""

    role: str
    caller: str


def are_expected(account: Account, requests: Iterable[Requests]) -> list[Decisions]:
    """Return the decisions of the table on all requests."""
    table = expected_in(account)
    known: dict[tuple[frozenset[str], int], Decisions] = {}
    found = []
    for principal, target, actions in requests:
        allowed = frozenset(table[principal].get(target, ()))
        if (allowed, id(actions)) not in known:
            known[allowed, id(actions)] = "".join("01"[_is_expected(allowed, action)] for action in actions)
        found.append(known[allowed, id(actions)])
    return found


def _is_expected(allowed: frozenset[str], action: str) -> bool:
    return (is_in(action, allowed) or action == NEEDS_NO_PERMISSION) and action not in NEVER


def attempts_of(account: Account) -> list[Attempt]:
    """Return the attempts of every caller to assume every role."""
    return [Attempt(role, caller) for role in account.trusts for caller in callers_of(account)]


def questions_of(account: Account, attempts: Iterable[Attempt]) -> list[simulator.Question]:
    """Return a question for each entry of the attempts."""
    callers = callers_of(account)
    return [simulator.question_of_a_trust(account, t.role, callers[t.caller], ASSUME_A_ROLE) for t in attempts]


def are_expected_attempts(account: Account, attempts: Iterable[Attempt]) -> list[Decisions]:
    """Return the decisions of the table on all attempts."""
    table = {role: who for environment in account.environments for role, who in assumed_by(environment).items()}
    assert set(account.trusts) == set(table), "the table has other roles than the templates"
    return [
        "".join(
            "01"[t.caller in table[t.role] and action in ways_to_assume(t.role, t.caller)] for action in ASSUME_A_ROLE
        )
        for t in attempts
    ]


Batch = tuple[Account, dict[str, Target], Sequence[Requests]]


@dataclass(frozen=True)
class Comparison:
    """The comparison of the decisions with the table.

    Attributes:
        wrong: for each batch, a line for each decision that is not the expected one.
        caught: for each mutant, whether it changes at least one expected decision.
    """

    wrong: list[list[str]]
    caught: list[bool]


def compare(batches: Sequence[Batch], mutants: Sequence[Mutant] = ()) -> Comparison:
    """Compare the decisions with the table.

    The decisions are those on the requests of a batch, and on all attempts to assume a role of the batch's account. One
    process decides all batches.

    Args:
        mutants: mutants of the policies of the batches' accounts.
    """
    policies: simulator.Policies = {}
    questions: list[simulator.Question] = []
    expected: list[tuple[int, str, str, Decisions]] = []
    for number, (account, targets, requests) in enumerate(batches):
        attempts = attempts_of(account)
        policies |= account.policies
        questions += simulator.questions_of(account, targets, requests) + questions_of(account, attempts)
        of_requests = zip(requests, are_expected(account, requests), strict=True)
        expected += [(number, r.principal, r.target, must) for r, must in of_requests]
        of_attempts = zip(attempts, are_expected_attempts(account, attempts), strict=True)
        expected += [(number, t.caller, t.role, must) for t, must in of_attempts]
    wrong: list[list[str]] = [[] for _ in batches]
    musts = [must for *_, must in expected]
    decisions, caught = simulator.decide_with_mutants(policies, questions, musts, mutants)
    for found, question, (number, who, on, must) in zip(decisions, questions, expected, strict=True):
        if found != must:
            wrong[number] += [
                f"{who} {'may' if is_allowed == '1' else 'may not'} {action} on {on}"
                for action, is_allowed, should_be in zip(question.actions, found, must, strict=True)
                if is_allowed != should_be
            ]
    return Comparison(wrong, caught)


def report(wrong: Sequence[str]) -> str:
    lines = [*wrong[:200], f"and {len(wrong) - 200} more"] if len(wrong) > 200 else wrong
    return "these decisions differ from tests/permissions/expected.py:\n" + "\n".join(lines)
