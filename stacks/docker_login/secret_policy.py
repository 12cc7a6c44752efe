"""The resource policy of a connection's secret. Only named principals may use the login, whatever else allows it."""

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
    """Return the policy, which consists of denials.

    A principal that the policy does not deny still needs permissions in its own policies.

    Args:
        account_root_arn: The account's root. It may change this policy, so that a mistake in it can be undone.
        deploy_role_arn: CloudFormation's role, which creates, changes and deletes the secret.
        writer_arn: The pull role. Its function writes the login.
        reader_arns: The roles of the Airflow workers.
        break_glass_role_arns: Roles that may read, roll back to an earlier version, and cancel a deletion.
    """
    return iam.PolicyDocument(
        statements=[
            _deny_all_except(
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
            _deny_all_except(
                [deploy_role_arn, *break_glass_role_arns],
                "RollBackOnlyByBreakGlass",
                ["secretsmanager:RestoreSecret", "secretsmanager:UpdateSecretVersionStage"],
            ),
            _deny_all_except(
                [*reader_arns, deploy_role_arn, *break_glass_role_arns],
                "ReadOnlyByWorkers",
                ["secretsmanager:GetSecretValue"],
            ),
            _deny_all_except(
                [deploy_role_arn, account_root_arn],
                "ChangePolicyOnlyByDeploy",
                ["secretsmanager:DeleteResourcePolicy", "secretsmanager:PutResourcePolicy"],
            ),
            iam.PolicyStatement(
                sid="RefusePlainHttp",
                effect=iam.Effect.DENY,
                principals=[iam.AnyPrincipal()],
                actions=["secretsmanager:*"],
                resources=["*"],  # In a secret's policy, this means the secret.
                conditions={"Bool": {"aws:SecureTransport": "false"}},
            ),
        ]
    )


def _deny_all_except(principal_arns: Sequence[str], sid: str, actions: list[str]) -> iam.PolicyStatement:
    return iam.PolicyStatement(
        sid=sid,
        effect=iam.Effect.DENY,
        principals=[iam.AnyPrincipal()],
        actions=actions,
        resources=["*"],  # In a secret's policy, this means the secret.
        conditions={"ArnNotEquals": {"aws:PrincipalArn": list(principal_arns)}},
    )
