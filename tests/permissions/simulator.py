"""Ask @cloud-copilot/iam-simulate for IAM's decisions. One Node.js process decides a whole batch of questions."""

import json
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from tests.permissions.account import ADMINISTRATOR, Account, Document, Principal
from tests.permissions.callers import Caller
from tests.permissions.mutants import Mutant
from tests.permissions.requests import Requests, Target
from tools import ROOT

_SCRIPT = str(Path(__file__).parent / "evaluate.mjs")
Policies = dict[str, tuple[str, Document]]  # id to kind (see evaluate.mjs) and document
# The decisions on some actions, with a character for each action: 1 if it is allowed, or else 0.
Decisions = str


@dataclass(frozen=True, eq=False)
class Situation:
    """Everything about a request except its action.

    Attributes:
        identity: the ids of the principal's identity-based policies.
        resource_policy: the id of the resource's policy.
    """

    principal: str
    resource: str
    account: str
    context: dict[str, str]
    identity: tuple[str, ...]
    resource_policy: str | None


class Question(NamedTuple):
    """Requests that differ only in the action, in the form that the simulator expects."""

    situation: Situation
    actions: tuple[str, ...]


def questions_of(account: Account, targets: dict[str, Target], requests: Iterable[Requests]) -> list[Question]:
    """Return a question for each entry of the requests."""
    return [
        Question(_situation(account, account.principals[principal], targets[target]), actions)
        for principal, target, actions in requests
    ]


def _situation(account: Account, principal: Principal, target: Target) -> Situation:
    return Situation(
        principal=principal.caller,
        resource=target.arn,
        account=target.arn.split(":")[4] if target.arn != "*" else account.id,
        context={
            **({"aws:PrincipalArn": principal.arn} if principal.arn else {}),
            **principal.context,
            **target.context,
        },
        identity=tuple(principal.policies),
        resource_policy=target.policy,
    )


def question_of_a_trust(account: Account, role: str, asking: Caller, actions: tuple[str, ...]) -> Question:
    situation = Situation(
        principal=asking.principal,
        resource=account.principals[role].arn,
        account=account.id,
        context=asking.context,
        identity=(ADMINISTRATOR,) if asking.may_assume else (),
        resource_policy=account.trusts[role],
    )
    return Question(situation, actions)


def decide(policies: Policies, questions: Sequence[Question], *, one_by_one: bool = False) -> list[Decisions]:
    """Return the decisions on each question.

    Args:
        one_by_one: decide every request separately, also requests that evaluate.mjs treats as the same question.

    Raises:
        CalledProcessError: a request cannot be decided. Such a request never counts as denied.
    """
    found: list[Decisions] = _ask(policies, questions, one_by_one=one_by_one)["decisions"]
    return found


def decide_with_mutants(
    policies: Policies,
    questions: Sequence[Question],
    expected: Sequence[Decisions],
    mutants: Iterable[Mutant],
) -> tuple[list[Decisions], list[bool]]:
    """Return the decisions on each question, and for each mutant whether it is caught.

    A mutant is caught if the decision on at least one request is not the expected one.

    Raises:
        CalledProcessError: a request cannot be decided.
    """
    wrong = [{"policy": m.policy, "index": m.index, "statement": m.statement} for m in mutants]
    found = _ask(policies, questions, expected=expected, mutants=wrong)
    return found["decisions"], found["caught"]


def _ask(policies: Policies, questions: Sequence[Question], **more: Any) -> Any:
    situations: dict[Situation, int] = {}
    lists: dict[int, int] = {}  # the actions of a question are one of a few tuples
    actions: list[tuple[str, ...]] = []
    requests = []
    for situation, names in questions:
        if id(names) not in lists:
            lists[id(names)] = len(actions)
            actions.append(names)
        requests.append((situations.setdefault(situation, len(situations)), lists[id(names)]))
    batch = {
        "policies": {name: {"kind": kind, "document": document} for name, (kind, document) in policies.items()},
        "situations": [vars(situation) for situation in situations],
        "actions": actions,
        "requests": requests,
        **more,
    }
    command = ["node", _SCRIPT]
    done = subprocess.run(command, cwd=ROOT, input=json.dumps(batch), stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)
