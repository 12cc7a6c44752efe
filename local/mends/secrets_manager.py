"""A secret that was created without a value has no version.

AWS: CreateSecret with neither SecretString nor SecretBinary creates a secret without a version and returns no
VersionId (API reference, CreateSecret); GetSecretValue then answers ResourceNotFoundException, "Secrets Manager can't
find the specified secret value for staging label: AWSCURRENT".

MiniStack: gives it a version AWSCURRENT without a value, and GetSecretValue succeeds.
"""

import json
from typing import Any

from ministack.core.responses import json_response
from ministack.services import secretsmanager

_create_secret = secretsmanager._create_secret


def create_secret(request: dict[str, Any]) -> Any:
    response = _create_secret(request)
    if response[0] != 200 or "SecretString" in request or "SecretBinary" in request:
        return response
    created = json.loads(response[2])
    drop_versions(created["Name"])
    return json_response({"ARN": created["ARN"], "Name": created["Name"]})


def drop_versions(name: str) -> None:
    secretsmanager._secrets[name]["Versions"].clear()


def apply() -> None:
    secretsmanager._create_secret = create_secret
