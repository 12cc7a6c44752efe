"""The ECR repositories: on their own, because they outlive everything else."""

from aws_cdk import CfnOutput, RemovalPolicy, Stack, Tags
from aws_cdk import aws_ecr as ecr
from constructs import Construct

from settings.environment import Environment, RepositoryDefaults
from settings.names import TEAM_TAG, pascal_case, repository_name
from stacks.acknowledgements import acknowledge


class RegistryStack(Stack):
    """Every team's repositories, named `<team>/<repository>` and tagged with their team."""

    def __init__(self, scope: Construct, construct_id: str, *, environment: Environment) -> None:
        super().__init__(scope, construct_id)

        # Resources
        repositories = Construct(self, "Repositories")
        for team_name, team in environment.teams.items():
            team_scope = Construct(repositories, pascal_case(team_name))
            # The rights ask for this tag as well as for the name's prefix.
            Tags.of(team_scope).add(TEAM_TAG, team_name)
            for repository in team.repositories:
                _repository(team_scope, repository_name(team_name, repository), repository, team.repository_defaults)

        # Outputs
        CfnOutput(
            self,
            "RegistryHost",
            value=environment.registry_host,
            description="What docker logs in to and image names start with",
        )


def _repository(scope: Construct, full_name: str, name: str, defaults: RepositoryDefaults) -> None:
    repository = ecr.Repository(
        scope,
        pascal_case(name),
        repository_name=full_name,
        image_scan_on_push=True,
        image_tag_mutability=(
            ecr.TagMutability.IMMUTABLE_WITH_EXCLUSION if defaults.mutable_tags else ecr.TagMutability.IMMUTABLE
        ),
        image_tag_mutability_exclusion_filters=[
            ecr.ImageTagMutabilityExclusionFilter.wildcard(pattern) for pattern in defaults.mutable_tags
        ]
        or None,
        lifecycle_rules=[ecr.LifecycleRule(max_image_count=defaults.keep_images, description="Keep the newest images")],
        encryption=ecr.RepositoryEncryption.AES_256,
        removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    )
    reasons = {"CKV_AWS_136": "A customer key needs kms:CreateGrant; changing it would replace the repository"}
    if defaults.mutable_tags:
        reasons["CKV_AWS_51"] = "Immutable, but for the tags that the settings name"
    acknowledge(repository, reasons)
