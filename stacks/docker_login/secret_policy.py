"""The resource policy of a connection's secret.

Only the principals in this policy can use the docker login, even if other policies allow other principals to use it.
"""

from collections.abc import Sequence

from aws_cdk import aws_iam as iam

# The actions that do not change a secret and do not return its value. The policy denies every other action that it does
# not list, also actions that AWS adds later.
_READ_METADATA_ACTIONS = [
    "secretsmanager:DescribeSecret",
    "secretsmanager:GetResourcePolicy",
    "secretsmanager:ListSecretVersionIds",
    "secretsmanager:ValidateResourcePolicy",
]
_READ_ACTIONS = ["secretsmanager:GetSecretValue"]
_WRITE_ACTIONS = ["secretsmanager:PutSecretValue"]
_ROLL_BACK_ACTIONS = ["secretsmanager:UpdateSecretVersionStage"]
_RESTORE_ACTIONS = ["secretsmanager:RestoreSecret"]
_POLICY_ACTIONS = ["secretsmanager:DeleteResourcePolicy", "secretsmanager:PutResourcePolicy"]
# Both actions copy the docker login: to another Region, and to another account.
_REPLICATION_ACTIONS = ["secretsmanager:AssociateCrossAccountReplica", "secretsmanager:ReplicateSecretToRegions"]

_THIS_SECRET = "*"  # In the policy of a secret, the resource "*" is the secret itself.


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
        account_root_arn: The ARN of the account's root user. The root user may change this policy and cancel the
            deletion of the secret, so that a mistake can be corrected.
        deploy_role_arn: The ARN of the role that CloudFormation assumes. This role creates, changes and deletes the
            secret.
        writer_arn: The ARN of the pull role. The function with this role writes the docker login.
        reader_arns: The ARNs of the Airflow workers' roles.
        break_glass_role_arns: The ARNs of the roles that may read the docker login, roll it back to an earlier version,
            cancel the deletion of the secret, and change this policy. If there are none, every principal with an
            identity-based policy that allows it may cancel the deletion.
    """
    statements = [
        iam.PolicyStatement(
            sid="ReplicateNever",
            effect=iam.Effect.DENY,
            principals=[iam.AnyPrincipal()],
            actions=_REPLICATION_ACTIONS,
            resources=[_THIS_SECRET],
        ),
        _deny_all_except([writer_arn, deploy_role_arn], "WriteOnlyByRefresh", actions=_WRITE_ACTIONS),
        _deny_all_except(
            [*reader_arns, deploy_role_arn, *break_glass_role_arns], "ReadOnlyByWorkers", actions=_READ_ACTIONS
        ),
        _deny_all_except(
            [deploy_role_arn, *break_glass_role_arns], "RollBackOnlyByBreakGlass", actions=_ROLL_BACK_ACTIONS
        ),
        _deny_all_except(
            [deploy_role_arn, account_root_arn, *break_glass_role_arns],
            "ChangePolicyOnlyByDeploy",
            actions=_POLICY_ACTIONS,
        ),
        _deny_all_except(
            [deploy_role_arn],
            "ChangeOnlyByDeploy",
            not_actions=[
                *_READ_METADATA_ACTIONS,
                *_READ_ACTIONS,
                *_WRITE_ACTIONS,
                *_ROLL_BACK_ACTIONS,
                *_RESTORE_ACTIONS,
                *_POLICY_ACTIONS,
            ],
        ),
        iam.PolicyStatement(
            sid="RefusePlainHttp",
            effect=iam.Effect.DENY,
            principals=[iam.AnyPrincipal()],
            actions=["secretsmanager:*"],
            resources=[_THIS_SECRET],
            conditions={"Bool": {"aws:SecureTransport": "false"}},
        ),
    ]
    if break_glass_role_arns:
        statements.append(
            _deny_all_except(
                [deploy_role_arn, account_root_arn, *break_glass_role_arns],
                "RestoreOnlyByBreakGlass",
                actions=_RESTORE_ACTIONS,
            )
        )
    return iam.PolicyDocument(statements=statements)


def _deny_all_except(
    principal_arns: Sequence[str],
    sid: str,
    *,
    actions: Sequence[str] | None = None,
    not_actions: Sequence[str] | None = None,
) -> iam.PolicyStatement:
    return iam.PolicyStatement(
        sid=sid,
        effect=iam.Effect.DENY,
        principals=[iam.AnyPrincipal()],
        actions=list(actions) if actions else None,
        not_actions=list(not_actions) if not_actions else None,
        resources=[_THIS_SECRET],
        conditions={"ArnNotEquals": {"aws:PrincipalArn": list(principal_arns)}},
    )
