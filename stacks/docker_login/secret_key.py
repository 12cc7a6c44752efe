"""The customer managed key for the connections' secrets, and the policy of the key."""

from collections.abc import Mapping, Sequence

from aws_cdk import ArnFormat, Duration, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from settings.names import pascal_case

# The list contains no wildcard. For example, `kms:Create*` would include CreateGrant, and CreateGrant would allow
# administrators to grant themselves Decrypt.
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
# Secrets Manager calls KMS with the permissions of its caller (AWS Secrets Manager User Guide, "Secret encryption and
# decryption"). A write generates a data key and decrypts the data key. A read decrypts the data key. A change of the
# secret's key does both, and it also encrypts the existing versions again.
WRITE_ACTIONS = ["kms:Decrypt", "kms:GenerateDataKey"]
READ_ACTIONS = ["kms:Decrypt"]
_DEPLOY_ACTIONS = ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"]
# Before Secrets Manager sets a key on a secret, it tests the key with the permissions of its caller. The encryption
# context of this test has this value instead of a version's id (AWS Secrets Manager User Guide, "Secret encryption and
# decryption"). Other sources also have this value as the secret's ARN. No version of a secret can have this id, because
# an id has at least 32 characters.
_KEY_TEST = "RequestToValidateKeyAccess"

_THIS_KEY = "*"  # In a key policy, the resource "*" is the key itself.


class SecretKey(kms.Key):
    """A KMS key that works only through Secrets Manager, and only for the secrets of this environment's connections."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        description: str,
        secret_name_prefix: str,
        reader_arns: Sequence[str],
        deploy_role_arn: str,
    ) -> None:
        """
        Args:
            scope: The parent construct.
            construct_id: The construct's id.
            description: The key's description.
            secret_name_prefix: The prefix of the secrets' names. The connection's id follows the prefix.
            reader_arns: The ARNs of the roles that may read the secrets.
            deploy_role_arn: The ARN of the role that CloudFormation assumes. This role sets this key on the secrets.
        """
        stack = Stack.of(scope)
        self._region = stack.region
        self._secret_arn_prefix = stack.format_arn(
            service="secretsmanager",
            resource="secret",
            resource_name=secret_name_prefix,
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        super().__init__(
            scope,
            construct_id,
            description=description,
            policy=iam.PolicyDocument(
                statements=[
                    iam.PolicyStatement(
                        sid="Administer",
                        principals=[iam.AccountRootPrincipal()],
                        actions=_ADMIN_ACTIONS,
                        resources=[_THIS_KEY],
                    ),
                    self._allow("Deploy", _DEPLOY_ACTIONS, [deploy_role_arn], self.conditions()),
                    *(
                        self._allow(
                            f"TestKeyBy{name}",
                            WRITE_ACTIONS,
                            [deploy_role_arn],
                            self._conditions({f"kms:EncryptionContext:{name}": _KEY_TEST}),
                        )
                        for name in ("SecretARN", "SecretVersionId")
                    ),
                    self._allow("Read", READ_ACTIONS, reader_arns, self.conditions()),
                ]
            ),
            enable_key_rotation=True,
            # The key encrypts only docker logins, and a refresh can create a docker login again.
            removal_policy=RemovalPolicy.DESTROY,
            pending_window=Duration.days(7),
        )

    def allow_write(self, connection_id: str, role_arn: str) -> iam.PolicyStatement:
        """Allow a role to write the secret of one connection.

        Returns:
            The statement that this method added to the key's policy.
        """
        statement = self._allow(
            f"Write{pascal_case(connection_id)}", WRITE_ACTIONS, [role_arn], self.conditions(connection_id)
        )
        self.add_to_resource_policy(statement)
        return statement

    def conditions(self, connection_id: str = "*") -> dict[str, dict[str, str]]:
        """Return conditions that limit the use of the key to Secrets Manager and to a connection's secret.

        Args:
            connection_id: The connection, or `*` for all connections of the environment.
        """
        # Secrets Manager adds a hyphen and six characters to the ARN of a secret.
        secret = connection_id if connection_id == "*" else f"{connection_id}-??????"
        # Secrets Manager puts the secret's ARN into the encryption context (AWS Secrets Manager User Guide, "Secret
        # encryption").
        return self._conditions({"kms:EncryptionContext:SecretARN": f"{self._secret_arn_prefix}{secret}"})

    def _conditions(self, encryption_context: Mapping[str, str]) -> dict[str, dict[str, str]]:
        return {
            "StringEquals": {"kms:ViaService": f"secretsmanager.{self._region}.amazonaws.com"},
            "StringLike": dict(encryption_context),
        }

    def _allow(
        self, sid: str, actions: Sequence[str], role_arns: Sequence[str], conditions: Mapping[str, Mapping[str, str]]
    ) -> iam.PolicyStatement:
        """Return a statement that allows only these roles. The roles also need an identity-based policy."""
        return iam.PolicyStatement(
            sid=sid,
            principals=[iam.AccountRootPrincipal()],
            actions=list(actions),
            resources=[_THIS_KEY],
            conditions={**conditions, "ArnEquals": {"aws:PrincipalArn": list(role_arns)}},
        )
