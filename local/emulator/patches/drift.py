"""CloudFormation: drift detection of secrets.

AWS:
- AWS::SecretsManager::Secret supports drift detection (CloudFormation user guide, "Resource type support"). A secret
  that exists and was not changed is IN_SYNC.
- DetectStackDrift compares the properties of the template. KmsKeyId is one of them.

MiniStack:
- Looks for a secret by its physical id in a store whose keys are names. The physical id of a secret is its ARN, as on
  AWS (see cloudformation.py), so every secret is DELETED.
- Does not compare KmsKeyId.

The patch:
- Looks for a secret by its ARN, and compares KmsKeyId.
"""

from typing import Any

from ministack.services import secretsmanager
from ministack.services.cloudformation import drift

SECRET = "AWS::SecretsManager::Secret"

_read_secret, _compared = drift._DRIFT_READERS[SECRET]


def read_secret(arn: str, properties: dict[str, Any]) -> dict[str, Any] | None:
    """Return the properties of a secret in the shape of a template, or None if the secret does not exist."""
    name, secret = secretsmanager._resolve(arn)
    if secret is None:
        return None
    key_id = secret.get("KmsKeyId")
    return {**_read_secret(name, properties), **({"KmsKeyId": key_id} if key_id else {})}


def apply() -> None:
    drift._DRIFT_READERS[SECRET] = (read_secret, _compared | {"KmsKeyId"})
