"""Resources in the account, for the tests of `ecr-login preflight`."""

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest

from local.embedded_aws import EmbeddedAws
from ops.clients import Clients
from tests.ops.preflight.planned import REPOSITORY, SECRET


@pytest.fixture
def clients(aws: EmbeddedAws) -> Clients:
    return Clients(aws.client)


@pytest.fixture
def stack(aws: EmbeddedAws) -> Iterator[Any]:
    """Return a function that deploys a stack with one or two resources. The stack is deleted at the end."""
    cloudformation = aws.client("cloudformation")
    names = []

    def deploy(name: str, kind: str, second: dict[str, Any] | None = None, **properties: Any) -> None:
        names.append(name)
        resources = {"One": {"Type": kind, "Properties": properties}}
        if second:
            resources["Two"] = {"Type": kind, "Properties": second}
        template = {"Resources": resources}
        cloudformation.create_stack(
            StackName=name, TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_NAMED_IAM"]
        )
        cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 0.1})

    yield deploy
    for name in names:
        cloudformation.delete_stack(StackName=name)
        cloudformation.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig={"Delay": 0.1})


@pytest.fixture
def secret(aws: EmbeddedAws) -> Iterator[Any]:
    """Secrets Manager with a secret that has the name of our secret."""
    secretsmanager = aws.client("secretsmanager")
    secretsmanager.create_secret(Name=SECRET, SecretString="by hand")
    yield secretsmanager
    secretsmanager.delete_secret(SecretId=SECRET, ForceDeleteWithoutRecovery=True)


@pytest.fixture
def repository(aws: EmbeddedAws) -> Iterator[Any]:
    """ECR with a repository that has the name of our repository."""
    ecr = aws.client("ecr")
    ecr.create_repository(repositoryName=REPOSITORY)
    yield ecr
    ecr.delete_repository(repositoryName=REPOSITORY)


@pytest.fixture
def shell(aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The environment variables of a shell that points at the emulator."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in aws.client_environment().items():
        monkeypatch.setenv(name, value)
    return monkeypatch
