"""Checks of the lengths of policies that grow with the settings.

IAM counts the characters of a policy without white space (IAM User Guide, "IAM and AWS STS quotas"). The checks
estimate the length of the part that grows. They compare this length with the length that the fixed statements leave.
tests/permissions/test_quotas.py compares whole policies with IAM's quotas, at the largest settings that are accepted.
"""

from collections.abc import Iterable, Iterator

from settings.environment import Environment, Push
from settings.problem import Problem
from settings.template_size import repository_policy_bytes

# The quotas are in characters.
INLINE_POLICIES_QUOTA = 10_240  # for all inline policies of a role together
MANAGED_POLICY_QUOTA = 6_144
TRUST_POLICY_QUOTA = 2_048
REPOSITORY_POLICY_QUOTA = 10_240  # API reference of ECR, SetRepositoryPolicy

# The part of each quota that may grow with the settings.
ROOM_FOR_TEAMS = 8_000  # of INLINE_POLICIES_QUOTA, in a pull role
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
_ECS_TASK = 390  # the ARNs of two roles, of the family with and without a revision, and of a log group


def problems(environment: Environment) -> Iterator[Problem]:
    """Return a problem for each setting that would make a policy longer than IAM accepts."""
    yield from _trust_policies(environment)
    yield from _pull_policies(environment)
    yield from _worker_policy(environment)
    yield from _ecs_policy(environment)
    yield from _repository_policies(environment)


def _trust_policies(environment: Environment) -> Iterator[Problem]:
    for name, team in environment.teams.items():
        if _length_of_trust_policy(team.push) > ROOM_FOR_STATEMENTS:
            yield Problem(
                f"teams.{name}.push",
                f"names too many principals for one trust policy, which has {TRUST_POLICY_QUOTA} characters at most; "
                "name one role or permission set that all principals assume, or fewer workflows",
            )


def _length_of_trust_policy(push: Push) -> int:
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


def _pull_policies(environment: Environment) -> Iterator[Problem]:
    for name, connection in environment.connections.items():
        if _length_of_teams(connection.teams) > ROOM_FOR_TEAMS:
            yield Problem(
                f"connections.{name}.teams",
                f"has too many teams for a role's policies, which have {INLINE_POLICIES_QUOTA} characters at most; "
                "split the teams between two connections",
            )


def _worker_policy(environment: Environment) -> Iterator[Problem]:
    length = sum(len(environment.secret_name(name)) + _SECRET for name in environment.connections)
    if environment.workers.pull_directly:
        length += _length_of_teams({team for c in environment.connections.values() for team in c.teams})
    if length > ROOM_FOR_WORKERS:
        fix = "split the file into two environments, or shorten connections_prefix and the connections' IDs"
        yield Problem("connections", f"need {_TOO_LONG}; {fix}")


def _ecs_policy(environment: Environment) -> Iterator[Problem]:
    if environment.ecs:
        role_paths = 2 * len(environment.role_path)
        # The two ARNs of the family and the name of the log group contain the environment and the repository.
        names = [f"{environment.name}{repository}" for repository in environment.ecs.tasks]
        length = sum(3 * len(name) + _ECS_TASK + role_paths for name in names)
        if length > ROOM_FOR_WORKERS:
            yield Problem("ecs.tasks", f"need {_TOO_LONG}; remove some tasks, or shorten role_path")


def _repository_policies(environment: Environment) -> Iterator[Problem]:
    for name, team in environment.teams.items():
        if repository_policy_bytes(environment, name, team) > REPOSITORY_POLICY_QUOTA:
            yield Problem(
                f"teams.{name}",
                f"has too many pull_accounts or break-glass roles for a repository policy, which has "
                f"{REPOSITORY_POLICY_QUOTA} characters at most; remove some, or use pull_organization",
            )


_TOO_LONG = f"a longer policy for the workers than the {MANAGED_POLICY_QUOTA} characters that IAM accepts"


def _length_of_teams(teams: Iterable[str]) -> int:
    return sum(2 * len(team) + _TEAM for team in teams)
