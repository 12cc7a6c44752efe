"""Compare the policies of roles that AWS has now with the policies in the deployed templates.

CloudFormation has no drift detection for inline policies of roles, and it does not see a policy that was added by hand.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from ops.clients import unless_missing
from ops.doctor.findings import FILES, Examine, Found, Problem, count, each
from ops.doctor.policy_documents import compare
from ops.doctor.templates import Declared, Examined
from ops.fixes import iam
from ops.results import State
from settings.names import PULL_ACTIONS
from settings.regions import PARTITIONS

WORKER_ACTIONS = ("secretsmanager:GetSecretValue", "kms:Decrypt", *PULL_ACTIONS)
"""What a worker needs to read a docker login, and to pull images without a docker login."""


def check_trusts(examined: Examined) -> Found:
    """Compare the trust policies of the roles in the templates."""
    client, roles = examined.clients.iam, examined.declared("AWS::IAM::Role")

    def look_at(role: Declared) -> Iterator[Problem]:
        name = role.physical_id
        found = unless_missing(client.get_role, "NoSuchEntity", RoleName=name)
        if not found:
            yield Problem(
                f"The role {name} does not exist.",
                f"Deploy the stack again with another role_path, or see docs/locked-out.md for {role.logical_id}",
                State.BROKEN if name in _refresh_roles(examined) else State.DEGRADED,
            )
            return
        yield from policy_differences(
            examined,
            f"The trust policy of the role {name}",
            role.properties["AssumeRolePolicyDocument"],
            found["Role"]["AssumeRolePolicyDocument"],
            f"{role.logical_id}-trust.json",
            lambda file: iam(f"update-assume-role-policy --role-name {name} --policy-document {file}"),
        )

    return Found(f"{count(len(roles), 'trust policy', 'trust policies')} as deployed", each(look_at, roles))


def check_role_policies(examined: Examined) -> Found:
    """Compare the inline policies, the attached policies and the permissions boundary of the roles in the templates."""
    roles = examined.declared("AWS::IAM::Role")
    separate = examined.declared("AWS::IAM::Policy")
    managed = examined.declared("AWS::IAM::ManagedPolicy")

    def look_at(role: Declared) -> Iterator[Problem]:
        name = role.physical_id
        inline = {each["PolicyName"]: each["PolicyDocument"] for each in role.properties.get("Policies", [])}
        inline |= {
            policy.properties["PolicyName"]: policy.properties["PolicyDocument"]
            for policy in separate
            if name in policy.properties.get("Roles", [])
        }
        attached = {*role.properties.get("ManagedPolicyArns", [])}
        attached |= {policy.physical_id for policy in managed if name in policy.properties.get("Roles", [])}
        yield from _inline_policies(examined, role, inline)
        yield from _attached_policies(examined, name, attached)
        yield from _boundary(examined, name, role.properties.get("PermissionsBoundary"))

    problems = each(look_at, roles)
    return Found(f"the permissions of {count(len(roles), 'role')} as deployed", problems)


def _inline_policies(examined: Examined, declared_role: Declared, declared: Mapping[str, Any]) -> Iterator[Problem]:
    client, role = examined.clients.iam, declared_role.physical_id
    pages = client.get_paginator("list_role_policies").paginate(RoleName=role)
    names = unless_missing(lambda: [name for page in pages for name in page["PolicyNames"]], "NoSuchEntity")
    if names is None:  # check_trusts reports a missing role
        return
    refreshes = role in _refresh_roles(examined)
    for name, document in declared.items():
        actual = None
        if name in names:
            actual = client.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        yield from policy_differences(
            examined,
            f"The inline policy {name} of the role {role}",
            document,
            actual,
            f"{declared_role.logical_id}-{name}.json",
            lambda file, name=name: (  # type: ignore[misc]
                iam(f"put-role-policy --role-name {role} --policy-name {name} --policy-document {file}")
            ),
            # An existing docker login needs only these permissions of the pull role.
            needed_to_pull=PULL_ACTIONS if refreshes else (),
        )
    for name in names:
        if name not in declared:
            yield Problem(
                f"The role {role} has the inline policy {name}, which is not in the template.",
                iam(f"delete-role-policy --role-name {role} --policy-name {name}"),
            )


def _attached_policies(examined: Examined, role: str, declared: set[str]) -> Iterator[Problem]:
    pages = examined.clients.iam.get_paginator("list_attached_role_policies").paginate(RoleName=role)
    found = unless_missing(
        lambda: {each["PolicyArn"] for page in pages for each in page["AttachedPolicies"]}, "NoSuchEntity"
    )
    if found is None:
        return
    for arn in sorted(declared - found):
        yield Problem(
            f"The policy {arn} is not attached to the role {role}.",
            iam(f"attach-role-policy --role-name {role} --policy-arn {arn}"),
            State.BROKEN if role in _refresh_roles(examined) else State.DEGRADED,
        )
    for arn in sorted(found - declared):
        yield Problem(
            f"The role {role} has the policy {arn}, which is not in the template.",
            iam(f"detach-role-policy --role-name {role} --policy-arn {arn}"),
        )


def _boundary(examined: Examined, role: str, declared: str | None) -> Iterator[Problem]:
    found = unless_missing(examined.clients.iam.get_role, "NoSuchEntity", RoleName=role)
    if not found:
        return
    actual = found["Role"].get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")
    if actual != declared:
        command = iam(f"put-role-permissions-boundary --role-name {role} --permissions-boundary {declared}")
        yield Problem(
            f"The permissions boundary of the role {role} is {actual or 'missing'}, not {declared or 'empty'}.",
            command if declared else iam(f"delete-role-permissions-boundary --role-name {role}"),
        )


def check_managed_policies(examined: Examined) -> Found:
    """Compare the default version of the managed policies in the templates."""
    client, policies = examined.clients.iam, examined.declared("AWS::IAM::ManagedPolicy")

    def look_at(policy: Declared) -> Iterator[Problem]:
        arn = policy.physical_id
        found = unless_missing(client.get_policy, "NoSuchEntity", PolicyArn=arn)
        actual = None
        if found:
            version = found["Policy"]["DefaultVersionId"]
            actual = client.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
        yield from policy_differences(
            examined,
            f"The managed policy {arn}",
            policy.properties["PolicyDocument"],
            actual,
            f"{policy.logical_id}.json",
            lambda file: iam(f"create-policy-version --set-as-default --policy-arn {arn} --policy-document {file}"),
            needed_to_pull=WORKER_ACTIONS,
        )

    return Found(f"{count(len(policies), 'managed policy', 'managed policies')} as deployed", each(look_at, policies))


CHECKS: dict[str, Examine] = {
    "role_trusts": check_trusts,
    "role_policies": check_role_policies,
    "managed_policies": check_managed_policies,
}


def policy_differences(
    examined: Examined,
    label: str,
    declared: Any,
    actual: Any,
    file: str,
    command: Callable[[str], str],
    *,
    content: Any = None,
    needed_to_pull: Collection[str] = (),
) -> Iterator[Problem]:
    """Yield a problem if a policy differs from the template.

    Args:
        examined: The environment.
        label: The policy, as the start of a sentence.
        declared: The policy in the template.
        actual: The policy that AWS has, or None.
        file: The name of the file with the policy in the template.
        command: Returns the command that sets the policy from a file.
        content: The content of the file, if it is not the policy.
        needed_to_pull: The actions without which Airflow cannot pull images now.
    """
    environment = examined.environment
    root = f"arn:{PARTITIONS[environment.region].name}:iam::{environment.account}:root"
    difference = compare(declared, actual, root)
    if difference:
        yield Problem(
            f"{label} differs from the template: {difference}." if actual else f"{label} does not exist.",
            command(f"file://{FILES}/{file}"),
            State.BROKEN if difference.refuses_one_of(needed_to_pull) else State.DEGRADED,
            {file: content or declared},
        )


def _refresh_roles(examined: Examined) -> set[str]:
    """Return the names of the pull roles. A docker login has the permissions of its pull role."""
    return {each.pull_role_arn.rpartition("/")[2] for each in examined.deployment.connections.values()}
