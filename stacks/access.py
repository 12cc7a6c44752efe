"""Who may push: one role per team."""

from aws_cdk import CfnOutput, Duration, Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from stacks import image_rights
from stacks.environment import Environment, Push, pascal_case
from stacks.permissions_boundary import keep_within_boundary


class AccessStack(Stack):
    """One push role per team, which its analysts assume; it opens their team's repositories and nothing else."""

    def __init__(self, scope: Construct, construct_id: str, *, environment: Environment) -> None:
        super().__init__(scope, construct_id)

        keep_within_boundary(self, environment)
        roles = Construct(self, "PushRoles")
        for name, team in environment.teams.items():
            # Resources
            role = iam.Role(
                roles,
                pascal_case(name),
                role_name=environment.push_role_name(name),
                path=environment.role_path,
                description=f"Push images to the repositories of the team {name}",
                assumed_by=_pushers(self, team.push),
                max_session_duration=Duration.hours(1),
                inline_policies={
                    "PushImages": iam.PolicyDocument(
                        statements=[
                            image_rights.push(self, name),
                            image_rights.log_in(),
                            _refuse_plain_http(),
                        ]
                    )
                },
            )

            # Outputs
            CfnOutput(
                self,
                f"PushRoleArn{pascal_case(name)}",
                value=role.role_arn,
                description=f"What the analysts of the team {name} assume to push",
            )


def _pushers(stack: Stack, push: Push) -> iam.IPrincipal:
    principals: list[iam.IPrincipal] = [iam.ArnPrincipal(arn) for arn in push.role_arns]
    for user_arn in push.user_arns:
        user = iam.ArnPrincipal(user_arn)
        # Bool, never BoolIfExists: a session without the key is a session without MFA.
        mfa = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
        principals.append(user.with_conditions(mfa) if push.require_mfa else user)
    if push.permission_sets:
        # IAM Identity Center makes a role per permission set, with sixteen random characters at its name's end.
        # Its path names the region of Identity Center, except where that is us-east-1.
        patterns = [
            stack.format_arn(
                service="iam",
                region="",
                resource="role",
                resource_name=f"aws-reserved/sso.amazonaws.com*/AWSReservedSSO_{name}_{'?' * 16}",
            )
            for name in push.permission_sets
        ]
        account = iam.AccountPrincipal(stack.account)
        principals.append(account.with_conditions({"ArnLike": {"aws:PrincipalArn": patterns}}))
    return iam.CompositePrincipal(*principals)


def _refuse_plain_http() -> iam.PolicyStatement:
    return iam.PolicyStatement(
        sid="RefusePlainHttp",
        effect=iam.Effect.DENY,
        actions=["*"],
        resources=["*"],  # A denial: the wider, the safer.
        conditions={"Bool": {"aws:SecureTransport": "false"}},
    )
