"""The ECR repositories. They are in a separate stack, because they stay after the other stacks are deleted."""

from collections.abc import Sequence

from aws_cdk import CfnOutput, RemovalPolicy, Stack, Tags, Token
from aws_cdk import aws_ecr as ecr
from constructs import Construct

from settings.environment import Environment
from settings.names import TEAM_TAG, pascal_case, repository_name
from stacks.acknowledgements import acknowledge
from stacks.create_on_push import CreationRole, CreationTemplate
from stacks.permissions_boundary import apply_permissions_boundary


class RegistryStack(Stack):
    """The repositories of every team, named `<team>/<name>` and tagged with their team."""

    def __init__(self, scope: Construct, construct_id: str, *, environment: Environment) -> None:
        super().__init__(scope, construct_id)

        # Resources
        repositories = Construct(self, "Repositories")
        for team_name, team in environment.teams.items():
            team_scope = Construct(repositories, pascal_case(team_name))
            # The IAM statements for images require this tag and the prefix of the repository's name.
            Tags.of(team_scope).add(TEAM_TAG, team_name)
            for name in team.repositories:
                Repository(
                    team_scope,
                    pascal_case(name),
                    repository_name=repository_name(team_name, name),
                    mutable_tags=team.repository_defaults.mutable_tags,
                    keep_images=team.repository_defaults.keep_images,
                )
        creation = Construct(self, "CreateOnPush")
        for team_name, team in environment.teams.items():
            if team.create_on_push:
                scope_of_team = Construct(creation, pascal_case(team_name))
                role = CreationRole(scope_of_team, "Role", team=team_name, role_path=environment.role_path)
                CreationTemplate(
                    scope_of_team,
                    "Template",
                    team=team_name,
                    role=role,
                    mutable_tags=team.repository_defaults.mutable_tags,
                    lifecycle_policy_text=None,
                    repository_policy_text=None,
                    tags={TEAM_TAG: team_name},
                )

        # Permissions
        apply_permissions_boundary(self, environment.permissions_boundary_arn)

        # Outputs
        CfnOutput(
            self,
            "RegistryHost",
            value=environment.registry_host,
            description="The registry that docker logs in to; every image name starts with it",
        )


class Repository(ecr.Repository):
    """A repository that scans images and keeps the newest images. The repository stays when the stack is deleted."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        repository_name: str,
        mutable_tags: Sequence[str],
        keep_images: int,
    ) -> None:
        """
        Args:
            scope: The parent construct.
            construct_id: The construct's id.
            repository_name: The full name, `<team>/<name>`.
            mutable_tags: Patterns of the tags that may move to another image. All other tags are immutable.
            keep_images: The number of images that ECR keeps. ECR deletes older images.
        """
        super().__init__(
            scope,
            construct_id,
            repository_name=_accepted_by_cdk(repository_name),
            image_scan_on_push=True,
            image_tag_mutability=(
                ecr.TagMutability.IMMUTABLE_WITH_EXCLUSION if mutable_tags else ecr.TagMutability.IMMUTABLE
            ),
            image_tag_mutability_exclusion_filters=[
                ecr.ImageTagMutabilityExclusionFilter.wildcard(pattern) for pattern in mutable_tags
            ]
            or None,
            lifecycle_rules=[ecr.LifecycleRule(max_image_count=keep_images, description="Keep the newest images")],
            encryption=ecr.RepositoryEncryption.AES_256,
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )
        reasons = {
            "CKV_AWS_136": "A customer managed key requires kms:CreateGrant, and another key replaces the repository"
        }
        if mutable_tags:
            reasons["CKV_AWS_51"] = "All tags are immutable except those that the settings list"
        acknowledge(self, reasons)


def _accepted_by_cdk(repository_name: str) -> str:
    """Return the name, or a token for it if it has `--` or `__`.

    ECR accepts such names since February 2026, and CDK refuses them. CDK does not check a token. For hundreds of
    repositories, the calls to CDK take part of a second, so other names stay as they are.
    """
    if "--" in repository_name or "__" in repository_name:
        return Token.as_string(Token.as_any(repository_name))
    return repository_name
