"""Reads policies: of repositories, secrets, topics and keys."""

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from settings.environment import Environment
from settings.names import PULL_ACTIONS, RepositoryStatement

Policy = dict[str, Any]
Statement = dict[str, Any]

_COMPARES = re.compile(r"(ForAnyValue:)?(String|Arn)(Equals|Like)", re.IGNORECASE)
"""The operators of conditions that are fulfilled if a value matches."""


def removed_statements(policy: Policy, environment: Environment, team: str) -> list[Statement]:
    """Return the statements of a repository policy that have no counterpart in the policy of the settings.

    Args:
        policy: The policy of a repository that the deployment adopts. It can be our own policy, because a repository
            keeps its policy when it leaves the stack.
        environment: The settings.
        team: The team of the repository.
    """
    ours = {sid.value for sid in RepositoryStatement}
    kept = set(environment.teams[team].pull_accounts)

    def is_kept(statement: Statement) -> bool:
        readers = other_readers(statement, environment)
        return bool(readers) and readers <= kept

    return [each for each in statements_of(policy) if each.get("Sid") not in ours and not is_kept(each)]


def other_readers(statement: Statement, environment: Environment) -> set[str]:
    """Return the other accounts to which a statement allows pulling and nothing else."""
    principal = statement.get("Principal")
    principals = as_list(principal.get("AWS")) if isinstance(principal, dict) and set(principal) == {"AWS"} else []
    accounts = {found[0] for each in principals if (found := re.findall(r"^(?:arn:[a-z-]+:iam::)?([0-9]{12})\b", each))}
    pulls = {action.lower() for action in PULL_ACTIONS}
    only_pulls = all(action.lower() in pulls for action in as_list(statement.get("Action")) or [""])
    allows = statement.get("Effect") == "Allow" and not statement.get("Condition")
    return accounts if allows and only_pulls and environment.account not in accounts else set()


def denies_pushing(policy: Policy) -> bool:
    return any(each.get("Sid") == RepositoryStatement.PUSH for each in statements_of(policy))


def allows(policy: Policy, service: str, action: str, request: Mapping[str, str]) -> bool:
    """Return whether a statement of a resource's policy allows an action to an AWS service.

    Only conditions that compare a key of `request` are evaluated. For other conditions, the answer is yes, so that no
    finding is wrong.

    Args:
        policy: The policy of a topic or key.
        service: The service, such as `events.amazonaws.com`.
        action: The action, such as `sns:Publish`.
        request: The condition keys that the service sends, in lower case, and their values.
    """
    for statement in statements_of(policy):
        principal = statement.get("Principal", {})
        if isinstance(principal, dict):
            services = [*as_list(principal.get("Service")), *as_list(principal.get("AWS"))]
        else:
            services = [principal]
        actions = [pattern.lower() for pattern in as_list(statement.get("Action"))]
        conditions = [
            (key.lower(), [str(value) for value in as_list(values)])
            for operator, keys in statement.get("Condition", {}).items()
            if _COMPARES.match(operator)
            for key, values in keys.items()
        ]
        if (
            statement.get("Effect") == "Allow"
            and not {"*", service}.isdisjoint(services)
            and any(fnmatchcase(action.lower(), pattern) for pattern in actions)
            and all(
                any(fnmatchcase(request[key], value) for value in values)
                for key, values in conditions
                if key in request
            )
        ):
            return True
    return False


def deploy_roles_in(policy: str) -> list[str]:
    """Return the roles of CDK bootstraps that a secret's policy names."""
    return sorted(set(re.findall(r'"(arn:[^"]*-cfn-exec-role-[^"]*)"', policy)))


def statements_of(policy: Policy) -> list[Statement]:
    return as_list(policy.get("Statement"))


def as_list(one_or_more: Any) -> list[Any]:
    """Return a value of a policy as a list. A policy may have one value instead of a list."""
    if one_or_more is None:
        return []
    return one_or_more if isinstance(one_or_more, list) else [one_or_more]
