"""All checks of the AWS account before a deployment, in one place."""

from collections.abc import Callable, Iterable

from ops.clients import Clients
from ops.preflight.alerts import find_silent_topic
from ops.preflight.bootstrap import find_old_bootstrap
from ops.preflight.creation_templates import find_taken_creation_templates
from ops.preflight.deploy_role import find_denied_deploy_role
from ops.preflight.findings import Finding, Planned
from ops.preflight.functions import find_low_concurrency
from ops.preflight.oidc_providers import find_missing_oidc_providers
from ops.preflight.other_registries import find_unusable_registries
from ops.preflight.pushes import find_cut_off_pushers
from ops.preflight.repositories import (
    find_missing_repositories,
    find_policies_by_hand,
    find_removed_repositories,
    find_tags_of_other_teams,
    find_taken_repositories,
)
from ops.preflight.roles import (
    find_full_worker_roles,
    find_missing_permission_sets,
    find_missing_principals,
    find_pull_role_conflicts,
    find_push_role_conflicts,
)
from ops.preflight.secrets import find_removed_secrets, find_taken_secrets
from ops.preflight.stacks import find_stacks

Find = Callable[[Clients, Planned], Iterable[Finding]]
CHECKS: dict[str, Find] = {
    "bootstrap": find_old_bootstrap,
    "stacks": find_stacks,
    "deploy_role": find_denied_deploy_role,
    "secrets": find_taken_secrets,
    "removed_secrets": find_removed_secrets,
    "repositories": find_taken_repositories,
    "repository_tags": find_tags_of_other_teams,
    "repository_policies": find_policies_by_hand,
    "removed_repositories": find_removed_repositories,
    "existing_repositories": find_missing_repositories,
    "creation_templates": find_taken_creation_templates,
    "recent_pushes": find_cut_off_pushers,
    "push_roles": find_push_role_conflicts,
    "pull_roles": find_pull_role_conflicts,
    "other_registries": find_unusable_registries,
    "principals": find_missing_principals,
    "permission_sets": find_missing_permission_sets,
    "oidc_providers": find_missing_oidc_providers,
    "worker_roles": find_full_worker_roles,
    "topic": find_silent_topic,
    "concurrency": find_low_concurrency,
}
"""The checks, by their stable names. They send read-only requests, and raise NoAnswer if AWS refuses a request."""

_RESOURCES = "cloudformation:ListStackResources"
_OWNER = "cloudformation:DescribeStackResources"

ACTIONS: dict[str, tuple[str, ...]] = {
    "region": ("account:GetRegionOptStatus",),
    "bootstrap": ("ssm:GetParameter",),
    "stacks": ("cloudformation:DescribeStacks",),
    "deploy_role": (
        _RESOURCES,
        "secretsmanager:GetResourcePolicy",
        "ecr:DescribeRepositories",
        "ecr:GetRepositoryPolicy",
    ),
    "secrets": (_RESOURCES, _OWNER, "secretsmanager:DescribeSecret"),
    "removed_secrets": (_RESOURCES, "secretsmanager:DescribeSecret"),
    "repositories": (_RESOURCES, _OWNER, "ecr:DescribeRepositories", "ecr:GetRepositoryPolicy"),
    "repository_tags": (_RESOURCES, "ecr:DescribeRepositories", "ecr:ListTagsForResource"),
    "repository_policies": (_RESOURCES, "ecr:GetRepositoryPolicy"),
    "removed_repositories": (_RESOURCES,),
    "existing_repositories": ("ecr:DescribeRepositories",),
    "creation_templates": (_RESOURCES, "ecr:DescribeRepositoryCreationTemplates"),
    "recent_pushes": (_RESOURCES, "cloudtrail:LookupEvents", "ecr:DescribeRepositories", "ecr:GetRepositoryPolicy"),
    "push_roles": (_RESOURCES, _OWNER, "iam:GetRole"),
    "pull_roles": (_RESOURCES, _OWNER, "iam:GetRole"),
    "other_registries": ("account:GetRegionOptStatus", "ecr:DescribeRepositories"),
    "principals": ("iam:GetPolicy", "iam:GetRole", "iam:GetUser"),
    "permission_sets": ("iam:ListRoles",),
    "oidc_providers": ("iam:GetOpenIDConnectProvider",),
    "worker_roles": (_RESOURCES, "iam:GetAccountSummary", "iam:ListAttachedRolePolicies"),
    "topic": ("kms:DescribeKey", "kms:GetKeyPolicy", "sns:GetTopicAttributes"),
    "concurrency": ("lambda:GetAccountSettings",),
}
"""The IAM actions that each check needs. AWS's policy ReadOnlyAccess allows all of them.

`region` is the check of the credentials. With credentials of another account, it also needs `sts:AssumeRole` for the
lookup role of the bootstrap.
"""
