"""The customer's own key for the connections' secrets, and who may use it."""

from collections.abc import Sequence

from aws_cdk import ArnFormat, Duration, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from settings.environment import Environment
from settings.names import pascal_case

# Listed one by one: `kms:Create*` would include CreateGrant, with which an administrator grants himself Decrypt.
_ADMIN_ACTIONS = [
    "kms:CancelKeyDeletion",
    "kms:CreateAlias",
    "kms:DeleteAlias",
    "kms:DescribeKey",
    "kms:DisableKey",
    "kms:DisableKeyRotation",
    "kms:EnableKey",
    "kms:EnableKeyRotation",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:ListGrants",
    "kms:ListKeyPolicies",
    "kms:ListResourceTags",
    "kms:PutKeyPolicy",
    "kms:RevokeGrant",
    "kms:ScheduleKeyDeletion",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:UpdateAlias",
    "kms:UpdateKeyDescription",
]
# What Secrets Manager asks the key for on its caller's behalf (its User Guide, "Secret encryption and decryption"): for
# a writer a new data key, and to read it back; for a reader to decrypt; for who sets a secret's key all of that, and to
# encrypt anew what is there.
WRITE_ACTIONS = ["kms:Decrypt", "kms:GenerateDataKey"]
READ_ACTIONS = ["kms:Decrypt"]
_DEPLOY_ACTIONS = ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"]


class SecretKey(kms.Key):
    """A KMS key that only Secrets Manager can be asked to use, for this environment's connections alone."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: Environment,
        reader_arns: Sequence[str],
        deploy_role_arn: str,
    ) -> None:
        self._environment = environment
        self._secrets_arn = Stack.of(scope).format_arn(
            service="secretsmanager",
            resource="secret",
            resource_name=environment.secret_name(""),
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        super().__init__(
            scope,
            construct_id,
            description=f"Docker logins of the Airflow connections of {environment.name}",
            policy=iam.PolicyDocument(
                statements=[
                    iam.PolicyStatement(
                        sid="Administer",
                        principals=[iam.AccountRootPrincipal()],
                        actions=_ADMIN_ACTIONS,
                        resources=["*"],  # In a key policy: this key.
                    ),
                    self._use("Deploy", _DEPLOY_ACTIONS, [deploy_role_arn]),
                    self._use("Read", READ_ACTIONS, reader_arns),
                ]
            ),
            enable_key_rotation=True,
            # All that it encrypts can be minted again.
            removal_policy=RemovalPolicy.DESTROY,
            pending_window=Duration.days(7),
        )

    def let_write(self, connection_id: str, role_arn: str) -> iam.PolicyStatement:
        """Let a role write one connection's secret; returns the statement that was added to the key's policy."""
        statement = self._use(f"Write{pascal_case(connection_id)}", WRITE_ACTIONS, [role_arn], connection_id)
        self.add_to_resource_policy(statement)
        return statement

    def only_for(self, connection_id: str = "*") -> dict[str, dict[str, str]]:
        """Conditions: asked by Secrets Manager, for the secret of one connection, or of any of ours."""
        # Secrets Manager ends the ARN of a secret with a hyphen and six characters of its own.
        secret = connection_id if connection_id == "*" else f"{connection_id}-??????"
        return {
            "StringEquals": {"kms:ViaService": f"secretsmanager.{self._environment.region}.amazonaws.com"},
            # It names the secret in the encryption context (its User Guide, "Secret encryption").
            "StringLike": {"kms:EncryptionContext:SecretARN": f"{self._secrets_arn}{secret}"},
        }

    def _use(
        self, sid: str, actions: Sequence[str], role_arns: Sequence[str], connection_id: str = "*"
    ) -> iam.PolicyStatement:
        """Exactly these roles, and only as far as their own policies allow it too."""
        return iam.PolicyStatement(
            sid=sid,
            principals=[iam.AccountRootPrincipal()],
            actions=list(actions),
            resources=["*"],  # In a key policy: this key.
            conditions={**self.only_for(connection_id), "ArnEquals": {"aws:PrincipalArn": list(role_arns)}},
        )
