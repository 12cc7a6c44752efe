"""Deploy an environment again and again with changed settings, with the real CDK CLI."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from local import cdk
from local.account import outputs
from local.demo import FILES, log_in, read
from local.embedded_aws import EmbeddedAws
from local.registry_client import RegistryClient, RegistryRefused
from ops.clients import Clients
from ops.preflight.findings import Planned
from settings.environment import Environment
from tests.templates import synthesize

Settings = dict[str, Any]
# For each stack and logical id: the resource's type and physical id.
Resources = dict[str, tuple[str, str]]


@dataclass(frozen=True)
class Deployment:
    """The state after a deployment.

    Attributes:
        assembly: the folder of the cloud assembly.
        outputs: the outputs of all stacks.
        resources: the resources of all stacks.
    """

    assembly: Path
    outputs: dict[str, str]
    resources: Resources

    def of(self, kind: str) -> dict[str, str]:
        """Return the resources of a type: logical id to physical id."""
        return {logical: physical for logical, (each, physical) in self.resources.items() if each == kind}


class Deployer:
    """Deploys the environments of one test file."""

    def __init__(self, aws: EmbeddedAws, folder: Path) -> None:
        self.aws = aws
        self._folder = folder
        self._steps = 0

    def synthesize(self, name: str, settings: Settings) -> Path:
        """Return the cloud assembly of an environment."""
        self._steps += 1
        step = self._folder / f"step-{self._steps}"
        step.mkdir()
        (step / f"{name}.toml").write_text(toml(settings))
        synthesize(step, step / "cdk.out")
        return step / "cdk.out"

    def deploy(self, name: str, settings: Settings) -> Deployment:
        """Deploy an environment as `make deploy` does.

        Raises:
            CdkFailed: the CDK CLI failed.
        """
        assembly = self.synthesize(name, settings)
        cdk.deploy(self.aws, assembly, f"{name}/*")
        return self.state(name, assembly)

    @property
    def clients(self) -> Clients:
        """The clients that the checks before a deployment use."""
        return Clients(self.aws.client)

    def planned(self, name: str, settings: Settings) -> Planned:
        """Return a deployment, as the checks before a deployment get it."""
        return Planned(Environment.model_validate({**settings, "name": name}), qualifier="hnb659fds")

    def state(self, name: str, assembly: Path) -> Deployment:
        return Deployment(assembly, outputs(self.aws, name), resources(self.aws, name))


def toml(settings: Settings) -> str:
    """Return settings as TOML. JSON's strings, numbers and booleans are valid TOML."""

    def value(of: Any) -> str:
        if isinstance(of, dict):
            return "{ " + ", ".join(f"{json.dumps(key)} = {value(each)}" for key, each in of.items()) + " }"
        if isinstance(of, list):
            return "[" + ", ".join(map(value, of)) + "]"
        return json.dumps(of)

    return "".join(f"{key} = {value(each)}\n" for key, each in settings.items())


def changed(settings: Settings, changes: Settings) -> Settings:
    """Return settings with some changes: tables are merged, and the value None removes a setting."""
    result = dict(settings)
    for key, value in changes.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = changed(result[key], value)
        else:
            result[key] = value
    return result


def resources(aws: EmbeddedAws, name: str) -> Resources:
    """Return all resources of all stacks of an environment."""
    cloudformation = aws.client("cloudformation")
    found: Resources = {}
    for page in cloudformation.get_paginator("describe_stacks").paginate():
        for stack in page["Stacks"]:
            environment, _, stack_id = stack["StackName"].rpartition("-")
            if environment != name:
                continue
            for each in cloudformation.describe_stack_resources(StackName=stack["StackName"])["StackResources"]:
                key = f"{stack_id}/{each['LogicalResourceId']}"
                found[key] = (each["ResourceType"], each["PhysicalResourceId"])
    return found


def delete_stack(aws: EmbeddedAws, name: str) -> None:
    """Delete a stack, as `aws cloudformation delete-stack` and `aws cloudformation wait` do."""
    cloudformation = aws.client("cloudformation")
    cloudformation.delete_stack(StackName=name)
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig={"Delay": 0.2})


def is_allowed(request: Callable[..., object], *arguments: Any) -> bool:
    """Return whether AWS allows a request."""
    try:
        request(*arguments)
    except ClientError as error:
        if "AccessDenied" not in error.response["Error"]["Code"]:
            raise
        return False
    return True


def login_pulls(log_in: Callable[..., RegistryClient], *arguments: Any, image: str) -> bool:
    """Return whether a docker login can be made and can pull an image."""
    try:
        return log_in(*arguments).pull(image) == FILES
    except (ClientError, RegistryRefused):
        return False


def pulls(aws: EmbeddedAws, worker: Any, secret: str, image: str) -> bool:
    """Return whether the docker login in a secret can pull an image."""
    _, connection = read(worker, secret)
    return login_pulls(log_in, aws, connection, image=image)
