"""Checks of the lengths of policies that grow with the settings.

IAM counts the characters of a policy without white space (IAM User Guide, "IAM and AWS STS quotas"). The checks
estimate the length of the part that grows. They compare this length with the length that the fixed statements leave.
tests/permissions/test_quotas.py compares whole policies with IAM's quotas, at the largest settings that are accepted.
"""

from collections.abc import Iterable, Iterator

from settings.environment import Environment, Push, Team
from settings.problem import Problem
from settings.regions import PARTITIONS
from settings.registries import PulledImages

# The quotas are in characters.
INLINE_POLICIES_QUOTA = 10_240  # for all inline policies of a role together
MANAGED_POLICY_QUOTA = 6_144
TRUST_POLICY_QUOTA = 2_048
REPOSITORY_POLICY_QUOTA = 10_240  # API reference of ECR, SetRepositoryPolicy

# The part of each quota that may grow with the settings.
ROOM_FOR_TEAMS = 8_000  # of INLINE_POLICIES_QUOTA, in a pull role; also for existing repositories in a push role
ROOM_FOR_WORKERS = 5_000  # of MANAGED_POLICY_QUOTA, in each policy of the workers
ROOM_FOR_STATEMENTS = 2_000  # of TRUST_POLICY_QUOTA, in a push role

# The number of characters that an entry of a policy has besides the name: the rest of the ARN, quotes and commas.
_ENTRY = 3  # the quotes and the comma of a string in a list
_PERMISSION_SET = 101  # the ARN pattern of the role that IAM Identity Center creates
# The number of characters of a statement in a trust policy, without its principals.
_STATEMENT = 105
_MFA_CONDITION = 60
_PERMISSION_SETS_CONDITION = 90
_WORKFLOWS_CONDITION = 120  # without the URL of the OIDC provider, which is in the statement three times
_TEAM = 75  # the name is in the ARN of the team's repositories and in the value of the tag
_SECRET = 70
_STATEMENTS_OF_REGISTRY = 370  # the statements that pull from another registry, without ARNs and tags
# The ARNs of two roles, of the family with and without a revision, and of a log group, without partitions and Regions.
# CloudFormation chooses the names of the roles, which have up to 64 characters, and of the log group.
_ECS_TASK = 351
# The number of characters of the statements in a repository policy, without accounts and ARNs.
_REPOSITORY_POLICY = 70  # without its statements
_DENY = 130  # a Deny statement without its actions
_PUSH_ACTIONS = 125
_CHANGE_ACTIONS = 255
_PULL = 170
_PULL_ORGANIZATION = 125
_QUALIFIER = "q" * 10  # the longest qualifier of a bootstrap
_CREATION_ROLE = "r" * 64  # CloudFormation chooses the name, and this is the longest name of a role


def problems(environment: Environment) -> Iterator[Problem]:
    """Return a problem for each setting that would make a policy longer than IAM accepts."""
    yield from _trust_policies(environment)
    yield from _push_policies(environment)
    yield from _pull_policies(environment)
    yield from _worker_policy(environment)
    yield from _ecs_policy(environment)
    yield from _repository_policies(environment)


def _trust_policies(environment: Environment) -> Iterator[Problem]:
    for name, team in environment.teams.items():
        if length_of_trust_policy(team.push) > ROOM_FOR_STATEMENTS:
            yield Problem(
                f"teams.{name}.push",
                f"names too many principals for one trust policy, which has {TRUST_POLICY_QUOTA} characters at most; "
                "name one role or permission set that all principals assume, or fewer workflows",
            )


def length_of_trust_policy(push: Push) -> int:
    """Return the length of the trust policy of a push role."""
    length = 0
    if push.role_arns:
        length += _STATEMENT + sum(len(arn) + _ENTRY for arn in push.role_arns)
    if push.user_arns:
        condition = _MFA_CONDITION if push.require_mfa else 0
        length += _STATEMENT + condition + sum(len(arn) + _ENTRY for arn in push.user_arns)
    if push.permission_sets:
        length += _STATEMENT + _PERMISSION_SETS_CONDITION
        length += sum(len(name) + _PERMISSION_SET + _ENTRY for name in push.permission_sets)
    # Workflows with the same OIDC provider and audience share a statement. Wildcards have a statement of their own.
    for issuer, audience, _ in {(one.issuer, one.audience, one.subject.endswith("*")) for one in push.workflows}:
        length += _STATEMENT + _WORKFLOWS_CONDITION + 3 * len(issuer) + len(audience)
    return length + sum(len(one.subject) + _ENTRY for one in push.workflows)


def _push_policies(environment: Environment) -> Iterator[Problem]:
    for name in environment.teams:
        if length_of_existing(environment, [name]) > ROOM_FOR_TEAMS:
            yield Problem(
                f"teams.{name}.existing_repositories",
                f"has too many names for a role's policies, which have {INLINE_POLICIES_QUOTA} characters at most; "
                "split the repositories between two teams",
            )


def _pull_policies(environment: Environment) -> Iterator[Problem]:
    for name in environment.connections:
        images = environment.pulled_images(name)
        if length_of_images(images) <= ROOM_FOR_TEAMS:
            continue
        single = "existing repositories" if images.is_own else "repositories"
        if images.teams and images.repositories:
            key, what = "teams", f"teams, or too many {single},"
        elif images.teams:
            key = what = "teams"
        else:
            key = what = "repositories"
        yield Problem(
            f"connections.{name}.{key}",
            f"has too many {what} for a role's policies, which have {INLINE_POLICIES_QUOTA} characters at most; "
            f"split the {key} between two connections",
        )


def _worker_policy(environment: Environment) -> Iterator[Problem]:
    length = sum(len(environment.secret_name(name)) + _SECRET for name in environment.connections)
    # The first registry has room in the fixed part of the policy.
    pulled = environment.pulled_directly()
    length += sum(map(length_of_images, pulled)) + _STATEMENTS_OF_REGISTRY * max(len(pulled) - 1, 0)
    if length > ROOM_FOR_WORKERS:
        fix = "split the file into two environments, or shorten connections_prefix and the connections' IDs"
        yield Problem("connections", f"need {_TOO_LONG}; {fix}")


def _ecs_policy(environment: Environment) -> Iterator[Problem]:
    if environment.ecs:
        every_task = _ECS_TASK + 5 * len(PARTITIONS[environment.region].name) + 3 * len(environment.region)
        every_task += 2 * len(environment.role_path)
        # The two ARNs of the family and the name of the log group contain the environment and the repository.
        names = [f"{environment.name}{repository}" for repository in environment.ecs.tasks]
        length = sum(3 * len(name) + every_task for name in names)
        if length > ROOM_FOR_WORKERS:
            yield Problem("ecs.tasks", f"need {_TOO_LONG}; remove some tasks, or shorten role_path")


def _repository_policies(environment: Environment) -> Iterator[Problem]:
    for name, team in environment.teams.items():
        length = length_of_repository_policy(environment, name, team, of_created=team.create_on_push)
        if length > REPOSITORY_POLICY_QUOTA:
            yield Problem(
                f"teams.{name}",
                f"has too many pull_accounts or break-glass roles for a repository policy, which has "
                f"{REPOSITORY_POLICY_QUOTA} characters at most; remove some, or use pull_organization",
            )


_TOO_LONG = f"a longer policy for the workers than the {MANAGED_POLICY_QUOTA} characters that IAM accepts"


def length_of_images(images: PulledImages) -> int:
    """Return the length of the ARNs and tags in the statements that allow pulling these images."""
    return sum(2 * len(team) + _TEAM for team in images.teams) + length_of_single(images)


def length_of_single(images: PulledImages) -> int:
    """Return the length of the ARNs of the single repositories."""
    return sum(len(images.registry.repository_arn(name)) + _ENTRY for name in images.repositories)


def length_of_existing(environment: Environment, teams: Iterable[str]) -> int:
    """Return the length of the ARNs of the existing repositories of these teams."""
    arn = len(environment.registry.repository_arn(""))
    return sum(arn + len(name) + _ENTRY for name in environment.existing_repositories(teams))


def length_of_repository_policy(environment: Environment, name: str, team: Team, *, of_created: bool = False) -> int:
    """Return the length of a repository policy, which is the same for all repositories of a team.

    Args:
        environment: The environment.
        name: The name of the team.
        team: The settings of the team.
        of_created: Whether a push creates the repository. Its policy also names the role with which ECR creates it.
    """
    partition, account = PARTITIONS[environment.region].name, environment.account
    root = f"arn:{partition}:iam::{account}:root"
    deploy_role = f"arn:{partition}:iam::{account}:role/cdk-{_QUALIFIER}-cfn-exec-role-{account}-{environment.region}"
    always = [deploy_role, root, *([f"arn:{partition}:iam::{account}:role/{_CREATION_ROLE}"] if of_created else [])]
    length = 0
    if not team.others_may_push_because:
        length += _DENY + _PUSH_ACTIONS + _length([environment.push_role_arn(name), *always])
        if environment.break_glass_role_arns:
            length += _DENY + _CHANGE_ACTIONS + _length([*always, *environment.break_glass_role_arns])
    if team.pull_accounts:
        length += _PULL + len(team.pull_accounts) * (len(root) + _ENTRY)
    if team.pull_organization:
        length += _PULL + _PULL_ORGANIZATION + len(team.pull_organization)
    return length + _REPOSITORY_POLICY if length else 0


def _length(arns: Iterable[str]) -> int:
    return sum(len(arn) + _ENTRY for arn in arns)
