"""Secrets Manager: secrets without a value, repeated writes, versions, deleted secrets, encryption and last reads.

AWS:
- CreateSecret with neither SecretString nor SecretBinary creates a secret without a version and returns no VersionId
  (API reference, CreateSecret). GetSecretValue then answers ResourceNotFoundException: "Secrets Manager can't find the
  specified secret value for staging label: AWSCURRENT".
- PutSecretValue can have the ClientRequestToken of an existing version. With the same value, "the request is ignored.
  The operation is idempotent". With another value, the request fails "because you can't modify a secret version" (API
  reference, PutSecretValue). An SDK sends the same token with each retry.
- "Secrets Manager removes unlabeled versions when there are more than 100, but it does not remove versions created
  less than 24 hours ago. If you update the secret value more than once every 10 minutes, you create more versions than
  Secrets Manager removes, and you will reach the quota" (user guide, quotas). The request then fails with
  LimitExceededException. ListSecretVersionIds lists versions without labels only with IncludeDeprecated.
- PutResourcePolicy and DeleteResourcePolicy fail with InvalidRequestException while a secret is scheduled for deletion
  (API reference). CreateSecret fails with the same code and "already scheduled for deletion".
- Secrets Manager asks KMS before it encrypts or decrypts a value: see secret_keys.py.
- LastAccessedDate of DescribeSecret and ListSecrets "is truncated to midnight of the date and therefore shows only the
  date, not the time" (an older API reference). A secret that was never read has no LastAccessedDate.

MiniStack:
- Gives a new secret a version AWSCURRENT without a value, and GetSecretValue succeeds.
- Overwrites an existing version with any value, and loses AWSPREVIOUS.
- Keeps only versions with labels, and has no quota.
- Changes the policy of a secret that is scheduled for deletion. CreateSecret says that the secret exists.
- Does not ask KMS.
- LastAccessedDate contains the time, and changes also if GetSecretValue fails.

The patch:
- Does what AWS does. The age of a version and the date of the last read follow the movable clock.
- The documentation does not say at how many versions a request fails. One update every 10 minutes must work. This is
  144 versions in 24 hours, and the quota of the patch is a little higher.
"""

import json
import time
from collections.abc import Callable
from typing import Any

from ministack.core.responses import error_response_json, json_response, new_uuid
from ministack.services import secretsmanager

from local.emulator.patches import secret_keys

KEPT_VERSIONS = 100
MOST_VERSIONS = 150
DAY_SECONDS = 24 * 60 * 60
VERSION_IS_KEPT_SECONDS = DAY_SECONDS

Request = dict[str, Any]
Secret = dict[str, Any]

_create_secret = secretsmanager._create_secret
_get_secret_value = secretsmanager._get_secret_value
_put_secret_value = secretsmanager._put_secret_value
_describe_secret = secretsmanager._describe_secret
_list_secrets = secretsmanager._list_secrets
_list_secret_version_ids = secretsmanager._list_secret_version_ids
_update_secret = secretsmanager._update_secret
_put_resource_policy = secretsmanager._put_resource_policy
_delete_resource_policy = secretsmanager._delete_resource_policy


def create_secret(request: Request) -> Any:
    if secretsmanager._secrets.get(request.get("Name"), {}).get("DeletedDate"):
        return error_response_json("InvalidRequestException", NAME_IS_SCHEDULED_FOR_DELETION, 400)
    response = _create_secret(request)
    if response[0] != 200:
        return response
    created = json.loads(response[2])
    if "SecretString" not in request and "SecretBinary" not in request:
        drop_versions(created["Name"])
        response = json_response({"ARN": created["ARN"], "Name": created["Name"]})
    return refuse_new_secret(created["Name"]) or response


def refuse_new_secret(name: str) -> Any:
    """Delete a new secret and return the answer if the caller may not use the secret's key. Else return None."""
    secret = secretsmanager._secrets[name]
    refusal = secret_keys.refuse_key(secret, secret.get("KmsKeyId"))
    for version_id in secret["Versions"]:
        refusal = refusal or secret_keys.refuse_write(secret, version_id)
    if refusal:
        secretsmanager._purge_secret(name, secret)
    return refusal


NAME_IS_SCHEDULED_FOR_DELETION = (
    "You can't create this secret because a secret with this name is already scheduled for deletion."
)


def drop_versions(name: str) -> None:
    secretsmanager._secrets[name]["Versions"].clear()


def put_secret_value(request: Request) -> Any:
    _, secret = secretsmanager._resolve(request.get("SecretId"))
    token = request.get("ClientRequestToken")
    if not secret or secret.get("DeletedDate"):
        return _put_secret_value(request)
    if token is None or token not in secret["Versions"]:
        return _add_version(secret, token, lambda: _put_secret_value(request))
    refusal = secret_keys.refuse_read(secret, token)
    if refusal:
        return refusal
    version = secret["Versions"][token]
    if any(version.get(value) != request.get(value) for value in ("SecretString", "SecretBinary")):
        message = (
            f"You can't use ClientRequestToken {token} because that value is already in use "
            f"for a version of secret {secret['ARN']}."
        )
        return error_response_json("ResourceExistsException", message, 400)
    written = {"ARN": secret["ARN"], "Name": secret["Name"], "VersionId": token}
    return json_response({**written, "VersionStages": list(version["Stages"])})


def update_secret(request: Request) -> Any:
    _, secret = secretsmanager._resolve(request.get("SecretId"))
    if not secret or secret.get("DeletedDate"):
        return _update_secret(request)
    if "KmsKeyId" in request:
        refusal = secret_keys.change_key(secret, request["KmsKeyId"])
        if refusal:
            return refusal
    if not {"SecretString", "SecretBinary"} & request.keys():
        return _update_secret(request)
    return _add_version(secret, request.get("ClientRequestToken"), lambda: _update_secret(request))


def _add_version(secret: Secret, version_id: str | None, write: Callable[[], Any]) -> Any:
    """Write a version, unless the secret's key or the quota of versions forbids it."""
    refusal = secret_keys.refuse_write(secret, version_id or new_uuid())
    if refusal:
        return refusal
    _remove_outdated_versions(secret)
    if len(secret["Versions"]) >= MOST_VERSIONS:
        message = "The request failed because it would exceed one of the Secrets Manager quotas."
        return error_response_json("LimitExceededException", message, 400)
    known = dict(secret["Versions"])
    response = write()
    secret["Versions"].update(known)  # MiniStack removes a version that loses its last label.
    return response


def _remove_outdated_versions(secret: Secret) -> None:
    def written_at(version_id: str) -> float:
        return float(secret["Versions"][version_id]["CreatedDate"])

    newest_first = sorted(secret["Versions"], key=written_at)[::-1]
    for version_id in newest_first[KEPT_VERSIONS:]:
        is_old = time.time() - written_at(version_id) >= VERSION_IS_KEPT_SECONDS
        if is_old and not secret["Versions"][version_id]["Stages"]:
            del secret["Versions"][version_id]


def get_secret_value(request: Request) -> Any:
    _, secret = secretsmanager._resolve(request.get("SecretId"))
    read_before = secret and secret.get("LastAccessedDate")
    response = _get_secret_value(request)
    if response[0] == 200:
        response = secret_keys.refuse_read(secret, json.loads(response[2])["VersionId"]) or response
    if secret and response[0] != 200:
        secret["LastAccessedDate"] = read_before
    return response


def describe_secret(request: Request) -> Any:
    response = _describe_secret(request)
    return _with_dates(response, lambda answer: [answer]) if response[0] == 200 else response


def list_secrets(request: Request) -> Any:
    response = _list_secrets(request)
    return _with_dates(response, lambda answer: answer["SecretList"]) if response[0] == 200 else response


def _with_dates(response: Any, secrets_of: Callable[[Any], list[Secret]]) -> Any:
    """Return the response with the dates of the last reads instead of their times."""
    answer = json.loads(response[2])
    for secret in secrets_of(answer):
        if secret.get("LastAccessedDate"):
            secret["LastAccessedDate"] -= secret["LastAccessedDate"] % DAY_SECONDS
    return json_response(answer)


def list_secret_version_ids(request: Request) -> Any:
    _, secret = secretsmanager._resolve(request.get("SecretId"))
    if not secret or request.get("IncludeDeprecated"):
        return _list_secret_version_ids(request)
    versions = [
        {"VersionId": version_id, "VersionStages": list(version["Stages"]), "CreatedDate": version["CreatedDate"]}
        for version_id, version in secret["Versions"].items()
        if version["Stages"]
    ]
    return json_response({"ARN": secret["ARN"], "Name": secret["Name"], "Versions": versions})


def put_resource_policy(request: Request) -> Any:
    return _scheduled_for_deletion(request) or _put_resource_policy(request)


def delete_resource_policy(request: Request) -> Any:
    return _scheduled_for_deletion(request) or _delete_resource_policy(request)


def _scheduled_for_deletion(request: Request) -> Any:
    _, secret = secretsmanager._resolve(request.get("SecretId"))
    if not secret or not secret.get("DeletedDate"):
        return None
    message = "You can't perform this operation on the secret because it was marked for deletion."
    return error_response_json("InvalidRequestException", message, 400)


def apply() -> None:
    secretsmanager._create_secret = create_secret
    secretsmanager._get_secret_value = get_secret_value
    secretsmanager._describe_secret = describe_secret
    secretsmanager._list_secrets = list_secrets
    secretsmanager._put_secret_value = put_secret_value
    secretsmanager._update_secret = update_secret
    secretsmanager._list_secret_version_ids = list_secret_version_ids
    secretsmanager._put_resource_policy = put_resource_policy
    secretsmanager._delete_resource_policy = delete_resource_policy
