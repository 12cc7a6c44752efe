"""All checks, in one place."""

from collections.abc import Callable, Iterable

from ops.clients import Clients
from ops.preflight.alerts import find_silent_topic
from ops.preflight.creation_templates import find_taken_creation_templates
from ops.preflight.deploy_role import find_denied_deploy_role
from ops.preflight.findings import Finding, Planned
from ops.preflight.oidc_providers import find_missing_oidc_providers
from ops.preflight.pushes import find_cut_off_pushers
from ops.preflight.repositories import (
    find_missing_repositories,
    find_policies_by_hand,
    find_removed_repositories,
    find_taken_repositories,
)
from ops.preflight.roles import find_missing_principals, find_push_role_conflicts
from ops.preflight.secrets import find_removed_secrets, find_taken_secrets
from ops.preflight.stacks import find_stacks

Check = Callable[[Clients, Planned], Iterable[Finding]]


CHECKS: dict[str, Check] = {
    "secrets": find_taken_secrets,
    "repositories": find_taken_repositories,
    "repository policies": find_policies_by_hand,
    "existing repositories": find_missing_repositories,
    "recent pushes": find_cut_off_pushers,
    "creation templates": find_taken_creation_templates,
    "push roles": find_push_role_conflicts,
    "principals": find_missing_principals,
    "OIDC providers": find_missing_oidc_providers,
    "deploy role": find_denied_deploy_role,
    "stacks": find_stacks,
    "removed secrets": find_removed_secrets,
    "removed repositories": find_removed_repositories,
    "topic": find_silent_topic,
}
"""The checks, by the name that is printed if AWS does not answer."""
