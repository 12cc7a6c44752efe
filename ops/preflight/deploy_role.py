"""The role with which CloudFormation deploys."""

import json
from collections.abc import Iterator

from ops.clients import Clients, unless_missing
from ops.preflight.findings import Finding, Planned, listed
from ops.preflight.policies import deploy_roles_in
from ops.preflight.repositories import adopted_repositories, repository_policy, team_of
from ops.preflight.secrets import name_of_secret
from ops.preflight.stacks import resources_of
from ops.together import in_parallel
from settings.names import RepositoryStatement


def find_denied_deploy_role(clients: Clients, planned: Planned) -> Iterator[Finding]:
    """Find secrets and repositories whose policy denies the role of this deployment."""
    secrets = resources_of(clients, planned.stack("DockerLogin")).get("AWS::SecretsManager::Secret", [])

    def policy_of(arn: str) -> str:
        answer = unless_missing(clients.secretsmanager.get_resource_policy, "ResourceNotFoundException", SecretId=arn)
        return str((answer or {}).get("ResourcePolicy") or "")

    policies = dict(zip(secrets, in_parallel(policy_of, secrets), strict=True))
    # The role is in the policy of a secret, unless another role deployed the secret.
    denied = [arn for arn, policy in policies.items() if policy and f'"{planned.deploy_role_arn}"' not in policy]
    if denied:
        allowed = deploy_roles_in(policies[denied[0]])
        others = f" The last deployment used {listed(allowed)}." if allowed else ""
        names = [name_of_secret(arn) for arn in denied]
        yield Finding(
            f"The policy of {listed(names)} denies the role of this deployment, {planned.deploy_role_arn}.{others} "
            "CloudFormation would answer: AccessDeniedException.",
            'See "Change the qualifier of the bootstrap" in docs/changes.md.',
        )
        return
    # All repositories of a team in the stack have the same policy.
    deployed = resources_of(clients, planned.stack("Registry")).get("AWS::ECR::Repository", [])
    repositories = [*{team_of(name): name for name in deployed}.values(), *adopted_repositories(clients, planned)]
    texts = [json.dumps(policy) for policy in in_parallel(lambda name: repository_policy(clients, name), repositories)]
    for name, text in zip(repositories, texts, strict=True):
        if f'"{RepositoryStatement.CHANGE}"' in text and f'"{planned.deploy_role_arn}"' not in text:
            yield Finding(
                f"The policy of the repository {name} denies the role of this deployment, {planned.deploy_role_arn}. "
                f"The last deployment used {listed(deploy_roles_in(text))}. "
                "CloudFormation would answer: AccessDeniedException.",
                'See "Change the qualifier of the bootstrap" in docs/changes.md.',
            )
            return
