"""The Lambda function that keeps one Airflow connection logged in to ECR.

Lambda calls `handle`, which decides about retries. `refresh` is one refresh: get a token, check it, write it once.
connection.py turns ECR's answer into the document that Airflow reads.
"""

import gc

# Every scheduled run is a cold start. Collecting garbage takes an eighth of the time to load the SDK and frees nothing.
gc.disable()

import json
import logging
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError

from refresh_docker_login.connection import UnusableLogin, airflow_connection

logger = logging.getLogger(__name__)
logger.setLevel(logging.INFO)
# At DEBUG level botocore logs whole requests and answers, which hold the token. The function's level does not matter.
logging.getLogger("botocore").setLevel(logging.WARNING)

SECONDS_BETWEEN_ATTEMPTS = 2


class Settings(NamedTuple):
    """The settings that the stack gives the function as environment variables."""

    connection_id: str
    secret_arn: str
    registry_host: str  # without a scheme
    new_permissions_wait_seconds: float


class Clients(NamedTuple):
    """The AWS clients that a refresh calls."""

    ecr: Any
    secrets_manager: Any


class RefreshFailed(Exception):
    """A call to AWS failed.

    The message names the operation and the code only, because the request of PutSecretValue holds the token.

    Attributes:
        operation: The API operation, such as `PutSecretValue`.
        code: The error code of AWS, such as `AccessDeniedException`. For any other exception, the name of its type,
            such as `ConnectTimeoutError`.
    """

    def __init__(self, operation: str, code: str) -> None:
        super().__init__(f"{operation} failed: {code}")
        self.operation = operation
        self.code = code


def _read_settings() -> Settings:
    return Settings(
        connection_id=os.environ["CONNECTION_ID"],
        secret_arn=os.environ["SECRET_ARN"],
        registry_host=os.environ["REGISTRY_HOST"],
        new_permissions_wait_seconds=float(os.environ["NEW_RIGHTS_WAIT_SECONDS"]),
    )


def _create_clients() -> Clients:
    # Each call has three attempts of at most 8 s, and waits of at most 3 s in all. Two calls take at most 54 s.
    # stacks/docker_login/timings.py has the same numbers; a test compares them.
    config = Config(connect_timeout=3, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3})
    # boto3 would add its resources to the session, and they take time to load.
    session = botocore.session.get_session()
    return Clients(
        ecr=session.create_client("ecr", config=config),
        secrets_manager=session.create_client("secretsmanager", config=config),
    )


# The environment is read and the clients are made here and nowhere else, once per cold start.
SETTINGS = _read_settings()
CLIENTS = _create_clients()
gc.freeze()
gc.enable()


def handle(_event: object, context: Any) -> dict[str, str]:
    """Write a fresh docker login into the secret.

    A deploy invokes the version that it published, and the schedule invokes $LATEST. IAM takes some seconds to apply
    new permissions everywhere, so a deploy's run tries again after a denial, for up to `new_permissions_wait_seconds`.
    In a scheduled run a denial is a fault and is reported at once.

    Args:
        _event: Ignored, so that a caller cannot change what is written or where.
        context: Lambda's context object. Only `function_version` is read.

    Returns:
        What `refresh` returns.

    Raises:
        RefreshFailed: ECR or Secrets Manager refused the call or did not answer.
        UnusableLogin: ECR's answer is not a usable login for this registry.
    """
    is_deploy = context.function_version != "$LATEST"
    give_up_at = time.monotonic() + (SETTINGS.new_permissions_wait_seconds if is_deploy else 0)
    while True:
        try:
            return refresh(CLIENTS, SETTINGS)
        except (RefreshFailed, UnusableLogin) as failure:
            is_denied = isinstance(failure, RefreshFailed) and failure.code == "AccessDeniedException"
            if not is_denied or time.monotonic() >= give_up_at:
                logger.error("Not refreshed", extra={"connection": SETTINGS.connection_id, "reason": str(failure)})
                raise
        time.sleep(SECONDS_BETWEEN_ATTEMPTS)


def refresh(clients: Clients, settings: Settings) -> dict[str, str]:
    """Get a token from ECR, check it, and write it into the secret in one call.

    The secret keeps its current login unless the write succeeds.

    Args:
        clients: The clients for ECR and Secrets Manager.
        settings: The connection, its secret and its registry.

    Returns:
        `connection`, the login's `expires_at` (ISO 8601, UTC) and the secret's new `version_id`. The same fields are
        logged. None of them holds the token.

    Raises:
        RefreshFailed: ECR or Secrets Manager refused the call or did not answer.
        UnusableLogin: ECR's answer is not a usable login for this registry.
    """
    reply = _call("GetAuthorizationToken", clients.ecr.get_authorization_token)
    login = airflow_connection(reply, settings.registry_host, datetime.now(UTC))
    request = {"SecretId": settings.secret_arn, "SecretString": json.dumps(login)}
    version_id = _call("PutSecretValue", lambda: clients.secrets_manager.put_secret_value(**request)["VersionId"])
    result = {
        "connection": settings.connection_id,
        "expires_at": login["extra"]["expires_at"],
        "version_id": version_id,
    }
    logger.info("The docker login is fresh", extra=result)
    return result


def _call(operation: str, call: Callable[[], Any]) -> Any:
    """Call AWS, and replace every exception with RefreshFailed, because botocore's exceptions can quote the token.

    Args:
        operation: The API operation, for the error.
        call: Makes the call and returns what is needed of the answer.

    Raises:
        RefreshFailed: The call failed.
    """
    try:
        return call()
    except ClientError as error:
        code = error.response["Error"]["Code"]
    except Exception as error:  # The text of any exception may hold the token; the name of its type does not.
        code = type(error).__name__
    # Raised outside the except blocks, so that Python does not chain the exception that may quote the token to it.
    raise RefreshFailed(operation, code)
