"""A secrets backend for Airflow that reports why a required connection cannot be read.

Airflow asks the next backend if a backend fails. Airflow then shows "isn't defined", or uses an old connection.
StrictSecretsManagerBackend raises an exception instead, but only for the connections that it is told to require.

The file needs Airflow and its amazon provider, and nothing of this repository. docs/airflow/strict-backend.md explains
how to install it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection
from datetime import datetime, timedelta, timezone
from functools import cached_property
from typing import Any

import airflow
from airflow.providers.amazon.aws.secrets.secrets_manager import SecretsManagerBackend

# Airflow logs and ignores most exceptions of a backend. It lets these through:
# - Airflow 3 with task SDK 1.2.2 or newer: AirflowSecretsBackendAccessDenied (airflow/sdk/execution_time/context.py).
# - Airflow 2: exceptions that are not an Exception. Tasks, DAG parsing and triggers handle AirflowTaskTimeout.
_Base: Any = None
try:
    from airflow.sdk.exceptions import AirflowSecretsBackendAccessDenied

    _Base = AirflowSecretsBackendAccessDenied
except ImportError:
    if airflow.__version__.startswith("2."):
        from airflow.exceptions import AirflowTaskTimeout

        _Base = None if issubclass(AirflowTaskTimeout, Exception) else AirflowTaskTimeout

PAGE = "docs/airflow/strict-backend.md"
CLOCK_LEEWAY = timedelta(minutes=5)
"""How long after its expiry a docker login is still used, because the clock of the worker may be wrong."""
_REQUIRED_FIELDS = ("conn_type", "host", "login", "password")
_STATUS = "Run: ecr-login status <environment>."
_log = logging.getLogger(__name__)
_warned = False


class RequiredConnectionUnavailable(_Base or Exception):  # type: ignore[misc]
    """A required connection cannot be read. The message is one line, and contains no part of the secret's value."""


class StrictSecretsManagerBackend(SecretsManagerBackend):
    """Airflow's Secrets Manager backend, with connections that must not be taken from another place.

    Args:
        required_connections: The exact ids of the connections. Each id is looked up in Secrets Manager, also if
            `connections_lookup_pattern` does not match it.
        connect_timeout_seconds: How long a request for a required connection waits until an address answers.
        read_timeout_seconds: How long such a request waits for data.
        attempts: How often such a request is sent in total.
        kwargs: The arguments of SecretsManagerBackend.

    Raises:
        ValueError: `required_connections` is not a list of ids, or `connections_prefix` is null.
    """

    def __init__(
        self,
        *,
        required_connections: Collection[str],
        connect_timeout_seconds: float = 3,
        read_timeout_seconds: float = 5,
        attempts: int = 2,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        ids = required_connections
        is_list = isinstance(ids, (list, tuple, set, frozenset))
        if not is_list or not ids or not all(isinstance(each, str) and each for each in ids):
            raise ValueError('required_connections must be a list of connection ids, such as ["docker_default"]')
        if self.connections_prefix is None:
            raise ValueError("required_connections needs a connections_prefix. Set it to the prefix of the secrets")
        self.required_connections = frozenset(ids)
        self._limits = {
            "connect_timeout": connect_timeout_seconds,
            "read_timeout": read_timeout_seconds,
            "retries": {"total_max_attempts": attempts, "mode": "standard"},
        }
        if _Base is None:
            _warn_once()

    def get_conn_value(self, conn_id: str, team_name: str | None = None) -> str | None:
        """Return the value of a connection. A required connection is looked up without the name of a team.

        Raises:
            RequiredConnectionUnavailable: A required connection cannot be read, is not a docker login, or has expired.
        """
        if conn_id not in self.required_connections or _Base is None:
            team = {"team_name": team_name} if team_name else {}
            value: str | None = super().get_conn_value(conn_id, **team)
            return value
        prefix = self.connections_prefix
        secret_name = self.build_path(prefix, conn_id, self.sep) if prefix else conn_id
        value, problem = self._read(secret_name)
        if problem:
            # This is outside every except block, so that no other exception is shown, which may quote the value.
            raise RequiredConnectionUnavailable(f"Connection {conn_id}, secret {secret_name}: {problem} See {PAGE}")
        return value

    @cached_property
    def _required_client(self) -> Any:
        """A client with short timeouts. The client of SecretsManagerBackend has no setting for them."""
        from airflow.providers.amazon.aws.hooks.base_aws import SessionFactory
        from airflow.providers.amazon.aws.utils.connection_wrapper import AwsConnectionWrapper
        from botocore.config import Config

        config = Config(**self._limits)
        settings = AwsConnectionWrapper.from_connection_metadata(conn_id=type(self).__name__, extra=self.kwargs)
        session = SessionFactory(conn=settings, config=config).create_session()
        session._session.set_default_client_config(config)  # It also limits the request to STS for a web identity.
        arguments = {
            "region_name": settings.region_name,
            "verify": settings.verify,
            "endpoint_url": settings.endpoint_url,
            "api_version": self.api_version,
            "use_ssl": self.use_ssl,
        }
        given = {name: value for name, value in arguments.items() if value is not None}
        return session.client("secretsmanager", config=config, **given)

    def _read(self, secret_name: str) -> tuple[str | None, str | None]:
        """Return the value of a docker login and None, or None and the problem."""
        try:
            client = self._required_client
        except Exception as error:
            return None, _explain(error, region=None)
        try:
            secret = client.get_secret_value(SecretId=secret_name).get("SecretString")
        except Exception as error:
            return None, _explain(error, client.meta.region_name)
        try:
            connection = self._standardize_secret_keys(json.loads(secret))
            extra = connection["extra"] or {}
            expires_at = (json.loads(extra) if isinstance(extra, str) else extra).get("expires_at")
            expiry = datetime.fromisoformat(expires_at) if expires_at else None
            expired = expiry is not None and datetime.now(timezone.utc) > expiry + CLOCK_LEEWAY
        except (AttributeError, TypeError, ValueError):
            return None, f"the value is not a docker login in JSON. {_STATUS}"
        missing = [name for name in _REQUIRED_FIELDS if not isinstance(connection[name], str) or not connection[name]]
        if missing:
            return None, f"the value has no {', '.join(missing)}. {_STATUS}"
        if expired:
            return None, f"the docker login expired at {expires_at}. {_STATUS}"
        return json.dumps(connection), None


def _explain(error: Exception, region: str | None) -> str:
    """Return the problem and the place to look at. Messages of AWS are not quoted.

    Args:
        error: The exception of the request, or of the creation of the client.
        region: The Region of the client. None if the client cannot be created.
    """
    from botocore import exceptions as botocore

    if isinstance(error, botocore.ClientError):
        # With role_arn in the backend's settings, the role is assumed when the client is created or used.
        if region is None or error.operation_name.startswith("AssumeRole"):
            code = error.response.get("Error", {}).get("Code", "an error")
            return f"the AWS credentials cannot be fetched ({code}). Check role_arn and the role of this process."
        return _explain_answer(error.response.get("Error", {}), region)
    if isinstance(error, botocore.NoRegionError):
        return "no AWS Region is set. Set AWS_DEFAULT_REGION, or region_name in the backend's settings."
    if isinstance(error, (botocore.NoCredentialsError, botocore.PartialCredentialsError)):
        return "no AWS credentials were found. Give this process a role in workers.role_arns."
    if isinstance(error, botocore.CredentialRetrievalError):
        return "the AWS credentials cannot be fetched. Check the role of this process."
    if isinstance(error, (botocore.HTTPClientError, botocore.ConnectionError)):
        return f"Secrets Manager cannot be reached ({type(error).__name__}). Check the network and the Region."
    return f"reading failed with {type(error).__name__}. Check the backend's settings."


def _explain_answer(error: dict[str, str], region: str) -> str:
    """Return the problem and the place to look at for an error that AWS answered."""
    code, message = error.get("Code", "an error"), error.get("Message", "")
    if code == "ResourceNotFoundException" and "staging label" in message:
        return f"the secret has no value yet. {_STATUS}"
    if code == "ResourceNotFoundException":
        return f"the secret does not exist in {region}. {_STATUS}"
    if code == "InvalidRequestException" and "delet" in message:
        return f"the secret is scheduled for deletion in {region}. {_STATUS}"
    if code == "DecryptionFailure" or "KMS" in message:
        return f"the key of the secret is disabled, or this process may not use it ({code}). {_STATUS}"
    if code in ("AccessDeniedException", "AccessDenied"):
        return f"access is denied in {region}. Check workers.role_arns, the Region and connections_prefix."
    if code in ("ExpiredTokenException", "InvalidSignatureException", "UnrecognizedClientException"):
        return f"AWS refuses the credentials or the clock of this process ({code})."
    return f"AWS answered {code}. {_STATUS}"


def _warn_once() -> None:
    """Log that required connections behave as other connections. Airflow creates a backend several times."""
    global _warned
    if not _warned:
        _warned = True
        _log.warning(
            "StrictSecretsManagerBackend cannot report failures with this version of Airflow, because Airflow ignores "
            "all exceptions of a backend. Required connections are read like other connections. See %s",
            PAGE,
        )
