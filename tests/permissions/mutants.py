"""Mutants: copies of the policies with one mistake each."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from tests.permissions.account import NOT_FROM_A_TEMPLATE, OF_OWNER, PASTED, Account, Document
from tests.permissions.environments import FOREIGN_ACCOUNT

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
# Negated condition operators match when the context key is missing, so IfExists has no effect on these operators.
NEGATED = re.compile("Not")


@dataclass(frozen=True, eq=False)
class Mutant:
    policy: str  # the id of the policy with the mistake
    kind: str
    mistake: str
    index: int  # the place of the statement in the policy
    statement: Statement | None  # the statement with the mistake; None if the mistake removes the statement

    @property
    def id(self) -> str:
        return f"{self.policy}: {self.mistake}"


def mutants_of(account: Account, actions: dict[str, list[str]]) -> Iterator[Mutant]:
    """Yield every mutant of every policy that the templates create.

    Args:
        actions: the actions of the services, with the resource types that each action supports.
    """
    for policy, (kind, document) in account.policies.items():
        if policy.startswith(NOT_FROM_A_TEMPLATE):
            continue
        # The matrix has no requests for an action without a resource type on a resource with a policy.
        known = [action for action, types in actions.items() if types or kind == "identity"]
        exempt = [action for statement in document["Statement"] for action in statement.get("NotAction", [])]
        for index, statement in enumerate(document["Statement"]):
            if policy.startswith(OF_OWNER) and statement["Effect"] == "Deny":
                continue  # the matrix of the owner's account has requests for pushing and changing repositories
            # The matrix tests a statement only with actions on the resource types of the statement's actions.
            types = {each for action in listed(statement[_list_of(statement)]) for each in actions.get(action, [])}
            nearby = [a for a in known if statement.get("Resource", "*") == "*" or types.intersection(actions[a])]
            if exempt and statement["Effect"] == "Deny" and "Action" in statement:
                # A statement with NotAction denies all other actions, so the matrix cannot notice that this statement
                # also denies them.
                nearby = [a for a in nearby if a in exempt]
            for mistake, changed in _mistakes(statement, kind, nearby, account.id):
                if policy.startswith(PASTED) and mistake == "open to every principal":
                    # The condition of this statement lists full ARNs of roles in another account. A role of another
                    # account also needs the permission in its own policies, so this mutant allows the same requests.
                    continue
                sid = statement.get("Sid", f"statement {index}")
                yield Mutant(policy, kind, f"{sid}: {mistake}", index, changed)
        for mistake, added in _added(kind, document, account.id):
            yield Mutant(policy, kind, mistake, len(document["Statement"]), added)


def _added(kind: str, document: Document, account: str) -> Iterator[tuple[str, Statement]]:
    """Yield statements that a policy must not have."""
    allow = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    if kind == "identity":
        for name, allowed in MANAGED.items():
            yield f"{name} attached", {**allow, "Action": allowed}
        return
    principals = {
        "a user": {"AWS": f"arn:aws:iam::{account}:user/someone"},
        "another account": {"AWS": f"arn:aws:iam::{FOREIGN_ACCOUNT}:root"},
        "everybody": {"AWS": "*"},
    }
    if kind == "trust":
        allow = {"Effect": "Allow", "Action": "sts:AssumeRole"}
        principals |= {"the account": {"AWS": f"arn:aws:iam::{account}:root"}}
        for provider, action in (
            ("oidc-provider/token.actions.githubusercontent.com", "sts:AssumeRoleWithWebIdentity"),
            ("saml-provider/company", "sts:AssumeRoleWithSAML"),
        ):
            federated = {"Federated": f"arn:aws:iam::{account}:{provider}"}
            yield f"open to {provider}", {"Effect": "Allow", "Action": action, "Principal": federated}
    for service in ("ec2", "events", "lambda"):
        principals[service] = {"Service": f"{service}.amazonaws.com"}
    for name, principal in principals.items():
        if not any(statement.get("Principal") == principal for statement in document["Statement"]):
            yield f"open to {name}", {**allow, "Principal": principal}


def _mistakes(
    statement: Statement, kind: str, known: list[str], account: str
) -> Iterator[tuple[str, Statement | None]]:
    yield "removed", None
    yield "effect reversed", {**statement, "Effect": "Deny" if statement["Effect"] == "Allow" else "Allow"}
    yield from _actions(statement, known)
    if kind == "identity":
        yield from _resources(statement)
    yield from _conditions(statement, account)
    if "Principal" in statement:
        yield from _principals(statement, account)


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
    """Yield patterns that match more than this ARN: a wildcard for each part, before it and after it."""
    if arn == "*":
        return
    yield "a wildcard for every resource", "*"
    if arn.endswith("/*"):
        yield "a slash missing", f"{arn.removesuffix('/*')}*"
    head, region, account, resource = arn.split(":", 5)[:3], *arn.split(":", 5)[3:]
    if region:
        yield "any Region", ":".join([*head, "*", account, resource])
    yield "any account", ":".join([*head, region, "*", resource])
    for what, wider in _wider_names(resource):
        yield what, ":".join([*head, region, account, wider])


def _wider_names(resource: str) -> Iterator[tuple[str, str]]:
    """Yield patterns that match more than this part of an ARN, which starts with the type of the resource."""
    parts = re.split("([:/])", resource)
    for index in range(2, len(parts), 2):
        part = parts[index]
        if not part.endswith("*"):
            for wider in (f"{part}*", f"*{part}", "*", *([re.sub(r"\?+", "*", part)] if "?" in part else [])):
                yield f"{wider} instead of {part}", "".join([*parts[:index], wider, *parts[index + 1 :]])
    if len(parts) > 3 and parts[-1] != "*":
        yield "the last part missing", "".join([*parts[:-1], "*"])


def _conditions(statement: Statement, account: str) -> Iterator[tuple[str, Statement]]:
    conditions: dict[str, dict[str, Any]] = statement.get("Condition", {})
    if conditions:
        yield "without conditions", {key: value for key, value in statement.items() if key != "Condition"}
    for operator, keys in conditions.items():
        for key, value in keys.items():

            def with_condition(
                new_operator: str, new_value: Any, operator: str = operator, key: str = key
            ) -> Statement:
                others = _other_conditions(conditions, operator, key)
                others[new_operator] = {**others.get(new_operator, {}), key: new_value}
                return {**statement, "Condition": others}

            if len(keys) > 1 or len(conditions) > 1:
                without = _other_conditions(conditions, operator, key)
                yield f"without the condition on {key}", {**statement, "Condition": without}
            if not NEGATED.search(operator):
                yield f"{operator}IfExists on {key}", with_condition(f"{operator}IfExists", value)
            # The values of the other keys come from AWS, and no two of them differ only in upper and lower case.
            if operator == "StringEquals" and (key.startswith("aws:ResourceTag/") or key.endswith((":aud", ":sub"))):
                yield f"{key} without regard to case", with_condition("StringEqualsIgnoreCase", value)
            yield from _condition_values(operator, key, value, account, with_condition)


def _other_conditions(conditions: dict[str, dict[str, Any]], operator: str, key: str) -> dict[str, dict[str, Any]]:
    """Return a copy of the conditions without the condition with this operator on this key."""
    others = {
        op: {name: value for name, value in by_key.items() if (op, name) != (operator, key)}
        for op, by_key in conditions.items()
    }
    return {op: by_key for op, by_key in others.items() if by_key}


def _condition_values(
    operator: str, key: str, value: Any, account: str, with_condition: Callable[[str, Any], Statement]
) -> Iterator[tuple[str, Statement]]:
    values = listed(value)
    pattern_operator = operator.replace("Equals", "Like")
    for one in values:
        others = [other for other in values if other != one]
        if others:
            yield f"{key} without {one}", with_condition(operator, others)
        if one in ("true", "false"):
            yield f"{key} with the opposite value", with_condition(operator, "false" if one == "true" else "true")
            continue
        if key.startswith("aws:ResourceTag/"):
            tag = f"${{aws:PrincipalTag/{key.partition('/')[2]}}}"
            yield f"{key} with {tag} instead of {one}", with_condition(operator, [*others, tag])
        if key != "aws:PrincipalArn" or "Like" in operator:
            yield f"{key} with any value", with_condition(pattern_operator, [*others, "*"])
        for what, wider in _wider_values(key, one):
            yield f"{key}: {what} in {one}", with_condition(pattern_operator, [*others, wider])
    if key == "aws:PrincipalArn":
        another = f"arn:aws:iam::{account}:role/another-administrator"
        yield f"{key} also with another administrator", with_condition(operator, [*values, another])
        for one in values if "Like" not in operator else []:
            yield f"{key} {one} misspelled", with_condition(operator, [*(v for v in values if v != one), f"{one}x"])


def _wider_values(key: str, value: str) -> Iterator[tuple[str, str]]:
    """Yield patterns that match more than this value of a condition."""
    if key == "aws:PrincipalArn":
        # The element Principal limits the account. The root user has no name.
        if not value.endswith(":root"):
            head, _, resource = value.rpartition(":")
            yield from ((what, f"{head}:{wider}") for what, wider in _wider_names(resource))
    elif value.startswith("arn:"):
        yield from ((what, wider) for what, wider in _wider_arns(value) if wider != "*")
    elif key == "kms:ViaService":
        service, _, domain = value.split(".", 2)
        yield "any Region", f"{service}.*.{domain}"
    elif key == "aws:PrincipalOrgID":  # the start of an ID is always the same
        yield "a longer value", f"{value}*"
    elif key.endswith(":sub"):
        if not value.endswith("*"):
            yield "a longer value", f"{value}*"
        yield "a value that ends alike", f"*{value}"
        kind, path, *rest = value.split(":")
        yield "any repository", ":".join([kind, "*", *rest])
        yield "any repository of the owner", ":".join([kind, f"{path.partition('/')[0]}/*", *rest])
        yield "any ref", ":".join([kind, path, *rest[:-1], "*"])
        yield "anything of the repository", f"{kind}:{path}:*"
    elif key.endswith(":aud") or key.startswith("aws:ResourceTag/"):
        yield "a longer value", f"{value}*"
        yield "a value that ends alike", f"*{value}"


def _principals(statement: Statement, account: str) -> Iterator[tuple[str, Statement]]:
    principal = statement["Principal"]
    if principal in ("*", {"AWS": "*"}):
        return

    def opened(to: Any) -> Statement:
        return {**statement, "Principal": to}

    if "Federated" in principal:
        provider = principal["Federated"]
        yield "another provider", opened({"Federated": f"{provider}.evil.example"})
        yield "another provider in addition", opened({"Federated": [provider, f"{provider}.evil.example"]})
        yield "the provider of another account", opened({"Federated": provider.replace(account, FOREIGN_ACCOUNT)})
        return
    root = f"arn:aws:iam::{account}:root"
    yield "open to every principal", opened({"AWS": "*"})
    yield "open to another account", opened({"AWS": f"arn:aws:iam::{FOREIGN_ACCOUNT}:root"})
    if "Service" in principal:
        services = listed(principal["Service"])
        for other in ("codebuild.amazonaws.com", "ecs-tasks.amazonaws.com", "events.amazonaws.com"):
            if other not in services:
                yield f"{other} instead", opened({"Service": other})
                yield f"{other} in addition", opened({"Service": [*services, other]})
        yield "open to the account", opened({"AWS": root})
        yield "a user in addition", opened({**principal, "AWS": f"arn:aws:iam::{account}:user/someone"})
        return
    arns = listed(principal["AWS"])
    if arns == [root]:
        return
    yield "open to the whole account", opened({"AWS": root})
    for arn in arns:
        others = [other for other in arns if other != arn]
        if others:
            yield f"without {arn}", opened({"AWS": others})
        yield f"{arn} misspelled", opened({"AWS": [*others, f"{arn}x"]})
        if not arn.endswith(":root"):
            yield f"the whole account of {arn}", opened({"AWS": [*others, f"{arn.rpartition(':')[0]}:root"]})


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
