"""The roles that push images to ECR: one role per team."""

from collections.abc import Iterator, Sequence

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from settings.environment import Environment, Push
from settings.names import pascal_case
from settings.registries import Registry
from stacks import image_permissions
from stacks.acknowledgements import acknowledge
from stacks.permissions_boundary import apply_permissions_boundary

# The operator is not BoolIfExists, because a session without the key aws:MultiFactorAuthPresent has no MFA.
_MFA = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}


class AccessStack(Stack):
    """One push role per team. Analysts and CI assume it to push to, pull from and look at the team's repositories."""

    def __init__(self, scope: Construct, construct_id: str, *, environment: Environment) -> None:
        # Without indentation, the template of the largest number of teams is smaller than CloudFormation's quota.
        super().__init__(scope, construct_id, suppress_template_indentation=True)

        # Resources
        push_roles = Construct(self, "PushRoles")
        roles = {
            team_name: PushRole(
                push_roles,
                pascal_case(team_name),
                team=team_name,
                registry=environment.registry,
                role_name=environment.push_role_name(team_name),
                role_path=environment.role_path,
                push=team.push,
                existing_repositories=team.existing_repositories,
            )
            for team_name, team in environment.teams.items()
        }

        # Permissions
        apply_permissions_boundary(self, environment.permissions_boundary_arn)

        # Outputs
        for team_name, role in roles.items():
            CfnOutput(
                self,
                f"PushRoleArn{pascal_case(team_name)}",
                value=role.attr_arn,
                description=f"The role that analysts of the team {team_name} assume to push images",
            )


class PushRole(iam.CfnRole):
    """A role that can push to, pull from and look at the repositories of one team. A session lasts at most one hour.

    This class extends the L1 construct. The L2 construct writes one statement per trusted principal, so a dozen users
    would use up the maximum length of the trust policy.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        team: str,
        registry: Registry,
        role_name: str,
        role_path: str,
        push: Push,
        existing_repositories: Sequence[str],
    ) -> None:
        """
        Args:
            scope: The parent construct.
            construct_id: The construct's id.
            team: The team's name in the settings.
            registry: The registry with the team's repositories.
            role_name: The role's name. Analysts type this name.
            role_path: The role's path in IAM.
            push: The principals that may assume the role.
            existing_repositories: The full names of the team's repositories that are not managed here.
        """
        stack = Stack.of(scope)
        super().__init__(
            scope,
            construct_id,
            role_name=role_name,
            path=role_path,
            description=f"Pushes images to the repositories of the team {team}",
            assume_role_policy_document=_trust_policy(stack, push),
            max_session_duration=3600,  # seconds
            policies=[
                iam.CfnRole.PolicyProperty(
                    policy_name="PushImages",
                    policy_document=iam.PolicyDocument(
                        statements=[
                            *image_permissions.push(registry, team, existing_repositories),
                            image_permissions.log_in(),
                            _refuse_plain_http(),
                        ]
                    ),
                )
            ],
        )
        acknowledge(self, image_permissions.wildcard_reasons(registry, [team]))


# GitHub's credentials action and EKS Pod Identity pass session tags. They may do so, because no permission of the push
# role depends on the tags of the session: the statements compare the repository's tag with a fixed value.
_ASSUME = ["sts:AssumeRole", "sts:TagSession"]


def _trust_policy(stack: Stack, push: Push) -> iam.PolicyDocument:
    statements = []
    if push.role_arns:
        roles: list[iam.IPrincipal] = [iam.ArnPrincipal(arn) for arn in push.role_arns]
        statements.append(iam.PolicyStatement(sid="Roles", actions=_ASSUME, principals=roles))
    if push.user_arns:
        users: list[iam.IPrincipal] = [iam.ArnPrincipal(arn) for arn in push.user_arns]
        statements.append(
            iam.PolicyStatement(
                sid="Users",
                actions=_ASSUME,
                principals=users,
                conditions=_MFA if push.require_mfa else None,
            )
        )
    if push.permission_sets:
        statements.append(
            iam.PolicyStatement(
                sid="PermissionSets",
                actions=_ASSUME,
                principals=[iam.AccountPrincipal(stack.account)],
                conditions={
                    "ArnLike": {"aws:PrincipalArn": [_permission_set_arn(stack, name) for name in push.permission_sets]}
                },
            )
        )
    return iam.PolicyDocument(statements=[*statements, *_workflow_statements(stack, push)])


def _workflow_statements(stack: Stack, push: Push) -> Iterator[iam.PolicyStatement]:
    """Return statements that trust the ID tokens of workflows, each with the exact audience and subject.

    A statement has the subjects of all workflows with the same OIDC provider and audience. Subjects with a wildcard
    have a statement of their own. The wildcard is at the end of the subject, so it cannot match another repository.
    """
    groups: dict[tuple[str, str, bool], list[str]] = {}
    for workflow in push.workflows:
        group = (workflow.issuer, workflow.audience, workflow.subject.endswith("*"))
        groups.setdefault(group, []).append(workflow.subject)
    for number, ((issuer, audience, has_wildcard), subjects) in enumerate(groups.items(), 1):
        conditions: dict[str, dict[str, object]] = {"StringEquals": {f"{issuer}:aud": audience}}
        conditions.setdefault("StringLike" if has_wildcard else "StringEquals", {})[f"{issuer}:sub"] = subjects
        provider = stack.format_arn(service="iam", region="", resource="oidc-provider", resource_name=issuer)
        yield iam.PolicyStatement(
            sid=f"Workflows{number}",
            actions=["sts:AssumeRoleWithWebIdentity"],
            principals=[iam.FederatedPrincipal(provider)],
            conditions=conditions,
        )


def _permission_set_arn(stack: Stack, name: str) -> str:
    """Return a pattern that matches the ARN of the role that IAM Identity Center creates for a permission set.

    The role's name ends with sixteen random characters. The role's path contains the Region of Identity Center, unless
    this Region is us-east-1.
    """
    return stack.format_arn(
        service="iam",
        region="",
        resource="role",
        resource_name=f"aws-reserved/sso.amazonaws.com*/AWSReservedSSO_{name}_{'?' * 16}",
    )


def _refuse_plain_http() -> iam.PolicyStatement:
    return iam.PolicyStatement(
        sid="RefusePlainHttp",
        effect=iam.Effect.DENY,
        actions=["*"],
        resources=["*"],  # A Deny statement is safest if it covers every resource.
        conditions={"Bool": {"aws:SecureTransport": "false"}},
    )
