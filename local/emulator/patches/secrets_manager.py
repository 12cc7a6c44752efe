"""Secrets Manager: secrets without a value, and writes that are repeated.

AWS:
- CreateSecret with neither SecretString nor SecretBinary creates a secret without a version and returns no VersionId
  (API reference, CreateSecret). GetSecretValue then answers ResourceNotFoundException: "Secrets Manager can't find the
  specified secret value for staging label: AWSCURRENT".
- PutSecretValue with the ClientRequestToken of an existing version: with the same value, "the request is ignored. The
  operation is idempotent". With another value, the request fails "because you can't modify a secret version" (API
  reference, PutSecretValue). An SDK sends the same token with each retry.

MiniStack:
- Gives a new secret a version AWSCURRENT without a value, and GetSecretValue succeeds.
- Writes an existing version again, whatever the value, and forgets AWSPREVIOUS.

The patch:
- Does what AWS does.
"""

import json
from typing import Any

from ministack.core.responses import error_response_json, json_response
from ministack.services import secretsmanager

_create_secret = secretsmanager._create_secret
_put_secret_value = secretsmanager._put_secret_value


def create_secret(request: dict[str, Any]) -> Any:
    response = _create_secret(request)
    if response[0] != 200 or "SecretString" in request or "SecretBinary" in request:
        return response
    created = json.loads(response[2])
    drop_versions(created["Name"])
    return json_response({"ARN": created["ARN"], "Name": created["Name"]})


def drop_versions(name: str) -> None:
    secretsmanager._secrets[name]["Versions"].clear()


def put_secret_value(request: dict[str, Any]) -> Any:
    _, secret = secretsmanager._resolve(request.get("SecretId"))
    token = request.get("ClientRequestToken")
    if not secret or secret.get("DeletedDate") or token not in secret["Versions"]:
        return _put_secret_value(request)
    version = secret["Versions"][token]
    if any(version.get(value) != request.get(value) for value in ("SecretString", "SecretBinary")):
        message = (
            f"You can't use ClientRequestToken {token} because that value is already in use "
            f"for a version of secret {secret['ARN']}."
        )
        return error_response_json("ResourceExistsException", message, 400)
    written = {"ARN": secret["ARN"], "Name": secret["Name"], "VersionId": token}
    return json_response({**written, "VersionStages": list(version["Stages"])})


def apply() -> None:
    secretsmanager._create_secret = create_secret
    secretsmanager._put_secret_value = put_secret_value
