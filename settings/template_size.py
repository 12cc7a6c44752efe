"""A check of the size of the templates, which grow with the repositories, the connections, the teams and the tags.

CloudFormation accepts a template of 1 MB with 500 resources ("AWS CloudFormation quotas"). The check estimates both.
tests/stacks/test_template_size.py compares the estimates with real templates.
"""

from collections.abc import Iterator

from settings.environment import Environment, Lifecycle, Team
from settings.names import pascal_case, repository_name
from settings.policy_lengths import (
    length_of_existing,
    length_of_repository_policy,
    length_of_single,
    length_of_trust_policy,
)
from settings.problem import Problem
from settings.registries import PulledImages

TEMPLATE_QUOTA = 1_000_000  # bytes
RESOURCES_QUOTA = 500

# The bytes of each part of the template, without the names and values of the settings.
_TEMPLATE = 1_150
_REPOSITORY = 480
_LONGEST_READABLE_ID = 240  # The CDK cuts the readable part of a logical id, and adds a hash of 8 characters.
_LIFECYCLE_POLICY = 50  # without its rules
_DELETING_RULE = 255
_PROTECTED_TAG = 215  # without the pattern, which is in the rule twice
_MUTABLE_TAGS = 185
_MUTABLE_TAG = 115
_POLICY_ACKNOWLEDGEMENT = 95
_CREATION = 1_200  # the creation template and its role
_IN_A_STRING = 1.2  # The repository policy of a creation template is a string, so each quote has a backslash.
_PUSH_ROLE = 1_340  # a push role and its output
_PUSH_TO_EXISTING = 480  # a statement, without the ARNs of existing repositories
_DOCKER_LOGIN = 20_000  # the parts that do not depend on the number of connections, teams and repositories
_CONNECTION = 16_900  # with a customer managed key
_PULLED_TEAM = 105  # in the policy of a role that pulls
_PULL_FROM_SINGLE = 300  # the statement about single repositories in a pull role's policy, without their ARNs
_OTHER_REGISTRY = 300  # the host of another registry in two alarms and on the dashboard
_REGISTRY = 400  # the statements about one registry in the workers' policy, without teams and repositories
_GRAPH = 220
_LINE_OF_GRAPH = 115  # without the repository's name, which is the label too
_RULE = 1_450  # a rule for findings of image scans, without the list of the repositories
_RESOURCES_OF_RULE = 1_790  # the room for the list of the repositories, with spaces
_PREFIX = 17  # the entry in this list for all repositories of a team, without the ARN
_RESOURCES_OF_DOCKER_LOGIN = 15
_RESOURCES_OF_CONNECTION = 13
_ECS_TASKS = 4_000
_ECS_TASK = 4_500


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

    resources = docker_login_resources(environment)
    if resources > RESOURCES_QUOTA:
        what = f"the template of {environment.name}-DockerLogin has about {resources} resources"
        fix = "remove connections or existing_repositories, or split the file into two"
        yield Problem("connections", f"{what}, and CloudFormation accepts {RESOURCES_QUOTA}; {fix}")


def tags_bytes(environment: Environment) -> int:
    """Return the bytes of the tags of one resource."""
    if not environment.tags:
        return 0
    return 40 + sum(len(f'{{"Key":"{key}","Value":"{value}"}},'.encode()) for key, value in environment.tags.items())


def docker_login_template_bytes(environment: Environment) -> int:
    """Return an estimate of the template's size in bytes. It is at least the real size.

    It is at most 15 % more than the real size if the template is larger than half of what CloudFormation accepts.
    """
    every_connection = (
        _CONNECTION
        + 16 * len(environment.name)
        + 9 * len(environment.connections_prefix)
        + 16 * sum(map(len, environment.break_glass_role_arns))
        + 3 * sum(map(len, environment.workers.role_arns))
        + 3 * len(environment.alerts.runbook)
        + 5 * len(environment.role_path)
        + 3 * len(environment.permissions_boundary_arn or "")
        + 7 * tags_bytes(environment)
    )
    size = _DOCKER_LOGIN + 20 * tags_bytes(environment) + _bytes_of_rules(environment) + _bytes_of_graphs(environment)
    for name in environment.connections:
        images = environment.pulled_images(name)
        size += every_connection + 96 * len(name) + _bytes_of_teams(images) + 2 * length_of_single(images)
        size += _OTHER_REGISTRY + len(name) if environment.connections[name].registry else 0
        size += len(environment.pull_role_name(name) or "") + (_PULL_FROM_SINGLE if images.repositories else 0)
    return size + sum(
        _REGISTRY + _bytes_of_teams(images) + length_of_single(images) for images in environment.pulled_directly()
    )


def _bytes_of_teams(images: PulledImages) -> int:
    return sum(_PULLED_TEAM + 5 * len(team) for team in images.teams)


def _bytes_of_rules(environment: Environment) -> int:
    rule = _RULE + 3 * len(environment.name) + len(environment.alerts.runbook) + len(environment.alerts.topic_arn or "")
    return sum(_resources_in_rules(environment)) + _rules(environment) * (rule + tags_bytes(environment))


def _rules(environment: Environment) -> int:
    """Return the number of rules for findings of image scans."""
    if not environment.reported_severities:
        return 0
    lengths = _resources_in_rules(environment)
    # Each rule except the last one has less room left than the longest entry needs.
    return 1 + sum(lengths) // (_RESOURCES_OF_RULE - max(lengths))


def _resources_in_rules(environment: Environment) -> list[int]:
    """Return the length of each entry of the lists of repositories in the rules for findings of image scans."""
    arn = len(environment.registry.repository_arn(""))
    existing = environment.existing_repositories(environment.teams)
    return [*(arn + len(team) + _PREFIX for team in environment.teams), *(arn + len(name) + 4 for name in existing)]


def _bytes_of_graphs(environment: Environment) -> int:
    """Return the size of the dashboard's graphs of pulls, which have a line for each repository."""
    size = 0
    for name, team in environment.teams.items():
        names = [*(repository_name(name, repository) for repository in team.repositories), *team.existing_repositories]
        size += _GRAPH + len(name) + sum(_LINE_OF_GRAPH + 2 * len(each) for each in names)
    return size


def docker_login_resources(environment: Environment) -> int:
    """Return an estimate of the number of resources in the template. It is at least the real number."""
    connections = _RESOURCES_OF_CONNECTION * len(environment.connections)
    return _RESOURCES_OF_DOCKER_LOGIN + connections + len(environment.alerts.emails) + _rules(environment)


def access_template_bytes(environment: Environment) -> int:
    """Return an estimate of the template's size in bytes. It is at least the real size."""
    every_role = (
        _PUSH_ROLE
        + 2 * len(environment.name)
        + len(environment.role_path)
        + len(environment.permissions_boundary_arn or "")
        + tags_bytes(environment)
    )
    size = _TEMPLATE
    for name, team in environment.teams.items():
        size += every_role + 10 * len(name) + length_of_trust_policy(team.push)
        if team.existing_repositories:
            size += _PUSH_TO_EXISTING + length_of_existing(environment, [name])
    return size


def ecs_tasks_template_bytes(environment: Environment) -> int:
    """Return an estimate of the template's size in bytes. It is at least the real size.

    The estimate is coarse. The length of the workers' policy limits the number of tasks to about a dozen, so only tags
    can make the template larger than CloudFormation accepts.
    """
    tasks = environment.ecs.tasks if environment.ecs else {}
    every_task = _ECS_TASK + 10 * len(environment.role_path) + 2 * len(environment.permissions_boundary_arn or "")
    every_task += 10 * len(environment.name) + 4 * tags_bytes(environment)
    return _ECS_TASKS + 2 * tags_bytes(environment) + sum(every_task + 20 * len(name) for name in tasks)


def registry_template_bytes(environment: Environment) -> int:
    """Return an estimate of the template's size in bytes. It is at least the real size, and at most 10 % more."""
    return _TEMPLATE + sum(_bytes_of_team(environment, *team) for team in environment.teams.items())


def _bytes_of_team(environment: Environment, name: str, team: Team) -> int:
    policy = length_of_repository_policy(environment, name, team)
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
    policy = round(_IN_A_STRING * length_of_repository_policy(environment, name, team))
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
