"""What CloudFormation deployed for an environment: its stacks with their outputs and resources."""

import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from ops.clients import Clients, NoAnswer, answers
from ops.results import CannotTell
from settings.environment import Environment
from settings.names import pascal_case

STACKS = ("Registry", "Access", "DockerLogin", "WorkerUpkeep", "EcsTasks")
"""The stacks that an environment can have, without the name of the environment."""


@dataclass(frozen=True)
class Resource:
    """A resource of a stack."""

    type: str
    logical_id: str
    physical_id: str


@dataclass(frozen=True)
class Stack:
    """A deployed stack.

    Attributes:
        name: The name with the environment, such as `prod-DockerLogin`.
        status: CloudFormation's status, such as `UPDATE_COMPLETE`.
        outputs: The value of each output.
        resources: The resources by logical id.
        role_arn: The role that CloudFormation uses, or an empty string.
    """

    name: str
    status: str
    outputs: Mapping[str, str]
    resources: Mapping[str, Resource]
    role_arn: str = ""

    def physical_ids(self, resource_type: str) -> list[str]:
        """Return the physical ids of all resources of a type, such as `AWS::CloudWatch::Alarm`."""
        return [each.physical_id for each in self.resources.values() if each.type == resource_type]


@dataclass(frozen=True)
class Connection:
    """The deployed docker login of an Airflow connection.

    Attributes:
        id: The Airflow connection, such as `docker_default`.
        schedule_name: The name of the schedule, or an empty string if the stack has none.
    """

    id: str
    secret_arn: str
    secret_name: str
    function_name: str
    pull_role_arn: str
    schedule_name: str


@dataclass(frozen=True)
class Deployment:
    """The deployed stacks of an environment."""

    environment: Environment
    stacks: Mapping[str, Stack]

    @property
    def connections(self) -> dict[str, Connection]:
        """The deployed connections of the settings, by id."""
        stack = self.stacks["DockerLogin"]
        found = {}
        for connection_id in self.environment.connections:
            name = pascal_case(connection_id)
            if f"SecretArn{name}" not in stack.outputs:
                continue
            schedule = re.compile(rf"{name}Schedule[0-9A-F]{{8}}")
            found[connection_id] = Connection(
                id=connection_id,
                secret_arn=stack.outputs[f"SecretArn{name}"],
                secret_name=stack.outputs[f"SecretName{name}"],
                function_name=stack.outputs[f"RefreshFunctionName{name}"],
                pull_role_arn=stack.outputs[f"PullRoleArn{name}"],
                schedule_name=next(
                    (
                        each.physical_id
                        for each in stack.resources.values()
                        if each.type == "AWS::Scheduler::Schedule" and schedule.fullmatch(each.logical_id)
                    ),
                    "",
                ),
            )
        return found

    @property
    def outputs(self) -> dict[str, str]:
        """The outputs of all stacks."""
        return {name: value for stack in self.stacks.values() for name, value in stack.outputs.items()}


def read_deployment(clients: Clients, environment: Environment) -> Deployment:
    """Return the deployed stacks of an environment.

    Raises:
        CannotTell: The environment is not deployed, or AWS refuses to describe its stacks.
    """
    with ThreadPoolExecutor(len(STACKS)) as pool:
        try:
            found = list(pool.map(lambda stack: _read_stack(clients, f"{environment.name}-{stack}"), STACKS))
        except NoAnswer as error:
            fix = "Use credentials with the permissions of docs/operate.md"
            raise CannotTell(f"the stacks of {environment.name} cannot be read: {error}. {fix}") from None
    stacks = {name: stack for name, stack in zip(STACKS, found, strict=True) if stack}
    if "DockerLogin" not in stacks:
        where = f"the account {environment.account}, Region {environment.region}"
        raise CannotTell(f"{environment.name} is not deployed in {where}. Run: make deploy ENV={environment.name}")
    return Deployment(environment, stacks)


def _read_stack(clients: Clients, name: str) -> Stack | None:
    """Return a stack, or None if it is not deployed."""
    with answers():
        try:
            [described] = clients.cloudformation.describe_stacks(StackName=name)["Stacks"]
        except ClientError as error:
            if "does not exist" in error.response["Error"]["Message"]:
                return None
            raise
        if described["StackStatus"] == "REVIEW_IN_PROGRESS":  # a change set that nobody executed
            return None
        pages = clients.cloudformation.get_paginator("list_stack_resources").paginate(StackName=name)
        resources = [_resource(summary) for page in pages for summary in page["StackResourceSummaries"]]
    return Stack(
        name=name,
        status=described["StackStatus"],
        outputs={output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])},
        resources={resource.logical_id: resource for resource in resources},
        role_arn=described.get("RoleARN", ""),
    )


def _resource(summary: Mapping[str, Any]) -> Resource:
    return Resource(summary["ResourceType"], summary["LogicalResourceId"], summary.get("PhysicalResourceId", ""))
