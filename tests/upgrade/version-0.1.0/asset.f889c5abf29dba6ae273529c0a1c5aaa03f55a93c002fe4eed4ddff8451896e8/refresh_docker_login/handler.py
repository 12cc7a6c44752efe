"""The function that keeps one Airflow connection logged in to ECR: mint a token, check it, write it once."""

import gc

gc.disable()  # Each scheduled run is a cold one: collecting while the SDK loads is an eighth of it, and frees nothing.

import json
import logging
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError

from refresh_docker_login.connection import UnusableLogin, airflow_connection

logger = logging.getLogger(__name__)
logger.setLevel(logging.INFO)
# At DEBUG botocore logs whole requests and answers, and so the token, whatever level the function is set to.
logging.getLogger("botocore").setLevel(logging.WARNING)

CONNECTION_ID, SECRET_ARN, REGISTRY_HOST = (os.environ[n] for n in ("CONNECTION_ID", "SECRET_ARN", "REGISTRY_HOST"))
NEW_RIGHTS_WAIT_SECONDS = float(os.environ["NEW_RIGHTS_WAIT_SECONDS"])

# Each of the two calls: three attempts of at most 8 s, and 3 s between them. 54 s, within the function's 2 minutes.
_CONFIG = Config(connect_timeout=3, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3})
_session = botocore.session.get_session()  # What boto3 would add is its resources, which take time to load.
ecr, secrets_manager = (_session.create_client(name, config=_CONFIG) for name in ("ecr", "secretsmanager"))
gc.freeze()
gc.enable()


class RefreshFailed(Exception):
    """A call to AWS failed. The message names the call and the error code, never the request: it holds the token."""


def handle(_event: object, context: Any) -> dict[str, str]:
    """Write a fresh docker login into the secret; what started the run does not matter.

    Returns and logs `connection`, the login's `expires_at` (ISO 8601) and the secret's new `version_id`. Raises
    RefreshFailed if ECR or Secrets Manager refused or could not be reached, UnusableLogin if ECR's answer is no login.
    """
    # A deploy runs the version it published, the schedule $LATEST. Only a deploy may be quicker than IAM, which takes
    # some seconds to know a new right everywhere; later a denial is a fault to report at once.
    give_up_at = time.monotonic() + (0 if context.function_version == "$LATEST" else NEW_RIGHTS_WAIT_SECONDS)
    while True:
        try:
            return refresh()
        except (RefreshFailed, UnusableLogin) as failure:
            if not str(failure).endswith("AccessDeniedException") or time.monotonic() >= give_up_at:
                logger.error("Not refreshed", extra={"connection": CONNECTION_ID, "reason": str(failure)})
                raise
        time.sleep(2)


def refresh() -> dict[str, str]:
    """Mint, check, write once. The secret's current login stays as it is unless the last step succeeds."""
    reply = _call("GetAuthorizationToken", ecr.get_authorization_token)
    login = airflow_connection(reply, REGISTRY_HOST, datetime.now(UTC))
    request = {"SecretId": SECRET_ARN, "SecretString": json.dumps(login)}
    version_id = _call("PutSecretValue", lambda: secrets_manager.put_secret_value(**request)["VersionId"])
    answer = {"connection": CONNECTION_ID, "expires_at": login["extra"]["expires_at"], "version_id": version_id}
    logger.info("The docker login is fresh", extra=answer)
    return answer


def _call(operation: str, call: Callable[[], Any]) -> Any:
    """Call AWS; a failure becomes a RefreshFailed without botocore's exception, which can quote the token."""
    try:
        return call()
    except ClientError as error:
        code = error.response["Error"]["Code"]
    except Exception as error:  # Whatever it is: its text may hold the token, its type does not.
        code = type(error).__name__
    raise RefreshFailed(f"{operation} failed: {code}")
