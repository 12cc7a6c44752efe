"""What CloudFormation deployed for an environment: its stacks with their outputs and resources."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from ops.clients import Clients, NoAnswer, answers
from ops.results import CannotTell
from ops.together import in_parallel
from settings.environment import Environment
from settings.names import pascal_case
from settings.problem import did_you_mean

STACKS = ("Registry", "Access", "DockerLogin", "WorkerUpkeep", "EcsTasks")
"""The stacks that an environment can have, without the name of the environment."""

_GONE = ("DELETE_COMPLETE", "DELETE_SKIPPED")


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
        drift: The result of the last drift detection, such as `IN_SYNC`, or `NOT_CHECKED`.
        drift_checked_at: The time of the last drift detection.
        role_arn: The role that CloudFormation uses, or an empty string.
    """

    name: str
    status: str
    outputs: Mapping[str, str]
    resources: Mapping[str, Resource]
    drift: str = "NOT_CHECKED"
    drift_checked_at: datetime | None = None
    role_arn: str = ""

    def physical_ids(self, resource_type: str) -> list[str]:
        """Return the physical ids of all resources of a type, such as `AWS::CloudWatch::Alarm`."""
        return [each.physical_id for each in self.resources.values() if each.type == resource_type]

    def physical_id(self, logical_id: str, resource_type: str) -> str:
        """Return the physical id of a resource, or an empty string if the stack does not have it.

        Args:
            logical_id: The logical id without the hash that CDK adds.
            resource_type: The type, such as `AWS::Scheduler::Schedule`.
        """
        pattern = re.compile(rf"{logical_id}[0-9A-F]{{8}}")
        found = (
            each.physical_id
            for each in self.resources.values()
            if each.type == resource_type and pattern.fullmatch(each.logical_id)
        )
        return next(found, "")


@dataclass(frozen=True)
class Connection:
    """The deployed docker login of an Airflow connection.

    Attributes:
        id: The Airflow connection, such as `docker_default`.
        schedule_name: The name of the schedule, or an empty string if the stack has none.
        log_group_name: The log group of the function, or an empty string if the stack has none.
    """

    id: str
    secret_arn: str
    secret_name: str
    function_name: str
    pull_role_arn: str
    schedule_name: str
    log_group_name: str


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
            found[connection_id] = Connection(
                id=connection_id,
                secret_arn=stack.outputs[f"SecretArn{name}"],
                secret_name=stack.outputs[f"SecretName{name}"],
                function_name=stack.outputs[f"RefreshFunctionName{name}"],
                pull_role_arn=stack.outputs[f"PullRoleArn{name}"],
                schedule_name=stack.physical_id(f"{name}Schedule", "AWS::Scheduler::Schedule"),
                log_group_name=stack.physical_id(f"{name}Log", "AWS::Logs::LogGroup"),
            )
        return found

    @property
    def pascal_cases(self) -> dict[str, str]:
        """The part of logical ids and outputs that stands for each deployed connection, by connection id."""
        return {connection_id: pascal_case(connection_id) for connection_id in self.connections}

    def connection(self, connection_id: str) -> Connection:
        """Return a deployed connection.

        Raises:
            CannotTell: The connection is not deployed.
        """
        deployed = self.connections
        if connection_id in deployed:
            return deployed[connection_id]
        if connection_id in self.environment.connections:
            raise CannotTell(f"{connection_id} is not deployed. Run: make deploy ENV={self.environment.name}")
        raise CannotTell(
            f"{self.environment.name} has no connection {connection_id}; "
            + did_you_mean(connection_id, deployed, f"write one of {', '.join(deployed)}")
        )

    @property
    def outputs(self) -> dict[str, str]:
        """The outputs of all stacks."""
        return {name: value for stack in self.stacks.values() for name, value in stack.outputs.items()}


def read_deployment(clients: Clients, environment: Environment) -> Deployment:
    """Return the deployed stacks of an environment.

    Raises:
        CannotTell: The environment is not deployed, or AWS refuses to describe its stacks.
    """
    try:
        found = in_parallel(lambda stack: _read_stack(clients, f"{environment.name}-{stack}"), STACKS)
    except NoAnswer as error:
        fix = "Use credentials with the permissions of docs/operate.md"
        raise CannotTell(f"the stacks of {environment.name} cannot be read: {error}. {fix}") from None
    stacks = {name: stack for name, stack in zip(STACKS, found, strict=True) if stack}
    if "DockerLogin" not in stacks:
        raise not_deployed(environment)
    return Deployment(environment, stacks)


def not_deployed(environment: Environment) -> CannotTell:
    """Return the error for an environment that is not deployed."""
    where = f"the account {environment.account}, Region {environment.region}"
    return CannotTell(f"{environment.name} is not deployed in {where}. Run: make deploy ENV={environment.name}")


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
        summaries = [summary for page in pages for summary in page["StackResourceSummaries"]]
    # CloudFormation also lists resources that left the stack.
    resources = [_resource(each) for each in summaries if each["ResourceStatus"] not in _GONE]
    drift = described.get("DriftInformation", {})
    return Stack(
        name=name,
        status=described["StackStatus"],
        outputs={output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])},
        resources={resource.logical_id: resource for resource in resources},
        drift=drift.get("StackDriftStatus", "NOT_CHECKED"),
        drift_checked_at=drift.get("LastCheckTimestamp"),
        role_arn=described.get("RoleARN", ""),
    )


def _resource(summary: Mapping[str, Any]) -> Resource:
    return Resource(summary["ResourceType"], summary["LogicalResourceId"], summary.get("PhysicalResourceId", ""))
