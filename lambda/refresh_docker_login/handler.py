"""The function that keeps one Airflow connection logged in to ECR: mint a token, check it, write it once."""

import json
import logging
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from refresh_docker_login.connection import airflow_connection

logger = logging.getLogger(__name__)
logger.setLevel(logging.INFO)
# At DEBUG botocore logs whole requests and answers, and so the token, whatever level the function is set to.
logging.getLogger("botocore").setLevel(logging.WARNING)

SECRET_ARN = os.environ["SECRET_ARN"]
REGISTRY_HOST = os.environ["REGISTRY_HOST"]
NEW_RIGHTS_WAIT_SECONDS = float(os.environ["NEW_RIGHTS_WAIT_SECONDS"])

# Three attempts of at most 8 s for each of the two calls: 48 s, within the function's timeout.
_CONFIG = Config(connect_timeout=3, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3})
ecr = boto3.client("ecr", config=_CONFIG)
secrets_manager = boto3.client("secretsmanager", config=_CONFIG)


class RefreshFailed(Exception):
    """A call to AWS failed. The message names the call and the error code, never the request: it holds the token."""

    def __init__(self, operation: str, code: str) -> None:
        super().__init__(f"{operation} failed: {code}; the login in {SECRET_ARN} is unchanged")
        self.access_denied = code == "AccessDeniedException"


def handle(_event: object, context: Any) -> dict[str, str]:
    """Write a fresh docker login into the secret; what started the run does not matter.

    Returns:
        `host`, `expires_at` (ISO 8601) and the secret's new `version_id`.

    Raises:
        RefreshFailed: ECR or Secrets Manager refused, or could not be reached.
        UnusableLogin: ECR's answer is not a login for this registry.
    """
    # A deploy runs the version it published, the schedule $LATEST. Only a deploy may be quicker than IAM, which takes
    # some seconds to know a new right everywhere; later a denial is a fault to report at once.
    deploying = context.function_version != "$LATEST"
    give_up_at = time.monotonic() + (NEW_RIGHTS_WAIT_SECONDS if deploying else 0)
    while True:
        try:
            return refresh()
        except RefreshFailed as failure:
            if not failure.access_denied or time.monotonic() >= give_up_at:
                raise
        time.sleep(2)


def refresh() -> dict[str, str]:
    """Mint, check, write once. The secret's current login stays as it is unless the last step succeeds."""
    reply = _call("GetAuthorizationToken", ecr.get_authorization_token)
    connection = airflow_connection(reply, REGISTRY_HOST, datetime.now(UTC))
    written = _call(
        "PutSecretValue",
        lambda: secrets_manager.put_secret_value(SecretId=SECRET_ARN, SecretString=json.dumps(connection)),
    )
    answer = {
        "host": connection["host"],
        "expires_at": connection["extra"]["expires_at"],
        "version_id": written["VersionId"],
    }
    logger.info("The docker login is fresh", extra=answer)
    return answer


def _call(operation: str, call: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Call AWS; a failure becomes a RefreshFailed without botocore's exception, which can quote the token."""
    try:
        return call()
    except ClientError as error:
        code = error.response["Error"]["Code"]
    except Exception as error:  # Whatever it is: its text may hold the token, its type does not.
        code = type(error).__name__
    raise RefreshFailed(operation, code)
