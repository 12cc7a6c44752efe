"""Who may push: one role per team."""

from typing import Any

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from settings.environment import Environment, Push
from settings.names import pascal_case
from stacks import image_permissions
from stacks.acknowledgements import acknowledge
from stacks.permissions_boundary import keep_within_boundary


class AccessStack(Stack):
    """One push role per team, which its analysts assume; it opens their team's repositories and nothing else."""

    def __init__(self, scope: Construct, construct_id: str, *, environment: Environment) -> None:
        super().__init__(scope, construct_id)

        keep_within_boundary(self, environment)
        roles = Construct(self, "PushRoles")
        for name, team in environment.teams.items():
            # Resources
            # The L1, because the L2 writes a statement for each of those who may take the role: a dozen users would
            # fill the trust policy.
            role = iam.CfnRole(
                roles,
                pascal_case(name),
                role_name=environment.push_role_name(name),
                path=environment.role_path,
                description=f"Push images to the repositories of the team {name}",
                assume_role_policy_document=_taken_by(self, team.push),
                max_session_duration=3600,  # seconds
                policies=[
                    iam.CfnRole.PolicyProperty(
                        policy_name="PushImages",
                        policy_document=iam.PolicyDocument(
                            statements=[
                                image_permissions.push(self, name),
                                image_permissions.log_in(),
                                _refuse_plain_http(),
                            ]
                        ),
                    )
                ],
            )
            acknowledge(role, image_permissions.wildcards(self, [name]))

            # Outputs
            CfnOutput(
                self,
                f"PushRoleArn{pascal_case(name)}",
                value=role.attr_arn,
                description=f"What the analysts of the team {name} assume to push",
            )


def _taken_by(stack: Stack, push: Push) -> iam.PolicyDocument:
    trust = iam.PolicyDocument()

    def let(sid: str, principals: list[iam.IPrincipal], conditions: dict[str, Any] | None = None) -> None:
        if principals:
            trust.add_statements(
                iam.PolicyStatement(sid=sid, actions=["sts:AssumeRole"], principals=principals, conditions=conditions)
            )

    let("Roles", [iam.ArnPrincipal(arn) for arn in push.role_arns])
    # Bool, never BoolIfExists: a session without the key is a session without MFA.
    mfa = {"Bool": {"aws:MultiFactorAuthPresent": "true"}} if push.require_mfa else None
    let("Users", [iam.ArnPrincipal(arn) for arn in push.user_arns], mfa)
    # IAM Identity Center makes a role per permission set, with sixteen random characters at its name's end. Its path
    # names the region of Identity Center, except where that is us-east-1.
    patterns = [
        stack.format_arn(
            service="iam",
            region="",
            resource="role",
            resource_name=f"aws-reserved/sso.amazonaws.com*/AWSReservedSSO_{name}_{'?' * 16}",
        )
        for name in push.permission_sets
    ]
    if patterns:
        account = iam.AccountPrincipal(stack.account)
        let("PermissionSets", [account], {"ArnLike": {"aws:PrincipalArn": patterns}})
    return trust


def _refuse_plain_http() -> iam.PolicyStatement:
    return iam.PolicyStatement(
        sid="RefusePlainHttp",
        effect=iam.Effect.DENY,
        actions=["*"],
        resources=["*"],  # A denial: the wider, the safer.
        conditions={"Bool": {"aws:SecureTransport": "false"}},
    )
