"""The Lambda function that keeps one Airflow connection logged in to ECR.

Lambda calls `handle`, which ends without a write if the current login is young. Otherwise, it calls `refresh` and
retries it if needed. `refresh` gets a token, checks the token, and writes the docker login once. connection.py converts
ECR's answer into the secret value that Airflow reads. write_limit.py decides whether a run writes.
"""

import gc

# Every scheduled run is a cold start. Garbage collection takes an eighth of the time in which the SDK loads, and it
# frees no memory.
gc.disable()

import json
import logging
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError

from refresh_docker_login.connection import UnusableLogin, airflow_connection
from refresh_docker_login.write_limit import Version, parse_versions, plan_write

logger = logging.getLogger(__name__)
logger.setLevel(logging.INFO)
# At the level DEBUG, botocore logs whole requests and answers, which contain the token. botocore keeps the level
# WARNING even if the function's log level is DEBUG.
logging.getLogger("botocore").setLevel(logging.WARNING)

SECONDS_BETWEEN_ATTEMPTS = 2
SECONDS_UNTIL_THE_LAST_PAGE = 27  # A run does not request another page of versions after this time.


class Settings(NamedTuple):
    """The settings of the function. The stack passes the settings in environment variables."""

    connection_id: str
    secret_arn: str
    registry_host: str  # without a scheme
    registry_region: str
    token_endpoint_host: str  # the registry that ECR names in its answer, without a scheme
    new_permissions_wait_seconds: float
    shortest_interval: timedelta  # how old the login must be before a scheduled run replaces it


class Clients(NamedTuple):
    """The AWS clients that a refresh calls."""

    ecr: Any
    secrets_manager: Any


class RefreshFailed(Exception):
    """A call to AWS failed.

    The message contains only the operation and the code. The original message may quote the request, and the request of
    PutSecretValue contains the token.

    Attributes:
        operation: The API operation, such as `PutSecretValue`.
        code: The error code of AWS, such as `AccessDeniedException`. If AWS did not return an error code, this is the
            type of the exception, such as `ConnectTimeoutError`.
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
        registry_region=os.environ["REGISTRY_REGION"],
        token_endpoint_host=os.environ["TOKEN_ENDPOINT_HOST"],
        new_permissions_wait_seconds=float(os.environ["NEW_RIGHTS_WAIT_SECONDS"]),
        shortest_interval=timedelta(minutes=float(os.environ["SHORTEST_INTERVAL_MINUTES"])),
    )


def _create_clients(registry_region: str) -> Clients:
    # Each call has three attempts of at most 8 s. The waits between the attempts take at most 3 s in total. Therefore,
    # a call takes at most 27 s. stacks/docker_login/timings.py contains the same numbers, and a test compares them.
    config = Config(connect_timeout=3, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3})
    # A botocore session loads faster than a boto3 session, because boto3 also loads its resource classes.
    session = botocore.session.get_session()
    return Clients(
        ecr=session.create_client("ecr", region_name=registry_region, config=config),
        secrets_manager=session.create_client("secretsmanager", config=config),
    )


# Only these lines read the environment variables and create the clients. They run once per cold start.
SETTINGS = _read_settings()
CLIENTS = _create_clients(SETTINGS.registry_region)
gc.freeze()
gc.enable()


def handle(_event: object, context: Any) -> dict[str, str]:
    """Write a fresh docker login into the secret, unless the current login is young.

    A deployment invokes the version of the function that it published. The schedule invokes $LATEST. IAM needs some
    seconds to apply new permissions everywhere. Therefore, a deployment's run retries a call that is denied for up to
    `new_permissions_wait_seconds`. A scheduled run does not retry a call that is denied, and fails immediately.

    A scheduled run keeps a login that is younger than `shortest_interval`. A deployment's run writes in any case. After
    many deployments on a day, it only gets a token and checks the permission to write. If the versions of the secret
    cannot be listed, the run writes. Otherwise, the login could expire.

    Args:
        _event: The event is ignored, so that a caller cannot change the login or the secret that is written.
        context: Lambda's context object. Only `function_version` is read.

    Returns:
        The result of `refresh`. If the run keeps a young login, a dict with `connection`, the login's `version_id` and
        the time when it was written, `written_at` (ISO 8601, UTC). If the version of the write exists, for example
        because another run has written at the same time, a dict with `connection` and the existing `version_id`. Only a
        run that writes returns `expires_at`.

    Raises:
        RefreshFailed: ECR or Secrets Manager refused the call or did not answer.
        UnusableLogin: ECR's answer is not a usable login for this registry.
    """
    is_deploy = context.function_version != "$LATEST"
    give_up_at = time.monotonic() + (SETTINGS.new_permissions_wait_seconds if is_deploy else 0)
    plan = plan_write(
        _list_versions(CLIENTS, SETTINGS, is_deploy=is_deploy),
        published_version=context.function_version if is_deploy else None,
        now=datetime.now(UTC),
        shortest_interval=SETTINGS.shortest_interval,
    )
    if isinstance(plan, Version):
        kept = {
            "connection": SETTINGS.connection_id,
            "version_id": plan.version_id,
            "written_at": plan.written_at.isoformat(),
        }
        logger.info("The docker login is young, and this run keeps it", extra=kept)
        return kept
    while True:
        try:
            return refresh(CLIENTS, SETTINGS, plan)
        except (RefreshFailed, UnusableLogin) as failure:
            if isinstance(failure, RefreshFailed) and failure.code == "ResourceExistsException":
                written = {"connection": SETTINGS.connection_id, "version_id": plan}
                logger.info("The version of the secret exists, and this run keeps the docker login", extra=written)
                return written
            is_denied = isinstance(failure, RefreshFailed) and failure.code == "AccessDeniedException"
            if not is_denied or time.monotonic() >= give_up_at:
                logger.error("Not refreshed", extra={"connection": SETTINGS.connection_id, "reason": str(failure)})
                raise
        time.sleep(SECONDS_BETWEEN_ATTEMPTS)


def _list_versions(clients: Clients, settings: Settings, *, is_deploy: bool) -> list[Version] | None:
    """Return the versions of the secret, or None if Secrets Manager does not list them.

    A deployment's run needs all versions. Other runs need only the current version, so they list only the versions with
    staging labels.
    """
    request = {"SecretId": settings.secret_arn, "IncludeDeprecated": is_deploy, "MaxResults": 100}
    give_up_at = time.monotonic() + SECONDS_UNTIL_THE_LAST_PAGE

    def read_all_pages() -> list[Version]:
        versions: list[Version] = []
        next_page: dict[str, str] = {}
        while True:
            page = clients.secrets_manager.list_secret_version_ids(**request, **next_page)
            versions += parse_versions(page)
            if not page.get("NextToken"):
                return versions
            if time.monotonic() >= give_up_at:
                raise TimeoutError
            next_page = {"NextToken": page["NextToken"]}

    try:
        versions: list[Version] = _call("ListSecretVersionIds", read_all_pages)
    except RefreshFailed as failure:
        fields = {"connection": settings.connection_id, "operation": failure.operation, "code": failure.code}
        logger.warning("The age of the docker login is unknown, and this run writes", extra=fields)
        return None
    return versions


def refresh(clients: Clients, settings: Settings, request_token: str) -> dict[str, str]:
    """Get a token from ECR, check the token, and write the docker login into the secret with one call.

    The secret keeps its current login unless the write succeeds.

    Args:
        clients: The clients for ECR and Secrets Manager.
        settings: The connection, its secret and its registry.
        request_token: The id of the new version. Secrets Manager accepts it only once.

    Returns:
        A dict with `connection`, the login's `expires_at` (ISO 8601, UTC) and the secret's new `version_id`. The
        function logs the same fields. The fields do not contain the token.

    Raises:
        RefreshFailed: ECR or Secrets Manager refused the call or did not answer.
        UnusableLogin: ECR's answer is not a usable login for this registry.
    """
    reply = _call("GetAuthorizationToken", clients.ecr.get_authorization_token)
    login = airflow_connection(
        reply,
        registry_host=settings.registry_host,
        token_endpoint_host=settings.token_endpoint_host,
        now=datetime.now(UTC),
    )
    request = {
        "SecretId": settings.secret_arn,
        "SecretString": json.dumps(login),
        "ClientRequestToken": request_token,
    }
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
        operation: The name of the API operation. The message of RefreshFailed contains this name.
        call: A function that calls AWS and returns the part of the answer that the caller needs.

    Raises:
        RefreshFailed: The call failed.
    """
    try:
        return call()
    except ClientError as error:
        code = error.response["Error"]["Code"]
    except Exception as error:  # The message may contain the token. The name of the exception's type does not.
        code = type(error).__name__
    # The original exception may quote the token. RefreshFailed is raised outside the except blocks, so that Python does
    # not chain the original exception to RefreshFailed.
    raise RefreshFailed(operation, code)
