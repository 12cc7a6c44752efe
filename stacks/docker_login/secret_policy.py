"""The resource policy of a connection's secret.

Only the principals in this policy can use the docker login, even if other policies allow other principals to use it.
"""

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
    """Return the policy, which consists of Deny statements.

    A principal that the policy does not deny still needs permissions in an identity-based policy.

    Args:
        account_root_arn: The ARN of the account's root user. The root user may change this policy, so that a mistake in
            the policy can be corrected.
        deploy_role_arn: The ARN of the role that CloudFormation assumes. This role creates, changes and deletes the
            secret.
        writer_arn: The ARN of the pull role. The function with this role writes the docker login.
        reader_arns: The ARNs of the Airflow workers' roles.
        break_glass_role_arns: The ARNs of the roles that may read the docker login, roll it back to an earlier version,
            and cancel the deletion of the secret.
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
                resources=["*"],  # In the policy of a secret, the resource "*" is the secret itself.
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
        resources=["*"],  # In the policy of a secret, the resource "*" is the secret itself.
        conditions={"ArnNotEquals": {"aws:PrincipalArn": list(principal_arns)}},
    )
