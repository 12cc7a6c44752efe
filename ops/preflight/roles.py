"""The roles, users and policies in IAM."""

from collections.abc import Iterator
from typing import Any

from ops.clients import Clients
from ops.preflight.findings import Finding, Planned, listed
from ops.preflight.requests import in_parallel, unless_missing
from ops.preflight.stacks import ids_of, resources_of, stack_with


def find_push_role_conflicts(clients: Clients, planned: Planned) -> Iterator[Finding]:
    """Find roles that have the names of our push roles and are not ours, and our push roles with another path."""
    stack, environment = planned.stack("Access"), planned.environment
    ours = ids_of(resources_of(clients, stack))
    other_paths: dict[str, list[str]] = {}

    def look_at(team: str) -> Finding | None:
        name = environment.push_role_name(team)
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
            f"Delete the role, or choose another name for the team {team} in the settings. "
            f'If {environment.name} is deployed in another Region, see "Change region" in docs/changes.md.',
        )

    yield from filter(None, in_parallel(look_at, list(environment.teams)))
    for path, names in other_paths.items():
        yield Finding(
            f"The path of {listed(names)} is {path}, and role_path is {environment.role_path}. CloudFormation would "
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
            found = (unless_missing("NoSuchEntity", clients.iam.get_policy, PolicyArn=arn) or {}).get("Policy")
        elif kind == "user":
            found = (unless_missing("NoSuchEntity", clients.iam.get_user, UserName=name) or {}).get("User")
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


def get_role(clients: Clients, name: str) -> Any:
    return (unless_missing("NoSuchEntity", clients.iam.get_role, RoleName=name) or {}).get("Role")
