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
from tests.permissions.requests import Request, Target
from tools import ROOT

_SCRIPT = str(Path(__file__).parent / "evaluate.mjs")
Policies = dict[str, tuple[str, Document]]  # id to kind (see evaluate.mjs) and document
_DECISIONS = {"Allowed": True, "ImplicitlyDenied": False, "ExplicitlyDenied": False}


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
    """One request in the form that the simulator expects."""

    situation: Situation
    action: str


def questions_of(account: Account, targets: dict[str, Target], requests: Iterable[Request]) -> list[Question]:
    known: dict[tuple[str, str], Situation] = {}
    questions = []
    for principal, action, target in requests:
        situation = known.get((principal, target))
        if situation is None:
            situation = known[principal, target] = _situation(account, account.principals[principal], targets[target])
        questions.append(Question(situation, action))
    return questions


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


def questions_of_a_trust(account: Account, role: str, asking: Caller, actions: Iterable[str]) -> list[Question]:
    situation = Situation(
        principal=asking.principal,
        resource=account.principals[role].arn,
        account=account.id,
        context=asking.context,
        identity=(ADMINISTRATOR,) if asking.may_assume else (),
        resource_policy=account.trusts[role],
    )
    return [Question(situation, action) for action in actions]


def decide(policies: Policies, questions: Sequence[Question], *, one_by_one: bool = False) -> list[bool]:
    """Return for each question whether the request is allowed.

    Args:
        one_by_one: decide every question separately, also questions that evaluate.mjs treats as the same question.

    Raises:
        CalledProcessError, KeyError: a question cannot be decided. Such a question never counts as denied.
    """
    return [_DECISIONS[decision] for decision in _ask(policies, questions, one_by_one=one_by_one)]


def caught(
    policies: Policies,
    questions: Sequence[Question],
    expected: Sequence[bool],
    mutants: Iterable[Mutant],
) -> list[bool]:
    """Return for each mutant whether it is caught: the decision on at least one question is not the expected one.

    Args:
        expected: for each question, whether its request must be allowed.
    """
    wrong = [
        {"policy": m.policy, "kind": m.kind, "document": m.document, "before": m.before, "after": m.after}
        for m in mutants
    ]
    found: list[bool] = _ask(policies, questions, expected=expected, mutants=wrong)
    return found


def _ask(policies: Policies, questions: Sequence[Question], **more: Any) -> Any:
    numbers: dict[Situation, int] = {}
    actions: dict[str, int] = {}
    requests = [
        (numbers.setdefault(situation, len(numbers)), actions.setdefault(action, len(actions)))
        for situation, action in questions
    ]
    batch = {
        "policies": {name: {"kind": kind, "document": document} for name, (kind, document) in policies.items()},
        "situations": [vars(situation) for situation in numbers],
        "actions": [*actions],
        "requests": requests,
        **more,
    }
    command = ["node", _SCRIPT]
    done = subprocess.run(command, cwd=ROOT, input=json.dumps(batch), stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)
