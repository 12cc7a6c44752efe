"""IAM's decisions, from @cloud-copilot/iam-simulate in one process of its own for a whole batch."""

import json
import subprocess
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.permissions.account import ACCOUNT, ADMINISTRATOR, Account
from tests.permissions.callers import CALLERS
from tests.permissions.mutants import Mutant
from tests.permissions.requests import Request, Target
from tools import ROOT

_SCRIPT = str(Path(__file__).parent / "evaluate.mjs")
Must = tuple[int, bool]
_DECISIONS = {"Allowed": True, "ImplicitlyDenied": False, "ExplicitlyDenied": False}


@dataclass(frozen=True)
class Question:
    """One request as the simulator takes it. `identity` and `resource_policy` are ids of policies."""

    principal: str
    action: str
    resource: str
    account: str
    context: dict[str, str]
    identity: tuple[str, ...]
    resource_policy: str | None


def actions_of(services: Iterable[str]) -> dict[str, list[str]]:
    """Every action of the services, with the types of resources that it knows."""
    return {action: details["resource_types"] for action, details in json.loads(_run([*services], "")).items()}


def question_of(account: Account, targets: dict[str, Target], request: Request) -> Question:
    principal, target = account.principals[request.principal], targets[request.target]
    return Question(
        principal=principal.caller,
        action=request.action,
        resource=target.arn,
        account=target.arn.split(":")[4] if target.arn != "*" else ACCOUNT,
        context={
            **({"aws:PrincipalArn": principal.arn} if principal.arn else {}),
            **principal.context,
            **target.context,
        },
        identity=tuple(principal.policies),
        resource_policy=target.policy,
    )


def question_of_trust(account: Account, role: str, caller: str, action: str) -> Question:
    somebody = CALLERS[caller]
    return Question(
        principal=somebody.principal,
        action=action,
        resource=account.principals[role].arn,
        account=ACCOUNT,
        context=somebody.context,
        identity=(ADMINISTRATOR,) if somebody.may_assume else (),
        resource_policy=account.trusts[role],
    )


def decide(account: Account, questions: Sequence[Question]) -> list[bool]:
    """Whether each is allowed.

    Raises:
        CalledProcessError, KeyError: one of them could not be decided, which is never a denial.
    """
    return [_DECISIONS[decision] for decision in _ask(account, questions)]


def caught(
    account: Account, questions: Sequence[Question], mutants: Iterable[Mutant], asked: Callable[[Mutant], list[Must]]
) -> list[bool]:
    """Whether each mutant shows: one of its questions (their numbers, and what must come out) is decided otherwise."""
    wrong = [{"policy": m.policy, "kind": m.kind, "document": m.document, "requests": asked(m)} for m in mutants]
    shown: list[bool] = _ask(account, questions, mutants=wrong)
    return shown


def _ask(account: Account, questions: Sequence[Question], **more: Any) -> Any:
    policies = {name: {"kind": kind, "document": document} for name, (kind, document) in account.policies.items()}
    return json.loads(_run([], json.dumps({"policies": policies, "requests": [*map(vars, questions)], **more})))


def _run(arguments: list[str], text: str) -> str:
    command = ["node", _SCRIPT, *arguments]
    return subprocess.run(command, cwd=ROOT, input=text, stdout=subprocess.PIPE, text=True, check=True).stdout
