"""The KMS keys of secrets: who may read, write and create a secret with a customer managed key."""

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from local.embedded_aws import ACCOUNT, REGION, EmbeddedAws
from tests.local.emulator.patches.support import (
    Credentials,
    Statement,
    allow,
    deploy,
    deploy_with_role,
    grant,
    refused,
    resource,
    session_of_a_role,
    trust,
)

DENIED = "AccessDeniedException: Access to KMS is not allowed"
VALIDATION = "RequestToValidateKeyAccess"
VIA_SECRETS_MANAGER = {"kms:ViaService": f"secretsmanager.{REGION}.amazonaws.com"}
USE_SECRETS = allow("secretsmanager:*")
ANY_PRINCIPAL_OF_THE_ACCOUNT = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}


def arn_of_role(name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:role/{name}"


def a_key(aws: EmbeddedAws, *statements: Statement) -> str:
    """Create a key, and return its ARN. Without statements, the key's policy refers to the identity-based policies."""
    policy = {"Version": "2012-10-17", "Statement": list(statements)}
    settings = {"Policy": json.dumps(policy), "BypassPolicyLockoutSafetyCheck": True} if statements else {}
    return str(aws.client("kms").create_key(**settings)["KeyMetadata"]["Arn"])


def a_name() -> str:
    return f"encrypted/{uuid.uuid4().hex}"


def a_secret(aws: EmbeddedAws, key: str | None = None) -> str:
    """Create a secret with the value "first", and return its name."""
    settings = {"KmsKeyId": key} if key else {}
    return str(aws.client("secretsmanager").create_secret(Name=a_name(), SecretString="first", **settings)["Name"])


def secrets_manager(aws: EmbeddedAws, *statements: Statement) -> Any:
    """Return a client of a new role that may use all secrets, and that has these permissions on keys."""
    return aws.client("secretsmanager", session_of_a_role(aws, uuid.uuid4().hex, USE_SECRETS, *statements))


def matching(**context: str) -> dict[str, Any]:
    of_the_context = {f"kms:EncryptionContext:{name}": value for name, value in context.items()}
    return {"StringLike": {**VIA_SECRETS_MANAGER, **of_the_context}}


def test_reading_a_secret_needs_the_permission_to_decrypt_with_its_key(aws: EmbeddedAws) -> None:
    secret = a_secret(aws, a_key(aws))
    assert refused(secrets_manager(aws).get_secret_value, SecretId=secret) == DENIED
    assert refused(secrets_manager(aws, allow("kms:GenerateDataKey")).get_secret_value, SecretId=secret) == DENIED
    assert secrets_manager(aws, allow("kms:Decrypt")).get_secret_value(SecretId=secret)["SecretString"] == "first"


def test_reading_secrets_in_a_batch_needs_the_permission_to_decrypt(aws: EmbeddedAws) -> None:
    secrets = [a_secret(aws, a_key(aws)), a_secret(aws)]
    answer = secrets_manager(aws).batch_get_secret_value(SecretIdList=secrets)
    assert [value["Name"] for value in answer["SecretValues"]] == secrets[1:]
    assert [(error["SecretId"], error["ErrorCode"]) for error in answer["Errors"]] == [
        (secrets[0], "AccessDeniedException")
    ]


def test_writing_a_secret_needs_the_permission_to_encrypt_with_its_key(aws: EmbeddedAws) -> None:
    secret = a_secret(aws, a_key(aws))
    for permissions in ((), ("kms:Decrypt",), ("kms:GenerateDataKey",)):
        writer = secrets_manager(aws, *map(allow, permissions))
        assert refused(writer.put_secret_value, SecretId=secret, SecretString="second") == DENIED
        assert refused(writer.update_secret, SecretId=secret, SecretString="second") == DENIED
    writer = secrets_manager(aws, allow("kms:Decrypt", "kms:GenerateDataKey"))
    writer.put_secret_value(SecretId=secret, SecretString="second")
    assert writer.get_secret_value(SecretId=secret)["SecretString"] == "second"


def test_a_key_policy_that_allows_a_principal_nothing_is_stronger_than_the_principals_own_policy(
    aws: EmbeddedAws,
) -> None:
    other_role = {"ArnEquals": {"aws:PrincipalArn": arn_of_role("another")}}
    use = allow("kms:*", Principal=ANY_PRINCIPAL_OF_THE_ACCOUNT, Condition=other_role)
    reader = secrets_manager(aws, allow("kms:*"))
    assert refused(reader.get_secret_value, SecretId=a_secret(aws, a_key(aws, use))) == DENIED


def test_permissions_can_be_limited_to_secrets_manager_and_to_a_secret_and_a_version(aws: EmbeddedAws) -> None:
    key = a_key(aws)
    secret, other = a_secret(aws, key), a_secret(aws, key)
    described = aws.client("secretsmanager").describe_secret(SecretId=secret)
    [version] = described["VersionIdsToStages"]
    exact = matching(SecretARN=described["ARN"], SecretVersionId=version)
    role = session_of_a_role(aws, "reads-one-version", USE_SECRETS, allow("kms:Decrypt", Condition=exact))
    reader = aws.client("secretsmanager", role)
    assert reader.get_secret_value(SecretId=secret)["VersionId"] == version
    assert refused(reader.get_secret_value, SecretId=other) == DENIED

    grant(aws, "reads-one-version", USE_SECRETS, allow("kms:Decrypt", Condition=matching(SecretVersionId="other")))
    assert refused(reader.get_secret_value, SecretId=secret) == DENIED
    through_another_service = {"StringEquals": {"kms:ViaService": f"sqs.{REGION}.amazonaws.com"}}
    grant(aws, "reads-one-version", USE_SECRETS, allow("kms:Decrypt", Condition=through_another_service))
    assert refused(reader.get_secret_value, SecretId=secret) == DENIED


# A source says that the value that marks a validation is in SecretVersionId, another one that it is in SecretARN.
IN_SECRET_VERSION_ID = matching(SecretARN="arn:*", SecretVersionId=VALIDATION)
IN_SECRET_ARN = matching(SecretARN=VALIDATION)
BOTH = [IN_SECRET_VERSION_ID, IN_SECRET_ARN]


def with_conditions(*conditions: dict[str, Any]) -> list[Statement]:
    return [allow("kms:Decrypt", "kms:GenerateDataKey", Condition=condition) for condition in conditions]


def create_with_a_request(aws: EmbeddedAws, credentials: Credentials, role: str, key: str) -> str:
    name = a_name()
    try:
        aws.client("secretsmanager", credentials).create_secret(Name=name, KmsKeyId=key)
    except Exception as error:
        assert "ResourceNotFound" in refused(aws.client("secretsmanager").describe_secret, SecretId=name)
        return str(error)
    return "allowed"


def update_with_a_request(aws: EmbeddedAws, credentials: Credentials, role: str, key: str) -> str:
    try:
        aws.client("secretsmanager", credentials).update_secret(SecretId=a_secret(aws), KmsKeyId=key)
    except Exception as error:
        return str(error)
    return "allowed"


def create_with_a_template(aws: EmbeddedAws, credentials: Credentials, role: str, key: str) -> str:
    secret = resource("SecretsManager::Secret", {"Name": a_name(), "KmsKeyId": key})
    deployed = deploy_with_role(aws, f"stack-{uuid.uuid4().hex}", arn_of_role(role), {"Secret": secret})
    return "allowed" if deployed.status == "CREATE_COMPLETE" else deployed.failures


def update_with_a_template(aws: EmbeddedAws, credentials: Credentials, role: str, key: str) -> str:
    stack, name = f"stack-{uuid.uuid4().hex}", a_name()
    deploy_with_role(aws, stack, arn_of_role(role), {"Secret": resource("SecretsManager::Secret", {"Name": name})})
    # CloudFormation uses the role of an earlier deployment.
    deployed = deploy(aws, stack, Secret=resource("SecretsManager::Secret", {"Name": name, "KmsKeyId": key}))
    return "allowed" if deployed.status == "UPDATE_COMPLETE" else deployed.failures


@pytest.mark.parametrize(
    "establish_a_key",
    [create_with_a_request, update_with_a_request, create_with_a_template, update_with_a_template],
)
def test_setting_a_key_on_a_secret_needs_the_permissions_of_both_forms_of_the_validation(
    aws: EmbeddedAws, establish_a_key: Callable[[EmbeddedAws, Credentials, str, str], str]
) -> None:
    key, role = a_key(aws), uuid.uuid4().hex
    credentials = session_of_a_role(aws, role, USE_SECRETS)
    for conditions in ([IN_SECRET_VERSION_ID], [IN_SECRET_ARN]):
        grant(aws, role, USE_SECRETS, *with_conditions(*conditions))
        assert "Access to KMS is not allowed" in establish_a_key(aws, credentials, role, key)
    grant(aws, role, USE_SECRETS, *with_conditions(*BOTH))
    assert establish_a_key(aws, credentials, role, key) == "allowed"


def test_after_a_change_of_the_key_only_the_new_key_opens_the_versions_with_labels(aws: EmbeddedAws) -> None:
    old, new = a_key(aws), a_key(aws)
    secret = a_secret(aws, old)
    root = aws.client("secretsmanager")
    [oldest] = root.describe_secret(SecretId=secret)["VersionIdsToStages"]
    for value in ("second", "third"):
        root.put_secret_value(SecretId=secret, SecretString=value)

    root.update_secret(SecretId=secret, KmsKeyId=new)

    of_the_old, of_the_new = (secrets_manager(aws, allow("kms:Decrypt", on=key)) for key in (old, new))
    for label, value in (("AWSCURRENT", "third"), ("AWSPREVIOUS", "second")):
        assert of_the_new.get_secret_value(SecretId=secret, VersionStage=label)["SecretString"] == value
        assert refused(of_the_old.get_secret_value, SecretId=secret, VersionStage=label) == DENIED
    assert of_the_old.get_secret_value(SecretId=secret, VersionId=oldest)["SecretString"] == "first"
    assert refused(of_the_new.get_secret_value, SecretId=secret, VersionId=oldest) == DENIED


@pytest.mark.parametrize("lacks", ["kms:Encrypt on the new key", "kms:Decrypt on the previous key"])
def test_versions_keep_their_key_if_the_caller_may_not_encrypt_them_again(aws: EmbeddedAws, lacks: str) -> None:
    old, new = a_key(aws), a_key(aws)
    secret = a_secret(aws, old)
    on_the_new = ("kms:Decrypt", "kms:GenerateDataKey", "kms:Encrypt")
    permissions = {
        "kms:Encrypt on the new key": [allow(*on_the_new[:2], on=new), allow("kms:Decrypt", on=old)],
        "kms:Decrypt on the previous key": [allow(*on_the_new, on=new)],
    }
    updater = secrets_manager(aws, *permissions[lacks])

    updater.update_secret(SecretId=secret, KmsKeyId=new)

    of_the_old, of_the_new = (secrets_manager(aws, allow("kms:Decrypt", on=key)) for key in (old, new))
    assert of_the_old.get_secret_value(SecretId=secret)["SecretString"] == "first"
    assert refused(of_the_new.get_secret_value, SecretId=secret) == DENIED
    updater.put_secret_value(SecretId=secret, SecretString="second")
    assert of_the_new.get_secret_value(SecretId=secret)["SecretString"] == "second"


def test_a_secret_cannot_be_used_while_its_key_is_disabled(aws: EmbeddedAws) -> None:
    kms, secrets = aws.client("kms"), aws.client("secretsmanager")
    key = a_key(aws)
    secret = a_secret(aws, key)
    kms.disable_key(KeyId=key)
    assert refused(secrets.get_secret_value, SecretId=secret).startswith("DecryptionFailure: ")
    write = {"SecretId": secret, "SecretString": "second"}
    assert refused(secrets.put_secret_value, **write).startswith("EncryptionFailure: ")

    kms.enable_key(KeyId=key)
    assert secrets.get_secret_value(SecretId=secret)["SecretString"] == "first"
    secrets.put_secret_value(**write)


def test_a_function_needs_the_permissions_of_its_role_on_the_key(aws: EmbeddedAws) -> None:
    key = a_key(aws)
    secret = a_secret(aws, key)
    code = (
        "import boto3\n"
        "def handle(event, context):\n"
        "    boto3.client('secretsmanager').put_secret_value(SecretId=event, SecretString='written')\n"
    )
    aws.client("iam").create_role(
        RoleName="writes-with-a-key", AssumeRolePolicyDocument=json.dumps(trust(Service="lambda.amazonaws.com"))
    )
    grant(aws, "writes-with-a-key", USE_SECRETS)
    function = resource(
        "Lambda::Function",
        {
            "FunctionName": "writes-with-a-key",
            "Role": arn_of_role("writes-with-a-key"),
            "Runtime": "python3.13",
            "Handler": "index.handle",
            "Timeout": 20,
            "Code": {"ZipFile": code},
        },
    )
    assert deploy(aws, "writes-with-a-key", Function=function).status == "CREATE_COMPLETE"

    def invoke() -> dict[str, Any]:
        return dict(aws.client("lambda").invoke(FunctionName="writes-with-a-key", Payload=json.dumps(secret)))

    answer = invoke()
    assert "Access to KMS is not allowed" in answer["Payload"].read().decode()
    grant(aws, "writes-with-a-key", USE_SECRETS, allow("kms:GenerateDataKey", "kms:Decrypt", on=key))
    assert "FunctionError" not in invoke()
