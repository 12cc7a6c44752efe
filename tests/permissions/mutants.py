"""Mutants: copies of the policies with one mistake each."""

import copy
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from tests.permissions.account import ACCOUNT, FOREIGN_ACCOUNT, NOT_FROM_A_TEMPLATE, Account, Document

Statement = dict[str, Any]

# AWS managed policies. Each value is the Action of one typical statement of the policy.
MANAGED = {
    "AdministratorAccess": "*",
    "AmazonEC2ContainerRegistryFullAccess": "ecr:*",
    "AmazonEC2ContainerRegistryReadOnly": ["ecr:BatchGetImage", "ecr:DescribeImages", "ecr:GetDownloadUrlForLayer"],
    "SecretsManagerReadWrite": "secretsmanager:*",
    "AWSLambda_FullAccess": "lambda:*",
    "AWSKeyManagementServicePowerUser": ["kms:CreateGrant", "kms:ListKeys"],
    "AWSLambdaBasicExecutionRole": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
    "IAMFullAccess": "iam:*",
}
ANOTHER_ADMINISTRATOR = f"arn:aws:iam::{ACCOUNT}:role/another-administrator"
# Negated condition operators match when the context key is missing, so IfExists has no effect on these operators.
NEGATED = re.compile("Not")


@dataclass(frozen=True, eq=False)
class Mutant:
    policy: str  # the id of the policy with the mistake
    kind: str
    mistake: str
    document: Document
    before: Statement | None  # the correct statement; None if the mistake adds a statement
    after: Statement | None  # the statement with the mistake; None if the mistake removes the statement

    @property
    def id(self) -> str:
        return f"{self.policy}: {self.mistake}"


def mutants_of(account: Account, actions: dict[str, list[str]]) -> Iterator[Mutant]:
    """Yield every mutant of every policy that the templates create.

    Args:
        actions: the actions of the services, with the resource types that each action supports.
    """
    for policy, (kind, document) in account.policies.items():
        if policy in NOT_FROM_A_TEMPLATE:
            continue
        # The matrix has no requests for an action without a resource type on a resource with a policy.
        known = [action for action, types in actions.items() if types or kind == "identity"]
        exempt = [action for statement in document["Statement"] for action in statement.get("NotAction", [])]
        for index, statement in enumerate(document["Statement"]):
            # The matrix tests a statement only with actions on the resource types of the statement's actions.
            types = {each for action in listed(statement[_list_of(statement)]) for each in actions.get(action, [])}
            nearby = [a for a in known if statement.get("Resource", "*") == "*" or types.intersection(actions[a])]
            if exempt and statement["Effect"] == "Deny" and "Action" in statement:
                # A statement with NotAction denies all other actions, so the matrix cannot notice that this statement
                # also denies them.
                nearby = [a for a in nearby if a in exempt]
            for mistake, changed in _mistakes(statement, kind, nearby):
                after = copy.deepcopy(document)
                after["Statement"][index : index + 1] = [changed] if changed else []
                sid = statement.get("Sid", f"statement {index}")
                yield Mutant(policy, kind, f"{sid}: {mistake}", after, statement, changed)
        if kind == "identity":
            for name, allowed in MANAGED.items():
                added = {"Effect": "Allow", "Action": allowed, "Resource": "*"}
                after = {**document, "Statement": [*document["Statement"], added]}
                yield Mutant(policy, kind, f"{name} attached", after, None, added)


def _mistakes(statement: Statement, kind: str, known: list[str]) -> Iterator[tuple[str, Statement | None]]:
    yield "removed", None
    yield "effect reversed", {**statement, "Effect": "Deny" if statement["Effect"] == "Allow" else "Allow"}
    yield from _actions(statement, known)
    if kind == "identity":
        yield from _resources(statement)
    yield from _conditions(statement)
    if "Principal" in statement:
        yield from _principals(statement)


def _actions(statement: Statement, known: list[str]) -> Iterator[tuple[str, Statement]]:
    key = _list_of(statement)
    actions = listed(statement[key])
    for action in actions:
        others = [other for other in actions if other != action]
        if others:
            yield f"without {action}", {**statement, key: others}
        if "*" in action:
            continue
        service, _, name = action.partition(":")
        first_word = re.match("[A-Z][a-z]+", name)
        for wider in (f"{service}:{first_word[0] if first_word else ''}*", f"{service}:*", "*"):
            # The matrix cannot notice a wildcard that matches no additional action.
            if any(fnmatchcase(other, wider) for other in known if other not in actions):
                yield (
                    f"{wider} instead of {action}",
                    {**statement, key: [*others, wider]},
                )


def _list_of(statement: Statement) -> str:
    """Return the name of the element that lists the statement's actions."""
    return "NotAction" if "NotAction" in statement else "Action"


def _resources(statement: Statement) -> Iterator[tuple[str, Statement]]:
    resources = listed(statement["Resource"])
    for resource in resources:
        others = [other for other in resources if other != resource]
        if others:
            yield f"without {resource}", {**statement, "Resource": others}
        for what, wider in _wider_arns(resource):
            yield f"{what} in {resource}", {**statement, "Resource": [*others, wider]}


def _wider_arns(arn: str) -> Iterator[tuple[str, str]]:
    if arn == "*":
        return
    yield "a wildcard for every resource", "*"
    head, _, _ = arn.rpartition(":" if "/" not in arn else "/")
    yield "the last part missing", f"{head}*"
    if arn.endswith("/*"):
        yield "a slash missing", f"{arn.removesuffix('/*')}*"
    parts = arn.split(":")
    if parts[3] and parts[2] == "ecr":
        yield "any Region", ":".join([*parts[:3], "*", *parts[4:]])


def _conditions(statement: Statement) -> Iterator[tuple[str, Statement]]:
    conditions: dict[str, dict[str, Any]] = statement.get("Condition", {})
    if conditions:
        yield "without conditions", {key: value for key, value in statement.items() if key != "Condition"}
    for operator, keys in conditions.items():
        for key, value in keys.items():

            def with_condition(
                new_operator: str, new_value: Any, operator: str = operator, key: str = key
            ) -> Statement:
                changed = copy.deepcopy(statement)
                del changed["Condition"][operator][key]
                changed["Condition"].setdefault(new_operator, {})[key] = new_value
                changed["Condition"] = {op: by_key for op, by_key in changed["Condition"].items() if by_key}
                return changed

            if len(keys) > 1 or len(conditions) > 1:
                without = copy.deepcopy(statement)
                del without["Condition"][operator][key]
                without["Condition"] = {op: by_key for op, by_key in without["Condition"].items() if by_key}
                yield f"without the condition on {key}", without
            if not NEGATED.search(operator):
                yield f"{operator}IfExists on {key}", with_condition(f"{operator}IfExists", value)
            yield from _condition_values(operator, key, value, with_condition)


def _condition_values(
    operator: str, key: str, value: Any, with_condition: Callable[[str, Any], Statement]
) -> Iterator[tuple[str, Statement]]:
    values = listed(value)
    for one in values:
        others = [other for other in values if other != one]
        if others:
            yield f"{key} without {one}", with_condition(operator, others)
        if one in ("true", "false"):
            yield f"{key} with the opposite value", with_condition(operator, "false" if one == "true" else "true")
        elif "Like" in operator:
            yield f"{key} with any value", with_condition(operator, [*others, "*"])
            if "?" in one:
                yield f"{key} with * instead of ?", with_condition(operator, [*others, re.sub(r"\?+", "*", one)])
        elif "Equals" in operator and not key.lower().startswith("aws:principalarn"):
            yield f"{key} with any value", with_condition(operator.replace("Equals", "Like"), [*others, "*"])
    if key == "aws:PrincipalArn":
        yield f"{key} also with another administrator", with_condition(operator, [*values, ANOTHER_ADMINISTRATOR])
        for one in values if "Like" not in operator else []:
            yield f"{key} {one} misspelled", with_condition(operator, [*(v for v in values if v != one), f"{one}x"])


def _principals(statement: Statement) -> Iterator[tuple[str, Statement]]:
    principal = statement["Principal"]
    if principal not in ("*", {"AWS": "*"}):
        yield "open to every principal", {**statement, "Principal": {"AWS": "*"}}
        yield "open to another account", {**statement, "Principal": {"AWS": f"arn:aws:iam::{FOREIGN_ACCOUNT}:root"}}
        if "Service" in principal:
            yield "another service", {**statement, "Principal": {"Service": "events.amazonaws.com"}}
            yield "open to the account", {**statement, "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}
        elif not principal["AWS"].endswith(":root"):
            yield "open to the whole account", {**statement, "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
