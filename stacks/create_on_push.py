"""Repositories that a push creates: a repository creation template for each team, and the role that ECR uses.

Source: Amazon ECR User Guide, "Templates to control repositories created during a pull through cache, create on push,
or replication action". docs/decisions/0020-create-on-push.md explains the permissions.
"""

from collections.abc import Mapping, Sequence

from aws_cdk import CfnTag, Stack
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_iam as iam
from constructs import Construct

from settings.registries import Registry
from stacks import image_permissions
from stacks.acknowledgements import acknowledge

# Source: Amazon ECR User Guide, "Create a custom policy for repository creation templates". This page does not list
# PutLifecyclePolicy and SetRepositoryPolicy. "Creating a repository creation template" lists them for templates with
# these policies.
CREATION_ACTIONS = [
    "ecr:CreateRepository",
    "ecr:PutLifecyclePolicy",
    "ecr:ReplicateImage",
    "ecr:SetRepositoryPolicy",
    "ecr:TagResource",
]


class CreationRole(iam.Role):
    """The role with which ECR creates the repositories of one team. Only ECR can assume it.

    The trust policy has no condition on the source account, because AWS does not document that ECR sends it. A template
    can only use a role of its own account.
    """

    def __init__(self, scope: Construct, construct_id: str, *, team: str, role_path: str) -> None:
        """
        Args:
            scope: The parent construct.
            construct_id: The construct's id.
            team: The team's name in the settings.
            role_path: The role's path in IAM.
        """
        stack = Stack.of(scope)
        repositories = image_permissions.repository_arns(Registry(stack.account, stack.region), [team])
        super().__init__(
            scope,
            construct_id,
            path=role_path,
            description=f"ECR creates repositories of the team {team} when images are pushed",
            assumed_by=iam.ServicePrincipal("ecr.amazonaws.com"),
            inline_policies={
                "CreateRepositories": iam.PolicyDocument(
                    statements=[
                        iam.PolicyStatement(
                            sid="CreateRepositories",
                            actions=CREATION_ACTIONS,
                            # A new repository has no tag yet, so the statement has no condition on the tag.
                            resources=repositories,
                        )
                    ]
                )
            },
        )
        reason = "The names of the repositories are not known before the push"
        acknowledge(self, {f"AwsSolutions-IAM5[Resource::{arn}]": reason for arn in repositories})


class CreationTemplate(ecr.CfnRepositoryCreationTemplate):
    """The settings of the repositories that ECR creates for one team when images are pushed.

    A template has no setting for scanning. ECR scans the images only if the registry's scanning rules include them.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        team: str,
        role: iam.IRole,
        mutable_tags: Sequence[str],
        lifecycle_policy_text: str | None,
        repository_policy_text: str | None,
        tags: Mapping[str, str],
    ) -> None:
        """
        Args:
            scope: The parent construct.
            construct_id: The construct's id.
            team: The team's name in the settings. ECR adds a slash, so the prefix `a` does not match `a-x/app`.
            role: The role with which ECR creates the repositories.
            mutable_tags: Patterns of the image tags that may move to another image. All other tags are immutable.
            lifecycle_policy_text: The lifecycle policy as JSON, or None.
            repository_policy_text: The repository policy as JSON, or None.
            tags: The tags of the repositories. `Tags.of` does not reach them, because they are not tags of a resource
                of the stack.
        """
        super().__init__(
            scope,
            construct_id,
            applied_for=["CREATE_ON_PUSH"],
            prefix=team,
            custom_role_arn=role.role_arn,
            description=f"Repositories of the team {team}",
            encryption_configuration=ecr.CfnRepositoryCreationTemplate.EncryptionConfigurationProperty(
                encryption_type="AES256"
            ),
            image_tag_mutability="IMMUTABLE_WITH_EXCLUSION" if mutable_tags else "IMMUTABLE",
            image_tag_mutability_exclusion_filters=[
                ecr.CfnRepositoryCreationTemplate.ImageTagMutabilityExclusionFilterProperty(
                    image_tag_mutability_exclusion_filter_type="WILDCARD",
                    image_tag_mutability_exclusion_filter_value=pattern,
                )
                for pattern in mutable_tags
            ]
            or None,
            lifecycle_policy=lifecycle_policy_text,
            repository_policy=repository_policy_text,
            resource_tags=[CfnTag(key=key, value=value) for key, value in tags.items()],
        )
