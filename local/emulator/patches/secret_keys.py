"""Secrets Manager: the KMS key that encrypts a secret, and the permissions that its callers need on the key.

AWS:
- Secrets Manager calls KMS on behalf of its caller: GenerateDataKey for PutSecretValue, Decrypt for GetSecretValue.
  The encryption context contains SecretARN and SecretVersionId (user guide, "Secret encryption and decryption"). KMS
  evaluates the caller's policies and the key's policy, with kms:ViaService. Without the permission, the request fails
  with AccessDeniedException, "Access to KMS is not allowed" (aws-cdk issue 7677).
- "When you establish or change the KMS key", Secrets Manager also calls GenerateDataKey and Decrypt to check the
  caller's permissions. "You can identify these validation calls because the value of the SecretVersionId key
  encryption context in these requests is RequestToValidateKeyAccess" (the same page).
- A change of the key encrypts the versions AWSCURRENT, AWSPENDING and AWSPREVIOUS again. They stay encrypted with the
  previous key only if the caller lacks kms:Encrypt on the new key (API reference, UpdateSecret) or kms:Decrypt on the
  previous key (user guide).
- With a disabled KMS key, or one that is scheduled for deletion, PutSecretValue fails with EncryptionFailure and
  GetSecretValue with DecryptionFailure (API reference).

MiniStack:
- Does not ask KMS.

The patch:
- Asks KMS as AWS does. Where sources disagree, the patch is as strict as the strictest source, so that a template that
  works here works on AWS:
  - A public project allows RequestToValidateKeyAccess as SecretARN, not as SecretVersionId
    (cdklabs/aws-delivlib). Here, the caller needs the permission in both forms.
  - An older user guide says that a write needs kms:Decrypt too. The current one says so only for a repeated write.
    Here, each write needs it.
  - The user guide says that a reader can use "the previous key or the new key" after a change of the key. Here, the
    reader needs the new key.
- Does not know grants, and accepts a key that does not exist. MiniStack's root user may use every key.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from ministack.core.responses import error_response_json, get_region
from ministack.services import kms

from local.emulator import authorization

RE_ENCRYPTED_LABELS = {"AWSCURRENT", "AWSPENDING", "AWSPREVIOUS"}
VALIDATION = "RequestToValidateKeyAccess"

Secret = dict[str, Any]
Version = dict[str, Any]
Key = dict[str, Any]
Refusal = Any  # the answer of a refused request, or None

# The key in MiniStack's record of a version for the id of the version's KMS key. Versions without it are encrypted with
# the secret's current KMS key.
_PREVIOUS_KEY_ID = "LocalKmsKeyId"

_actor: ContextVar[authorization.Credential] = ContextVar("actor")


@contextmanager
def acting_as(credential: authorization.Credential) -> Iterator[None]:
    """Ask KMS on behalf of this credential instead of the caller of the current request."""
    token = _actor.set(credential)
    try:
        yield
    finally:
        _actor.reset(token)


def refuse_read(secret: Secret, version_id: str) -> Refusal:
    """Return the answer to a refused read of a version, or None if the caller may use the version's key."""
    key = _key_of_version(secret, secret["Versions"][version_id])
    if not key:
        return None
    if not _may_use(key, ["Decrypt"], secret["ARN"], version_id):
        return _access_denied()
    if kms._check_key_state(key):
        return error_response_json("DecryptionFailure", _UNUSABLE.format("decrypt"), 400)
    return None


def refuse_write(secret: Secret, version_id: str) -> Refusal:
    """Return the answer to a refused write of a version, or None if the caller may use the secret's key."""
    key = _key(secret.get("KmsKeyId"))
    if not key:
        return None
    if not _may_use(key, ["GenerateDataKey", "Decrypt"], secret["ARN"], version_id):
        return _access_denied()
    if kms._check_key_state(key):
        return error_response_json("EncryptionFailure", _UNUSABLE.format("encrypt"), 400)
    return None


def refuse_key(secret: Secret, key_id: str | None) -> Refusal:
    """Return the answer if the caller may not set this key on the secret, or None."""
    key = _key(key_id)
    if not key:
        return None
    for secret_arn in (secret["ARN"], VALIDATION):
        if not _may_use(key, ["GenerateDataKey", "Decrypt"], secret_arn, VALIDATION):
            return _access_denied()
    return None


def change_key(secret: Secret, key_id: str | None) -> Refusal:
    """Set another key on a secret, and encrypt the versions with labels again. Return the answer if this is refused."""
    if _key(key_id) == _key(secret.get("KmsKeyId")):
        return None
    refusal = refuse_key(secret, key_id)
    if refusal:
        return refusal
    previous_id, new_key = secret.get("KmsKeyId"), _key(key_id)
    for version_id, version in secret["Versions"].items():
        is_encrypted_again = (
            not RE_ENCRYPTED_LABELS.isdisjoint(version["Stages"])
            and not refuse_read(secret, version_id)
            and (not new_key or _may_use(new_key, ["Encrypt"], secret["ARN"], version_id))
        )
        if is_encrypted_again:
            version.pop(_PREVIOUS_KEY_ID, None)
        else:
            version.setdefault(_PREVIOUS_KEY_ID, previous_id)
    secret["KmsKeyId"] = key_id
    return None


_UNUSABLE = "Secrets Manager can't {} the protected secret text using the provided KMS key."


def _access_denied() -> Any:
    return error_response_json("AccessDeniedException", "Access to KMS is not allowed", 400)


def _key_of_version(secret: Secret, version: Version) -> Key | None:
    return _key(version.get(_PREVIOUS_KEY_ID, secret.get("KmsKeyId")))


def _key(key_id: str | None) -> Key | None:
    """Return MiniStack's record of a key. None is the AWS managed key, which every principal of the account may use."""
    key: Key | None = kms._resolve_key(key_id)
    return key


def _may_use(key: Key, operations: list[str], secret_arn: str, version_id: str) -> bool:
    principal = authorization.principal_of(_actor.get(None) or authorization.caller())
    context = {
        "kms:ViaService": f"secretsmanager.{get_region()}.amazonaws.com",
        "kms:CallerAccount": principal.account,
        "kms:EncryptionContextKeys": ["SecretARN", "SecretVersionId"],
        "kms:EncryptionContext:SecretARN": secret_arn,
        "kms:EncryptionContext:SecretVersionId": version_id,
    }
    decisions = (authorization.decide(principal, f"kms:{name}", key["Arn"], context) for name in operations)
    return all(decision.decision == "Allow" for decision in decisions)
