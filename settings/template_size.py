"""A check of the size of the Registry template, which grows with the repositories.

CloudFormation accepts a template of 1 MB ("AWS CloudFormation quotas"). The other templates are smaller at the limits
in `settings.consistency`. The check estimates the size from the settings. tests/stacks/test_template_size.py compares
the estimate with real templates.
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
_DENY = 130  # a Deny statement without its actions
_PUSH_ACTIONS = 125
_CHANGE_ACTIONS = 255
_PULL = 170
_PULL_ORGANIZATION = 125
_ARN = 3  # the quotes and the comma
_CREATION = 1_200  # the creation template and its role
_IN_A_STRING = 1.2  # The repository policy of a creation template is a string, so each quote has a backslash.
_QUALIFIER = "q" * 10  # the longest qualifier of a bootstrap


def problems(environment: Environment) -> Iterator[Problem]:
    """Return a problem if the Registry template would be larger than CloudFormation accepts."""
    size = registry_template_bytes(environment)
    if size > TEMPLATE_QUOTA:
        count = sum(len(team.repositories) for team in environment.teams.values())
        yield Problem(
            "teams",
            f"the {count} repositories need a template of about {size:,} bytes, and CloudFormation accepts "
            f"{TEMPLATE_QUOTA:,}; keep at most about {count * TEMPLATE_QUOTA // size} repositories, or split the file "
            "into two environments",
        )


def registry_template_bytes(environment: Environment) -> int:
    """Return an estimate of the template's size in bytes. It is at least the real size, and at most 10 % more."""
    return _TEMPLATE + sum(_bytes_of_team(environment, *team) for team in environment.teams.items())


def _bytes_of_team(environment: Environment, name: str, team: Team) -> int:
    each = _REPOSITORY + 2 * len(name) + len(environment.name) + repository_policy_bytes(environment, name, team)
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
