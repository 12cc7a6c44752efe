"""The ECR repositories. They are in a separate stack, because they stay after the other stacks are deleted."""

from collections.abc import Sequence
from functools import partial
from typing import cast

from aws_cdk import (
    CfnOutput,
    CfnWaitConditionHandle,
    DefaultStackSynthesizer,
    IResolvable,
    RemovalPolicies,
    RemovalPolicy,
    Stack,
    Tags,
    Token,
)
from aws_cdk import aws_ecr as ecr
from constructs import Construct

from settings.environment import Environment
from settings.lifecycle_policy import lifecycle_policy_text
from settings.names import TEAM_TAG, pascal_case, repository_name
from settings.regions import PARTITIONS
from stacks.acknowledgements import acknowledge
from stacks.create_on_push import CreationRole, CreationTemplate
from stacks.permissions_boundary import apply_permissions_boundary
from stacks.repository_policy import repository_policy

_SCAN_ON_PUSH = {"repository": True, "registry": None, "off": False}


class RegistryStack(Stack):
    """The repositories of every team, named `<team>/<name>` and tagged with their team."""

    def __init__(self, scope: Construct, construct_id: str, *, environment: Environment) -> None:
        # Without indentation, the template of the largest number of repositories is smaller than CloudFormation's
        # quota.
        super().__init__(scope, construct_id, suppress_template_indentation=True)
        partition = PARTITIONS[environment.region].name
        synthesizer = cast(DefaultStackSynthesizer, self.synthesizer)
        # An intrinsic function in each policy would make the template longer.
        deploy_role_arn = synthesizer.cloud_formation_execution_role_arn.replace("${AWS::Partition}", partition)

        # Resources
        repositories = Construct(self, "Repositories")
        RemovalPolicies.of(repositories).apply(RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE)
        creation = Construct(self, "CreateOnPush")
        for team_name, team in environment.teams.items():
            team_scope = Construct(repositories, pascal_case(team_name))
            # The IAM statements for images require this tag and the prefix of the repository's name.
            Tags.of(team_scope).add(TEAM_TAG, team_name)
            policy_of_team = partial(
                repository_policy,
                partition=partition,
                account=environment.account,
                push_role_arn=environment.push_role_arn(team_name),
                deploy_role_arn=deploy_role_arn,
                break_glass_role_arns=environment.break_glass_role_arns,
                others_may_push=team.others_may_push_because is not None,
                pull_accounts=team.pull_accounts,
                pull_organization=team.pull_organization,
            )
            policy = policy_of_team()
            # jsii gets the document once for each team instead of once for each repository.
            shared_policy = Token.as_any(policy) if policy else None
            for name in team.repositories:
                Repository(
                    team_scope,
                    pascal_case(name),
                    repository_name=repository_name(team_name, name),
                    mutable_tags=team.repository_defaults.mutable_tags,
                    scan_on_push=_SCAN_ON_PUSH[environment.scan],
                    lifecycle_policy_text=lifecycle_policy_text(team.lifecycle_of(name)),
                    policy=shared_policy,
                )
            if team.create_on_push:
                creation_of_team = Construct(creation, pascal_case(team_name))
                role = CreationRole(creation_of_team, "Role", team=team_name, role_path=environment.role_path)
                # Only the policy of new repositories names the role. The other repositories do not change when
                # create_on_push changes.
                policy_of_new = policy_of_team(creation_role_arn=role.role_arn)
                CreationTemplate(
                    creation_of_team,
                    "Template",
                    team=team_name,
                    role=role,
                    mutable_tags=team.repository_defaults.mutable_tags,
                    lifecycle_policy_text=lifecycle_policy_text(team.default_lifecycle),
                    repository_policy_text=self.to_json_string(policy_of_new) if policy_of_new else None,
                    tags={**environment.tags, TEAM_TAG: team_name},
                )

        if not any(team.repositories or team.create_on_push for team in environment.teams.values()):
            # CloudFormation refuses a template without resources. This resource creates nothing.
            CfnWaitConditionHandle(self, "NoRepositories")

        # Permissions
        apply_permissions_boundary(self, environment.permissions_boundary_arn)

        # Outputs
        CfnOutput(
            self,
            "RegistryHost",
            value=environment.registry_host,
            description="The registry that docker logs in to; every image name starts with it",
        )


class Repository(Construct):
    """A repository, which stays when the stack is deleted.

    This class contains the L1 construct. The L2 construct needs several times as much CPU time, which matters for
    hundreds of repositories, and it refuses `--` and `__` in names.

    Encryption is not set, because ECR uses AES-256 by default, and any change of this property would replace the
    repository.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        repository_name: str,
        mutable_tags: Sequence[str],
        scan_on_push: bool | None,
        lifecycle_policy_text: str | None,
        policy: IResolvable | None,
    ) -> None:
        """
        Args:
            scope: The parent construct.
            construct_id: The construct's id.
            repository_name: The full name, `<team>/<name>`.
            mutable_tags: Patterns of the tags that may move to another image. All other tags are immutable.
            scan_on_push: Whether ECR scans each image that is pushed. With None, the template does not say it.
            lifecycle_policy_text: The lifecycle policy as JSON. With None, no image expires.
            policy: The repository policy. With None, the repository has no policy.
        """
        super().__init__(scope, construct_id)
        repository = ecr.CfnRepository(
            self,
            "Resource",
            repository_name=repository_name,
            image_scanning_configuration=None if scan_on_push is None else {"scanOnPush": scan_on_push},
            image_tag_mutability="IMMUTABLE_WITH_EXCLUSION" if mutable_tags else "IMMUTABLE",
            image_tag_mutability_exclusion_filters=[
                {
                    "imageTagMutabilityExclusionFilterType": "WILDCARD",
                    "imageTagMutabilityExclusionFilterValue": pattern,
                }
                for pattern in mutable_tags
            ]
            or None,
            lifecycle_policy={"lifecyclePolicyText": lifecycle_policy_text} if lifecycle_policy_text else None,
            repository_policy_text=policy,
        )
        reasons = {
            "CKV_AWS_136": "A customer managed key requires kms:CreateGrant, and another key replaces the repository"
        }
        if policy:
            reasons["CKV_AWS_32"] = "Statements for all principals deny or have a condition"
        if mutable_tags:
            reasons["CKV_AWS_51"] = "All tags are immutable except those that the settings list"
        acknowledge(repository, reasons)
