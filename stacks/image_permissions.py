"""IAM statements for images in ECR.

A statement about the images of a team contains the ARN `repository/<team>/*`. Therefore, the length of a policy does
not depend on the number of managed repositories. A policy contains the full name of each existing repository.
"""

from collections.abc import Iterable, Sequence

from aws_cdk import aws_iam as iam

from settings.names import PULL_ACTIONS, TEAM_TAG, repository_name
from settings.registries import PulledImages, Registry

# The first line: Amazon ECR User Guide, "IAM permissions for pushing an image". crane and buildx call BatchGetImage
# before they push.
# A pusher also pulls, for base images and build caches. GetDownloadUrlForLayer on the team's own repositories does not
# let a pusher mount layers of other teams' images: mounting needs this action on the repository that has the layer.
# The list contains no action that deletes an image or changes a repository. It also does not contain
# inspector2:ListFindings, which has no resources: it would show the findings of every team's images.
PUSHER_ACTIONS = [
    *("ecr:CompleteLayerUpload", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart"),
    *PULL_ACTIONS,
    "ecr:DescribeImages",
    "ecr:DescribeImageScanFindings",
    "ecr:DescribeRepositories",
    "ecr:GetLifecyclePolicy",
    "ecr:GetLifecyclePolicyPreview",
    "ecr:ListImages",
    "ecr:ListTagsForResource",
    "ecr:StartLifecyclePolicyPreview",
]


def push(registry: Registry, team: str, existing_repositories: Sequence[str]) -> list[iam.PolicyStatement]:
    """Return statements that allow pushing to, pulling from and looking at the repositories of one team.

    Args:
        registry: The registry with the repositories.
        team: The team.
        existing_repositories: The full names of the team's repositories that are not managed here.
    """
    return [
        _on_repositories("PushImages", PUSHER_ACTIONS, registry, [team], are_tagged=True),
        *_on_single("PushToExisting", PUSHER_ACTIONS, registry, existing_repositories),
    ]


def pull(images: PulledImages, *, sid_suffix: str = "") -> list[iam.PolicyStatement]:
    """Return statements that allow pulling images.

    Args:
        images: The images.
        sid_suffix: The end of the Sids, so that a policy can have the statements for several registries.
    """
    statements = []
    if images.teams:
        sid = f"PullImages{sid_suffix}"
        statements.append(
            _on_repositories(sid, PULL_ACTIONS, images.registry, images.teams, are_tagged=images.are_tagged)
        )
    # A reviewer reads "existing" as the setting existing_repositories, which is only for the own registry.
    sid = f"PullFromExisting{sid_suffix}" if images.is_own else f"PullFromRepositories{sid_suffix}"
    return [*statements, *_on_single(sid, PULL_ACTIONS, images.registry, images.repositories)]


def pull_one(registry: Registry, repository: str) -> iam.PolicyStatement:
    """Return a statement that allows pulling from one repository.

    Args:
        registry: The registry with the repository.
        repository: The full name. The settings contain this name, so the statement has no condition on the team's tag.
    """
    return iam.PolicyStatement(
        sid="PullImage", actions=[*PULL_ACTIONS], resources=[registry.repository_arn(repository)]
    )


def log_in() -> iam.PolicyStatement:
    """Return a statement that allows creating a docker login.

    A docker login has the permissions of the principal that creates it. This statement alone allows neither pushing nor
    pulling.
    """
    return iam.PolicyStatement(
        sid="LogInToRegistry",
        actions=["ecr:GetAuthorizationToken"],
        resources=["*"],  # The action supports neither resources nor condition keys.
    )


def wildcard_reasons(registry: Registry, teams: Iterable[str]) -> dict[str, str]:
    """Return a dict of cdk-nag finding to the reason why it is acceptable, for the wildcards in these statements."""
    repositories = "The prefix and the tag match exactly the team's repositories, and the policy is short"
    return {
        **{f"AwsSolutions-IAM5[Resource::{arn}]": repositories for arn in repository_arns(registry, teams)},
        "AwsSolutions-IAM5[Resource::*]": "ecr:GetAuthorizationToken supports no resources",
    }


def _on_repositories(
    sid: str, actions: Sequence[str], registry: Registry, teams: Sequence[str], *, are_tagged: bool
) -> iam.PolicyStatement:
    return iam.PolicyStatement(
        sid=sid,
        actions=[*actions],
        resources=repository_arns(registry, teams),
        # The statement requires both the prefix and the tag, because another principal may be able to create a
        # repository with only the team's prefix or with only the team's tag. Only repositories that these settings
        # deploy have the tag.
        conditions={"StringEquals": {f"aws:ResourceTag/{TEAM_TAG}": list(teams)}} if are_tagged else None,
    )


def _on_single(
    sid: str, actions: Sequence[str], registry: Registry, repositories: Sequence[str]
) -> list[iam.PolicyStatement]:
    if not repositories:
        return []
    # The settings contain these names, and such a repository may not have the team's tag.
    arns = [registry.repository_arn(name) for name in repositories]
    return [iam.PolicyStatement(sid=sid, actions=[*actions], resources=arns)]


def repository_arns(registry: Registry, teams: Iterable[str]) -> list[str]:
    """Return a pattern for each team that matches the ARNs of all repositories with the team's prefix.

    The ARNs are plain strings, because the names of cdk-nag's findings contain them, and the acknowledgements must
    contain the names as plain strings.
    """
    return [registry.repository_arn(repository_name(team, "*")) for team in teams]
