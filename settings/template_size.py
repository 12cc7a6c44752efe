"""A check of the size of the templates, which grow with the repositories, the connections, the teams and the tags.

CloudFormation accepts a template of 1 MB ("AWS CloudFormation quotas"). The check estimates the sizes from the
settings. tests/stacks/test_template_size.py compares the estimates with real templates.
"""

from collections.abc import Iterable, Iterator

from settings.environment import Environment, Lifecycle, Team
from settings.names import pascal_case, repository_name
from settings.problem import Problem
from settings.regions import PARTITIONS

TEMPLATE_QUOTA = 1_000_000  # bytes

# The bytes of each part of the template, without the names and values of the settings.
_TEMPLATE = 1_150
_REPOSITORY = 480
_LONGEST_READABLE_ID = 240  # The CDK cuts the readable part of a logical id, and adds a hash of 8 characters.
_LIFECYCLE_POLICY = 50  # without its rules
_DELETING_RULE = 255
_PROTECTED_TAG = 215  # without the pattern, which is in the rule twice
_MUTABLE_TAGS = 185
_MUTABLE_TAG = 115
_POLICY = 70
_POLICY_ACKNOWLEDGEMENT = 95
_DENY = 130  # a Deny statement without its actions
_PUSH_ACTIONS = 125
_CHANGE_ACTIONS = 255
_PULL = 170
_PULL_ORGANIZATION = 125
_ARN = 3  # the quotes and the comma
_INDENTATION = 45  # The templates of the stacks Access and EcsTasks are indented.
_CREATION = 1_200  # the creation template and its role
_IN_A_STRING = 1.2  # The repository policy of a creation template is a string, so each quote has a backslash.
_QUALIFIER = "q" * 10  # the longest qualifier of a bootstrap


def problems(environment: Environment) -> Iterator[Problem]:
    """Return a problem for each template that would be larger than CloudFormation accepts."""
    size = registry_template_bytes(environment)
    if size > TEMPLATE_QUOTA:
        count = sum(len(team.repositories) for team in environment.teams.values())
        yield Problem(
            "teams",
            f"the {count} repositories need a template of about {size:,} bytes, and CloudFormation accepts "
            f"{TEMPLATE_QUOTA:,}; keep at most about {count * TEMPLATE_QUOTA // size} repositories, or split the file "
            "into two environments",
        )

    others = {
        "DockerLogin": docker_login_template_bytes(environment),
        "Access": access_template_bytes(environment),
        "EcsTasks": ecs_tasks_template_bytes(environment),
    }
    for stack, size in others.items():
        if size > TEMPLATE_QUOTA:
            what = f"the template of {environment.name}-{stack} has about {size:,} bytes"
            fix = "remove or shorten tags" if environment.tags else "shorten names, or split the file into two"
            key = "tags" if environment.tags else "connections"
            yield Problem(key, f"{what}, and CloudFormation accepts {TEMPLATE_QUOTA:,}; {fix}")


def tags_bytes(environment: Environment, indentation: int = 0) -> int:
    """Return the bytes of the tags of one resource.

    Args:
        environment: The settings.
        indentation: The bytes of line breaks and spaces that the template has for each tag.
    """
    if not environment.tags:
        return 0
    each = (len(f'{{"Key":"{key}","Value":"{value}"}},'.encode()) for key, value in environment.tags.items())
    return sum(each) + indentation * len(environment.tags) + 40


def docker_login_template_bytes(environment: Environment) -> int:
    """Return an estimate of the template's size in bytes. It is at least the real size, and at most 15 % more."""
    each = (
        17_100
        + 16 * len(environment.name)
        + 9 * len(environment.connections_prefix)
        + 16 * sum(map(len, environment.break_glass_role_arns))
        + 3 * sum(map(len, environment.workers.role_arns))
        + 3 * len(environment.alerts.runbook)
        + 5 * len(environment.role_path)
        + 7 * tags_bytes(environment)
    )
    # The rules for findings of scans contain the names of all teams.
    size = 25_000 + 50 * tags_bytes(environment) + sum(360 + 3 * len(team) for team in environment.teams)
    for name, connection in environment.connections.items():
        size += each + 96 * len(name) + sum(130 + 5 * len(team) for team in connection.teams)
    return size


def access_template_bytes(environment: Environment) -> int:
    """Return an estimate of the template's size in bytes. It is at least the real size."""
    size = 2_000
    for team, settings in environment.teams.items():
        principals = (*settings.push.permission_sets, *settings.push.role_arns, *settings.push.user_arns)
        size += (
            1_550 + 12 * len(team) + tags_bytes(environment, _INDENTATION) + sum(200 + len(each) for each in principals)
        )
    return size


def ecs_tasks_template_bytes(environment: Environment) -> int:
    """Return an estimate of the template's size in bytes. It is at least the real size."""
    tasks = environment.ecs.tasks if environment.ecs else {}
    return 12_000 + sum(9_000 + 20 * len(name) + 4 * tags_bytes(environment, _INDENTATION) for name in tasks)


def registry_template_bytes(environment: Environment) -> int:
    """Return an estimate of the template's size in bytes. It is at least the real size, and at most 10 % more."""
    return _TEMPLATE + sum(_bytes_of_team(environment, *team) for team in environment.teams.items())


def _bytes_of_team(environment: Environment, name: str, team: Team) -> int:
    policy = repository_policy_bytes(environment, name, team)
    each = _REPOSITORY + 2 * len(name) + len(environment.name) + policy + tags_bytes(environment)
    if policy:
        each += _POLICY_ACKNOWLEDGEMENT
    if patterns := team.repository_defaults.mutable_tags:
        each += _MUTABLE_TAGS + sum(len(pattern) + _MUTABLE_TAG for pattern in patterns)
    total = 0
    for repository in team.repositories:
        readable = pascal_case(name) + pascal_case(repository)
        # The construct's path and the logical id contain the readable name.
        names = len(readable) + min(len(readable), _LONGEST_READABLE_ID) + len(repository_name(name, repository))
        total += each + names + _lifecycle_policy_bytes(team.lifecycle_of(repository))
    return total + (_bytes_of_creation(environment, name, team) if team.create_on_push else 0)


def _bytes_of_creation(environment: Environment, name: str, team: Team) -> int:
    """Return an estimate of the size of the creation template and of its role."""
    policy = round(_IN_A_STRING * repository_policy_bytes(environment, name, team))
    tags = sum(len(pattern) + _MUTABLE_TAG for pattern in team.repository_defaults.mutable_tags)
    of_role = len(environment.role_path) + len(environment.permissions_boundary_arn or "")
    names = 10 * len(name) + 2 * len(environment.name)
    of_role += 2 * tags_bytes(environment)
    return _CREATION + names + policy + tags + of_role + _lifecycle_policy_bytes(team.default_lifecycle)


def _lifecycle_policy_bytes(lifecycle: Lifecycle) -> int:
    if not lifecycle.deletes:
        return 0
    deleting = sum(
        _DELETING_RULE for setting in (lifecycle.keep_images, lifecycle.expire_untagged_after_days) if setting
    )
    return _LIFECYCLE_POLICY + deleting + sum(2 * len(tag) + _PROTECTED_TAG for tag in lifecycle.protected_tags)


def repository_policy_bytes(environment: Environment, name: str, team: Team) -> int:
    """Return an estimate of the size of a repository policy, which is the same for all repositories of a team."""
    partition, account = PARTITIONS[environment.region].name, environment.account
    root = f"arn:{partition}:iam::{account}:root"
    deploy_role = f"arn:{partition}:iam::{account}:role/cdk-{_QUALIFIER}-cfn-exec-role-{account}-{environment.region}"
    size = 0
    if not team.others_may_push_because:
        size += _DENY + _PUSH_ACTIONS + _length([environment.push_role_arn(name), deploy_role, root])
        if environment.break_glass_role_arns:
            size += _DENY + _CHANGE_ACTIONS + _length([deploy_role, root, *environment.break_glass_role_arns])
    if team.pull_accounts:
        size += _PULL + len(team.pull_accounts) * (len(root) + _ARN)
    if team.pull_organization:
        size += _PULL + _PULL_ORGANIZATION + len(team.pull_organization)
    return size + _POLICY if size else 0


def _length(arns: Iterable[str]) -> int:
    return sum(len(arn) + _ARN for arn in arns)
