"""Rights on images as IAM statements: one prefix ARN a team, so that no policy grows with the repositories."""

from collections.abc import Iterable

from aws_cdk import Stack
from aws_cdk import aws_iam as iam

from settings.names import TEAM_TAG, repository_name
from settings.regions import PARTITIONS

# Amazon ECR User Guide, "IAM permissions for pushing an image". BatchGetImage: crane and buildx look before they push.
# Without GetDownloadUrlForLayer: it would let a pusher mount another team's layers.
PUSH_ACTIONS = [
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:CompleteLayerUpload",
    "ecr:InitiateLayerUpload",
    "ecr:PutImage",
    "ecr:UploadLayerPart",
]
PULL_ACTIONS = [
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:GetDownloadUrlForLayer",
]


def push(stack: Stack, team: str) -> iam.PolicyStatement:
    """Push to the repositories of one team."""
    return _on_repositories("PushImages", PUSH_ACTIONS, stack, [team])


def pull(stack: Stack, teams: Iterable[str]) -> iam.PolicyStatement:
    """Pull from the repositories of some teams."""
    return _on_repositories("PullImages", PULL_ACTIONS, stack, teams)


def pull_one(stack: Stack, repository: str) -> iam.PolicyStatement:
    """Pull from one repository, `<team>/<name>`: by its whole name, which the settings say is the team's."""
    return iam.PolicyStatement(sid="PullImage", actions=PULL_ACTIONS, resources=[_repository_arn(stack, repository)])


def log_in() -> iam.PolicyStatement:
    """Mint a docker login. It opens what the minter's other rights open, and nothing more."""
    return iam.PolicyStatement(
        sid="LogInToRegistry",
        actions=["ecr:GetAuthorizationToken"],
        resources=["*"],  # The action knows neither resources nor condition keys.
    )


def wildcards(stack: Stack, teams: Iterable[str]) -> dict[str, str]:
    """Why the statements' wildcards stay, by the names that scanners have for them."""
    repositories = "A team's repositories by prefix, and by their tag: exact, and as short for any number of them"
    return {
        **{f"AwsSolutions-IAM5[Resource::{arn}]": repositories for arn in _repository_arns(stack, teams)},
        "AwsSolutions-IAM5[Resource::*]": "ecr:GetAuthorizationToken knows no resources",
    }


def _on_repositories(sid: str, actions: list[str], stack: Stack, teams: Iterable[str]) -> iam.PolicyStatement:
    teams = list(teams)
    return iam.PolicyStatement(
        sid=sid,
        actions=actions,
        resources=_repository_arns(stack, teams),
        # Prefix and tag: a repository that somebody else names or tags like the team's is not the team's.
        conditions={"StringEquals": {f"aws:ResourceTag/{TEAM_TAG}": teams}},
    )


def _repository_arns(stack: Stack, teams: Iterable[str]) -> list[str]:
    return [_repository_arn(stack, repository_name(team, "*")) for team in teams]


def _repository_arn(stack: Stack, name: str) -> str:
    # Spelt out, so that scanners' names for the ARNs, which hold them, are text whatever the feature flags are.
    partition = PARTITIONS[stack.region].name
    return stack.format_arn(partition=partition, service="ecr", resource="repository", resource_name=name)
