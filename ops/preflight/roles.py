"""The roles, users and policies in IAM."""

from collections.abc import Iterator, Mapping
from typing import Any

from ops.clients import Clients, answers, unless_missing
from ops.fixes import iam
from ops.preflight.findings import Finding, Planned, listed
from ops.preflight.stacks import ids_of, resources_of, stack_with
from ops.together import in_parallel


def find_push_role_conflicts(clients: Clients, planned: Planned) -> Iterator[Finding]:
    """Find roles that have the names of our push roles and are not ours, and our push roles with another path."""
    environment = planned.environment
    names = {environment.push_role_name(team): f"the team {team}" for team in environment.teams}
    yield from _conflicts(clients, planned, "Access", names)


def find_pull_role_conflicts(clients: Clients, planned: Planned) -> Iterator[Finding]:
    """Find the same for the pull roles with a fixed name, whose docker logins are for other registries."""
    environment = planned.environment
    named = {environment.pull_role_name(each): f"the connection {each}" for each in environment.connections}
    if names := {name: owner for name, owner in named.items() if name}:
        yield from _conflicts(clients, planned, "DockerLogin", names)


def _conflicts(clients: Clients, planned: Planned, stack_id: str, names: Mapping[str, str]) -> Iterator[Finding]:
    """Yield a finding for each role that CloudFormation cannot create, or cannot move to another path.

    Args:
        clients: The clients for the account.
        planned: The deployment that is about to start.
        stack_id: The stack that has the roles.
        names: A dict of role name to the team or connection whose name is a part of it.
    """
    stack, environment = planned.stack(stack_id), planned.environment
    ours = ids_of(resources_of(clients, stack))
    other_paths: dict[str, list[str]] = {}

    def look_at(name: str) -> Finding | None:
        role = get_role(clients, name)
        if not role:
            return None
        if name in ours:
            if role["Path"] != environment.role_path:
                other_paths.setdefault(role["Path"], []).append(name)
            return None
        owner = stack_with(clients, name, "AWS::IAM::Role")
        where = f"belongs to the stack {owner}" if owner else f"is not part of the stack {stack}"
        return Finding(
            f"The role {name} exists, and it {where}. CloudFormation cannot create it.",
            f"Delete the role, or choose another name for {names[name]} in the settings. "
            f'If {environment.name} is deployed in another Region, see "Change region" in docs/changes.md.',
        )

    yield from filter(None, in_parallel(look_at, list(names)))
    for path, moved in other_paths.items():
        yield Finding(
            f"The path of {listed(moved)} is {path}, and role_path is {environment.role_path}. CloudFormation would "
            "answer: cannot update a stack when a custom-named resource requires replacing.",
            'See "Change role_path" in docs/changes.md.',
        )


def find_missing_principals(clients: Clients, planned: Planned) -> Iterator[Finding]:
    """Find roles, users and the boundary policy that the settings name and that do not exist in the account."""
    environment = planned.environment
    # The setting that names an ARN. If several do, it is the last one, and only break_glass_role_arns stops nothing.
    named = dict.fromkeys(environment.break_glass_role_arns, "break_glass_role_arns")
    for name, team in environment.teams.items():
        named |= dict.fromkeys(team.push.role_arns, f"teams.{name}.push.role_arns")
        named |= dict.fromkeys(team.push.user_arns, f"teams.{name}.push.user_arns")
    named |= dict.fromkeys(environment.workers.role_arns, "workers.role_arns")
    if environment.permissions_boundary_arn:
        named[environment.permissions_boundary_arn] = "permissions_boundary_arn"

    def consequence(setting: str) -> str:
        if setting == "break_glass_role_arns":
            return "In an emergency, nobody can use it."
        refusal = "Invalid principal in policy" if ".push." in setting else "NoSuchEntity"
        return f"CloudFormation would answer: {refusal}."

    def look_at(arn: str) -> Finding | None:
        _, _, _, _, account, what = arn.split(":", 5)
        if account != environment.account:
            return None
        kind, name = what.split("/", 1)[0], what.rsplit("/", 1)[-1]
        if kind == "policy":
            found = (unless_missing(clients.iam.get_policy, "NoSuchEntity", PolicyArn=arn) or {}).get("Policy")
        elif kind == "user":
            found = (unless_missing(clients.iam.get_user, "NoSuchEntity", UserName=name) or {}).get("User")
        else:
            found = get_role(clients, name)
        setting = named[arn]
        stops = setting != "break_glass_role_arns"
        if not found:
            problem = f"The {kind} {arn} does not exist. {consequence(setting)}"
            return Finding(problem, f"Create the {kind}, or correct the ARN in {setting}.", stops)
        if found["Arn"] != arn:
            problem = f"The ARN of the {kind} {name} is {found['Arn']}, and the settings have {arn}."
            return Finding(problem, f"Correct the path in {setting}.", stops)
        return None

    yield from filter(None, in_parallel(look_at, list(named)))


def find_full_worker_roles(clients: Clients, planned: Planned) -> Iterator[Finding]:
    """Find worker roles to which the deployment cannot attach its managed policies."""
    environment = planned.environment
    roles = {arn.rpartition("/")[2]: arn for arn in environment.workers.role_arns}
    if not roles:
        return
    ours = ids_of(resources_of(clients, planned.stack("DockerLogin")))
    ours |= ids_of(resources_of(clients, planned.stack("EcsTasks")))
    needed = 2 if environment.ecs else 1

    def attached(name: str) -> list[str] | None:
        pages = clients.iam.get_paginator("list_attached_role_policies").paginate(RoleName=name)
        return unless_missing(
            lambda: [each["PolicyArn"] for page in pages for each in page["AttachedPolicies"]], "NoSuchEntity"
        )

    counts = {
        name: len(set(policies) - ours)
        for name, policies in zip(roles, in_parallel(attached, list(roles)), strict=True)
        if policies is not None
    }
    if max(counts.values(), default=0) + needed <= MANAGED_POLICIES_PER_ROLE:
        return
    with answers():
        # The quota can be raised. The answer contains the quota of the account.
        quotas = clients.iam.get_account_summary()["SummaryMap"]
    quota = quotas.get("AttachedPoliciesPerRoleQuota", MANAGED_POLICIES_PER_ROLE)
    for name, count in counts.items():
        if count + needed > quota:
            policies = "a managed policy" if needed == 1 else f"{needed} managed policies"
            yield Finding(
                f"The role {name} has {count} managed policies of others, and the quota is {quota}. The deployment "
                f"attaches {policies}. CloudFormation would answer: LimitExceeded, Cannot exceed quota for "
                f"PoliciesPerRole: {quota}.",
                "Detach a policy that the role does not need "
                f"({iam(f'list-attached-role-policies --role-name {name}')}),"
                ' or request a higher quota "Managed policies per role" of IAM in Service Quotas.',
            )


MANAGED_POLICIES_PER_ROLE = 10
"""The default quota (IAM User Guide, "IAM and AWS STS quotas")."""


def find_missing_permission_sets(clients: Clients, planned: Planned) -> Iterator[Finding]:
    """Find permission sets of IAM Identity Center that have no role in the account."""
    teams = {name: team.push.permission_sets for name, team in planned.environment.teams.items()}
    if not any(teams.values()):
        return
    pages = clients.iam.get_paginator("list_roles").paginate(PathPrefix="/aws-reserved/sso.amazonaws.com/")
    with answers():
        roles = [role["RoleName"] for page in pages for role in page["Roles"]]
    # IAM Identity Center appends 16 characters to the name of a permission set.
    assigned = {role.removeprefix("AWSReservedSSO_")[: -len("_0123456789abcdef")] for role in roles}
    for team, names in teams.items():
        if missing := [name for name in names if name not in assigned]:
            yield Finding(
                f"The account has no role of the permission set {listed(missing)}. The deployment succeeds, but people "
                f"with the permission set cannot push to the repositories of the team {team}.",
                "Assign the permission set to a group for this account in IAM Identity Center, or correct "
                f"teams.{team}.push.permission_sets.",
                stops=False,
            )


def get_role(clients: Clients, name: str) -> Any:
    return (unless_missing(clients.iam.get_role, "NoSuchEntity", RoleName=name) or {}).get("Role")
