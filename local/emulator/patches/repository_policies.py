"""ECR: repository policies.

AWS:
- SetRepositoryPolicy refuses a policy with a Resource element, with an action of another service, or with
  GetAuthorizationToken, which has no repository: InvalidParameterException, "Invalid repository policy provided"
  (reports of users). A policy has at most 10,240 characters (API reference, SetRepositoryPolicy).
- SetRepositoryPolicy refuses a policy that would prevent the caller from setting another policy, unless the request has
  `force` (API reference, SetRepositoryPolicy). The reference does not contain the error message.
- CloudFormation sets and deletes the policy with the role of the stack, and never sends `force` (the resource type's
  public handler). The policy also applies to this role.

MiniStack:
- Accepts every policy.
- Changes a repository of a stack without a check of the stack's role.

The patch:
- Does what AWS does. A policy that locks the caller out is refused with InvalidParameterException.
- Checks for CloudFormation's role only whether the policy denies the action, as stack_role.py does for secrets.
"""

import json
from collections.abc import Iterable
from typing import Any

from ministack.core.responses import error_response_json
from ministack.services import ecr

from local.emulator import authorization
from local.emulator.patches import stack_role

MAXIMUM_LENGTH = 10_240

_set_repository_policy = ecr._set_repository_policy

_INVALID = "Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Invalid repository policy provided'"
_LOCKS_OUT = "The policy would prevent you from setting another policy. Use force to set it."


def set_repository_policy(request: dict[str, Any]) -> Any:
    name, text = request.get("repositoryName", ""), request.get("policyText", "")
    if name in ecr._repositories:
        if not _is_valid(text):
            return error_response_json("InvalidParameterException", _INVALID, 400)
        if not request.get("force") and _locks_out(name, text):
            return error_response_json("InvalidParameterException", _LOCKS_OUT, 400)
    return _set_repository_policy(request)


def _is_valid(text: str) -> bool:
    try:
        policy = json.loads(text)
    except ValueError:
        return False
    statements = _list(policy.get("Statement")) if isinstance(policy, dict) else []
    return bool(statements) and len(text) <= MAXIMUM_LENGTH and all(map(_is_valid_statement, statements))


def _is_valid_statement(statement: Any) -> bool:
    if not isinstance(statement, dict) or {"Resource", "NotResource"} & set(statement):
        return False
    actions = [str(each).lower() for each in _list(statement.get("Action")) + _list(statement.get("NotAction"))]
    return (
        bool({"Principal", "NotPrincipal"} & set(statement))
        and bool(actions)
        and all(action == "*" or action.startswith("ecr:") for action in actions)
        and "ecr:getauthorizationtoken" not in actions
    )


def _list(one_or_more: Any) -> list[Any]:
    if one_or_more is None:
        return []
    return one_or_more if isinstance(one_or_more, list) else [one_or_more]


def _locks_out(name: str, text: str) -> bool:
    """Return whether a policy denies the caller to set another policy."""
    before = ecr._repo_policies.get(name)
    ecr._repo_policies[name] = text
    try:
        principal = authorization.principal_of(stack_role.credential())
        return bool(authorization.decide(principal, "ecr:SetRepositoryPolicy", ecr._repo_arn(name)).decision == "Deny")
    finally:
        ecr._repo_policies.pop(name)
        if before is not None:
            ecr._repo_policies[name] = before


def check(name: str, actions: Iterable[str]) -> None:
    """Check whether the policy of a repository denies actions to the role of the current stack operation.

    Args:
        name: the name of the repository.
        actions: the actions, such as `SetRepositoryPolicy`.

    Raises:
        ValueError: the policy denies an action.
    """
    if not stack_role.has_role():
        return
    principal, arn = authorization.principal_of(stack_role.credential()), ecr._repo_arn(name)
    for action in actions:
        if authorization.decide(principal, f"ecr:{action}", arn).decision == "Deny":
            raise ValueError(
                f"User: {principal.arn} is not authorized to perform: ecr:{action} on resource: {arn} "
                "with an explicit deny in a resource-based policy (Service: Ecr, Status Code: 400)"
            )


def set_policy(name: str, policy: Any) -> None:
    """Set the policy of a repository as CloudFormation does.

    Args:
        name: the name of the repository.
        policy: the property RepositoryPolicyText of a template, which is an object or a string.

    Raises:
        ValueError: ECR refuses the policy.
    """
    text = policy if isinstance(policy, str) else json.dumps(policy, separators=(",", ":"))
    status, _, body = set_repository_policy({"repositoryName": name, "policyText": text})
    if status != 200:
        raise ValueError(f"{json.loads(body)['message']} (Service: Ecr, Status Code: {status})")


def apply() -> None:
    ecr._set_repository_policy = set_repository_policy
