"""The resource policy of a connection's secret: whatever other policies allow, nobody else touches the login."""

from collections.abc import Sequence

from aws_cdk import aws_iam as iam


def secret_policy(
    *,
    account_root_arn: str,
    deploy_role_arn: str,
    writer_arn: str,
    reader_arns: Sequence[str],
    break_glass_role_arns: Sequence[str],
) -> iam.PolicyDocument:
    """Denials only: what they leave open still needs an allowance in the caller's own policies.

    Args:
        account_root_arn: may change this policy, so that a mistake in it can be undone.
        deploy_role_arn: CloudFormation's role, which makes, changes and removes the secret.
        writer_arn: the pull role, whose function writes the login.
        reader_arns: the Airflow workers' roles.
        break_glass_role_arns: may read, roll back to an earlier version, and take a deletion back.
    """
    return iam.PolicyDocument(
        statements=[
            _nobody_but(
                [writer_arn, deploy_role_arn],
                "WriteOnlyByRefresh",
                [
                    "secretsmanager:CancelRotateSecret",
                    "secretsmanager:DeleteSecret",
                    "secretsmanager:PutSecretValue",
                    "secretsmanager:RemoveRegionsFromReplication",
                    "secretsmanager:ReplicateSecretToRegions",
                    "secretsmanager:RotateSecret",
                    "secretsmanager:StopReplicationToReplica",
                    "secretsmanager:TagResource",
                    "secretsmanager:UntagResource",
                    "secretsmanager:UpdateSecret",
                ],
            ),
            _nobody_but(
                [deploy_role_arn, *break_glass_role_arns],
                "RollBackOnlyByBreakGlass",
                ["secretsmanager:RestoreSecret", "secretsmanager:UpdateSecretVersionStage"],
            ),
            _nobody_but(
                [*reader_arns, deploy_role_arn, *break_glass_role_arns],
                "ReadOnlyByWorkers",
                ["secretsmanager:GetSecretValue"],
            ),
            _nobody_but(
                [deploy_role_arn, account_root_arn],
                "ChangePolicyOnlyByDeploy",
                ["secretsmanager:DeleteResourcePolicy", "secretsmanager:PutResourcePolicy"],
            ),
            iam.PolicyStatement(
                sid="RefusePlainHttp",
                effect=iam.Effect.DENY,
                principals=[iam.AnyPrincipal()],
                actions=["secretsmanager:*"],
                resources=["*"],  # In a secret's policy: this secret.
                conditions={"Bool": {"aws:SecureTransport": "false"}},
            ),
        ]
    )


def _nobody_but(principal_arns: Sequence[str], sid: str, actions: list[str]) -> iam.PolicyStatement:
    return iam.PolicyStatement(
        sid=sid,
        effect=iam.Effect.DENY,
        principals=[iam.AnyPrincipal()],
        actions=actions,
        resources=["*"],  # In a secret's policy: this secret.
        conditions={"ArnNotEquals": {"aws:PrincipalArn": list(principal_arns)}},
    )
