"""Fixtures that run the function's code with moto's Secrets Manager.

ECR is a stub, because moto's token is expired. The list of versions is a stub, because moto says that every version is
new.
"""

import base64
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

import pytest
from moto import mock_aws

ACCOUNT = "123456789012"
# The connection is for the registry of another account. ECR answers with the registry of the caller's account.
HOST = "444455556666.dkr.ecr.eu-central-1.amazonaws.com"
TOKEN_ENDPOINT_HOST = f"{ACCOUNT}.dkr.ecr.eu-central-1.amazonaws.com"
PASSWORD = "s3cr+t/PASSWORD=="
SECRET_NAME = "airflow/connections/docker_default"


class Context:
    """Lambda's context object. A schedule invokes $LATEST, and a deployment invokes the version that it published."""

    def __init__(self, function_version: str = "$LATEST") -> None:
        self.function_version = function_version


@pytest.fixture(scope="session")
def handler() -> Iterator[ModuleType]:
    """The module of the function. It is imported only once, because the import creates the clients."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith("AWS_"):
                patch.delenv(name)
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        patch.setenv("CONNECTION_ID", "docker_default")
        patch.setenv("SECRET_ARN", SECRET_NAME)
        patch.setenv("REGISTRY_HOST", HOST)
        patch.setenv("REGISTRY_REGION", "eu-central-1")
        patch.setenv("TOKEN_ENDPOINT_HOST", TOKEN_ENDPOINT_HOST)
        patch.setenv("NEW_RIGHTS_WAIT_SECONDS", "60")
        patch.setenv("SHORTEST_INTERVAL_MINUTES", "25")
        from refresh_docker_login import handler

        yield handler


@pytest.fixture
def secrets(handler: ModuleType, versions_are: Any) -> Iterator[Any]:
    """A client for Secrets Manager. The connection's secret exists, and its value is `old`."""
    client = handler.CLIENTS.secrets_manager
    with mock_aws():
        client.create_secret(Name=SECRET_NAME, SecretString="old")
        yield client


@pytest.fixture
def ecr_answers(handler: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that sets ECR's answer. By default, the answer is usable.

    The argument is a dict of changes to a usable answer, or an exception that the call raises.
    """

    def answers(changes: dict[str, Any] | Exception | None = None) -> None:
        def get_authorization_token() -> dict[str, Any]:
            if isinstance(changes, Exception):
                raise changes
            return {
                "authorizationData": [
                    {
                        "authorizationToken": base64.b64encode(f"AWS:{PASSWORD}".encode()).decode(),
                        "expiresAt": datetime.now(UTC) + timedelta(hours=12),
                        "proxyEndpoint": f"https://{TOKEN_ENDPOINT_HOST}",
                        **(changes or {}),
                    }
                ]
            }

        monkeypatch.setattr(handler.CLIENTS.ecr, "get_authorization_token", get_authorization_token)

    answers()
    return answers


@pytest.fixture
def versions_are(handler: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that sets the answers of ListSecretVersionIds. By default, the current login is an hour old.

    Each argument is a page, as a list of versions or as a whole answer, or an exception that the call raises. The
    function returns a list, to which each call adds its request.
    """

    def answers(*pages: Any) -> list[dict[str, Any]]:
        requests: list[dict[str, Any]] = []

        def list_secret_version_ids(**request: Any) -> Any:
            requests.append(request)
            number = int(request.get("NextToken", "0"))
            page = pages[number]
            if isinstance(page, Exception):
                raise page
            if not isinstance(page, list):
                return page
            following = {"NextToken": str(number + 1)} if number + 1 < len(pages) else {}
            return {"Versions": page, **following}

        monkeypatch.setattr(handler.CLIENTS.secrets_manager, "list_secret_version_ids", list_secret_version_ids)
        return requests

    answers([version(minutes=60)])
    return answers


def version(version_id: str = "a-version", *, minutes: float, labels: tuple[str, ...] = ("AWSCURRENT",)) -> Any:
    """Return a version that is some minutes old, as ListSecretVersionIds returns it."""
    written_at = datetime.now(UTC) - timedelta(minutes=minutes)
    labels_if_any = {"VersionStages": list(labels)} if labels else {}
    return {"VersionId": version_id, "CreatedDate": written_at, **labels_if_any}


@pytest.fixture
def current_login(secrets: Any) -> Any:
    """A function that returns the current value of the connection's secret."""
    return lambda: secrets.get_secret_value(SecretId=SECRET_NAME)["SecretString"]
