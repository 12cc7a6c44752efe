"""The repository policy of a team's repositories.

Only the principals in this policy can push to the repositories, even if other policies allow other principals to push.
"""

from collections.abc import Sequence
from typing import Any

from settings.names import PULL_ACTIONS, RepositoryStatement

# ECR evaluates the policy for each request, also for the requests of docker. A repository policy must not contain
# actions of the registry, such as ecr:GetAuthorizationToken: SetRepositoryPolicy then refuses the policy.
#
# ecr:BatchImportUpstreamImage is in the list, because a pull through cache rule could otherwise write images into the
# repository. ecr:ReplicateImage is not in the list: no principal can call it, and we do not know whether ECR's
# replication, which uses a service-linked role, would still work.
_PUSH_ACTIONS = [
    "ecr:BatchImportUpstreamImage",
    "ecr:CompleteLayerUpload",
    "ecr:InitiateLayerUpload",
    "ecr:PutImage",
    "ecr:UploadLayerPart",
]
# The actions that delete or archive an image, let a tag move, or open the repository to other principals. The
# permissions on images have a condition on a tag of the repository, so tags are in the list.
# ecr:PutImageScanningConfiguration is not in the list, because security teams configure scanning for all repositories
# of an account, and scanning does not change an image.
_CHANGE_ACTIONS = [
    "ecr:BatchDeleteImage",
    "ecr:DeleteLifecyclePolicy",
    "ecr:DeleteRepository",
    "ecr:DeleteRepositoryPolicy",
    "ecr:PutImageTagMutability",
    "ecr:PutLifecyclePolicy",
    "ecr:SetRepositoryPolicy",
    "ecr:TagResource",
    "ecr:UntagResource",
    "ecr:UpdateImageStorageClass",
]

Policy = dict[str, Any]


def repository_policy(
    *,
    partition: str,
    account: str,
    push_role_arn: str,
    deploy_role_arn: str,
    break_glass_role_arns: Sequence[str] = (),
    creation_role_arn: str | None = None,
    others_may_push: bool = False,
    pull_accounts: Sequence[str] = (),
    pull_organization: str | None = None,
) -> Policy | None:
    """Return the policy, which is the same for all repositories of a team, or None if there is nothing to write.

    The Deny statements have no effect on pulling. A principal that they do not deny still needs permissions in an
    identity-based policy.

    Args:
        partition: The AWS partition, such as `aws`.
        account: The ID of the account with the repositories. Its root user is not denied, because the root user must
            be able to repair the policy.
        push_role_arn: The ARN of the team's push role, with its path.
        deploy_role_arn: The ARN of the role that CloudFormation assumes. This role creates and changes the
            repositories.
        break_glass_role_arns: The ARNs of the roles that may delete images and change the repositories in an
            emergency. If there are none, the policy does not deny these actions.
        creation_role_arn: The ARN of the role with which ECR creates the team's repositories on the first push.
        others_may_push: Whether to leave out all Deny statements.
        pull_accounts: The IDs of other accounts whose principals may pull.
        pull_organization: The ID of the organization whose other accounts may pull.
    """
    root_arn = f"arn:{partition}:iam::{account}:root"
    always = [deploy_role_arn, root_arn, *([creation_role_arn] if creation_role_arn else [])]
    statements = []
    if not others_may_push:
        statements.append(_deny_all_except([push_role_arn, *always], RepositoryStatement.PUSH, _PUSH_ACTIONS))
        if break_glass_role_arns:
            allowed = [*always, *break_glass_role_arns]
            statements.append(_deny_all_except(allowed, RepositoryStatement.CHANGE, _CHANGE_ACTIONS))
    if pull_accounts:
        statements.append(
            {
                "Sid": RepositoryStatement.ACCOUNTS.value,
                "Effect": "Allow",
                "Principal": {"AWS": [f"arn:{partition}:iam::{each}:root" for each in pull_accounts]},
                "Action": [*PULL_ACTIONS],
            }
        )
    if pull_organization:
        statements.append(
            {
                "Sid": RepositoryStatement.ORGANIZATION.value,
                "Effect": "Allow",
                "Principal": "*",
                "Action": [*PULL_ACTIONS],
                "Condition": {
                    "StringEquals": {"aws:PrincipalOrgID": pull_organization},
                    # In the repository's own account, this statement would be enough to pull. The push role and the
                    # docker logins of other teams would then pull this team's images.
                    "StringNotEquals": {"aws:PrincipalAccount": account},
                },
            }
        )
    return {"Version": "2012-10-17", "Statement": statements} if statements else None


def _deny_all_except(principal_arns: Sequence[str], sid: RepositoryStatement, actions: Sequence[str]) -> dict[str, Any]:
    # The principal is "*" with a condition on aws:PrincipalArn. NotPrincipal would also have to name each session.
    return {
        "Sid": sid.value,
        "Effect": "Deny",
        "Principal": "*",
        "Action": [*actions],
        "Condition": {"ArnNotEquals": {"aws:PrincipalArn": [*principal_arns]}},
    }
